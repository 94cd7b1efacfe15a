package process_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbench/bench/process"
)

// TestAChildKnowsOnlyWhatIsMeantForIt gives us settings of all that we start,
// and sees that a child has none of them.
func TestAChildKnowsOnlyWhatIsMeantForIt(t *testing.T) {
	l := open(t)
	for _, name := range []string{"AUTHBENCH_POOL", "K6_ITERATIONS", "PGSERVICE", "REDISCLI_AUTH", "GIT_DIR", "GOGC", "GOMAXPROCS", "GODEBUG",
		"http_proxy", "MALLOC_ARENA_MAX", "BASH_ENV", "LANGUAGE", "LC_MESSAGES", "XDG_CONFIG_HOME", "DOCKER_HOST", "COMPOSE_FILE"} {
		t.Setenv(name, "7")
	}
	p, err := l.Start(process.Command{Name: "env", Path: "env", Env: []string{"AUTHBENCH_REDIS=x"}})
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + l.Dir(), "TMPDIR=" + l.Dir(), "AUTHBENCH_REDIS=x",
		"AUTHBENCH_FOLDER=" + l.Dir()}
	got := strings.Split(p.Tail(), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("environment %q; want %q", got, want)
	}
	for _, env := range [][]string{process.Environment(), process.DockerEnvironment()} {
		for _, v := range env {
			if name, value, _ := strings.Cut(v, "="); value == "7" && name != "DOCKER_HOST" {
				t.Errorf("a program that we ask gets %s", v)
			}
		}
	}
}

// settle is a program that settles and says what it has then.
func playSettle() {
	check(process.Settle("PROCESS_TEST_ROLE"))
	env := os.Environ()
	slices.Sort(env)
	os.Stdout.WriteString(strings.Join(env, "\n"))
	mask := filepath.Join(os.Getenv("TMPDIR"), "mask")
	check(os.WriteFile(mask, nil, 0o666))
	if _, err := os.ReadFile(mask); err != nil && os.Getuid() != 0 {
		check(err)
	}
	info, err := os.Stat(mask)
	check(err)
	if info.Mode().Perm() != 0o600 {
		os.Stdout.WriteString("\nmode " + info.Mode().String())
	}
	os.Exit(0)
}

func TestSettleTakesNothingAlong(t *testing.T) {
	dir := t.TempDir()
	for what, env := range map[string][]string{
		"with settings": {"PROCESS_TEST_ROLE=settle", "TMPDIR=" + dir, "PATH=/bin", "GOGC=1", "GOMAXPROCS=1", "PGSERVICE=prod", "PATH=/usr/bin",
			"no equals sign", "LC_ALL=tr_TR"},
		"with little": {"PROCESS_TEST_ROLE=settle", "TMPDIR=" + dir, "PATH=/usr/bin"},
	} {
		cmd := exec.Command("sh", "-c", `umask 0777; exec "$0"`, os.Args[0])
		cmd.Env = env
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		want := "LC_ALL=C\nPATH=/usr/bin\nPROCESS_TEST_ROLE=settle\nTMPDIR=" + dir + "\nTZ=UTC"
		if err != nil || string(out) != want {
			t.Errorf("%s: %q, %v %s; want %q", what, out, err, &errs, want)
		}
	}
}
