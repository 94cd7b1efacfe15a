package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/bench/stack"
	"authbench/bench/stack/stacktest"
	"authbench/bench/trial"
)

// containers skips a test where containers cannot be had.
var containers = stacktest.Containers(stack.Obtain, stack.ErrNoContainers, "..")

// command runs a program in the project's folder to its end.
func command(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// freePort is one on loopback that nobody listens on right now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// remains lists the containers, networks and volumes of a Compose project.
func remains(t *testing.T, project string) (all []string) {
	t.Helper()
	for _, kind := range [][]string{{"container", "ls", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		out, err := command(t, nil, "docker", append(kind, "--quiet", "--filter", "label=com.docker.compose.project="+project)...)
		if err != nil {
			t.Fatalf("docker %s: %v\n%s", kind[0], err, out)
		}
		for id := range strings.FieldsSeq(out) {
			all = append(all, kind[0]+" "+id)
		}
	}
	return all
}

// What the README says of docker compose: up, load by k6 from here and from a
// container, both kinds of server, sticky and not, and down again.
func TestDockerComposeUp(t *testing.T) {
	t.Parallel()
	containers(t)
	project := fmt.Sprintf("authbench-test-%d", os.Getpid())
	sites := []struct{ auth, setting, port string }{
		{"session", "SESSION_PORT", freePort(t)}, {"session", "SESSION_STICKY_PORT", freePort(t)},
		{"jwt", "JWT_PORT", freePort(t)}, {"jwt", "JWT_STICKY_PORT", freePort(t)},
	}
	env := []string{"COMPOSE_PROJECT_NAME=" + project}
	for _, s := range sites {
		env = append(env, s.setting+"="+s.port)
	}
	down := func() (string, error) {
		return command(t, env, "docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "3")
	}
	t.Cleanup(func() { // t.Context is over by now
		cmd := exec.Command("docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "3")
		cmd.Dir, cmd.Env = "..", append(os.Environ(), env...)
		_ = cmd.Run()
	})
	if out, err := command(t, env, "docker", "compose", "up", "--build", "--wait", "--wait-timeout", "120"); err != nil {
		logs, _ := command(t, env, "docker", "compose", "logs", "--tail", "10")
		t.Fatalf("docker compose up: %v\n%s\n%s", err, out, logs)
	}
	var journeys sync.WaitGroup
	for _, s := range sites {
		journeys.Go(func() {
			out, err := command(t, nil, "bin/k6", "run", "--quiet", "-e", "BASE_URL=http://127.0.0.1:"+s.port, "-e", "AUTH="+s.auth,
				"-e", "PROFILE=smoke", "loadtests/browse.js")
			if err != nil || !strings.Contains(out, "0 answered 401, 0 for another user") || !strings.Contains(out, "0 requests failed") {
				t.Errorf("browse.js on %s: %v\n%s", s.setting, err, out)
			}
		})
	}
	journeys.Wait()
	out, err := command(t, env, "docker", "compose", "run", "--rm", "k6", "run", "--quiet",
		"-e", "BASE_URL=http://127.0.0.1:8090", "-e", "AUTH=jwt", "-e", "PROFILE=smoke", "-e", "DURATION=5", "/loadtests/browse.js")
	if err != nil || !strings.Contains(out, "0 requests failed") {
		t.Errorf("k6 in a container: %v\n%s", err, out)
	}
	if out, err := down(); err != nil {
		t.Fatalf("docker compose down: %v\n%s", err, out)
	}
	if left := remains(t, project); len(left) > 0 {
		t.Errorf("docker compose down leaves %v", left)
	}
}

// A port that somebody has is named, and nothing stays running.
func TestDockerComposeUpOnATakenPort(t *testing.T) {
	t.Parallel()
	containers(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	out, status := runOnCompose(t, "SESSION_PORT="+strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:"))
	if status == 0 || !strings.Contains(out, taken.Addr().String()) {
		t.Errorf("status %d, want an error that names %s:\n%s", status, taken.Addr(), out)
	}
}

// runOnCompose starts nginx alone, which is all that is published, and takes it down.
func runOnCompose(t *testing.T, setting string) (string, int) {
	t.Helper()
	project := fmt.Sprintf("authbench-test-port-%d", os.Getpid())
	env := []string{"COMPOSE_PROJECT_NAME=" + project, setting, "SESSION_STICKY_PORT=" + freePort(t), "JWT_PORT=" + freePort(t),
		"JWT_STICKY_PORT=" + freePort(t)}
	out, err := command(t, env, "docker", "compose", "up", "--detach", "--no-deps", "nginx")
	status := 0
	if err != nil {
		status = 1
	}
	if out, err := command(t, env, "docker", "compose", "down", "--volumes", "--timeout", "0"); err != nil {
		t.Errorf("docker compose down: %v\n%s", err, out)
	}
	if left := remains(t, project); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	return out, status
}

// The whole way of the data in containers. What a smoke run can decide, it
// decides as the reference run of processes did.
func TestMakeBenchInContainers(t *testing.T) {
	t.Parallel()
	containers(t)
	out, err := command(t, nil, "make", "bench", "RUNTIME=compose", "PROFILE=smoke")
	if err != nil {
		t.Fatalf("make bench RUNTIME=compose PROFILE=smoke: %v\n%s", err, out)
	}
	page := regexp.MustCompile(`(?m)^(/.*/results/.*)/report\.html$`).FindStringSubmatch(out)
	if page == nil {
		t.Fatalf("no line names the report:\n%s", out)
	}
	dir := page[1]
	t.Cleanup(func() { os.RemoveAll(dir) })
	run, err := trial.Folder(dir).ReadRun()
	// On a busy machine a smoke run's time is up before its last trial.
	if err != nil || run.Runtime != "compose" || run.Status != "complete" && run.Status != "interrupted" {
		t.Fatalf("run: %s, %s, %v", run.Runtime, run.Status, err)
	}
	images := 0
	for _, s := range run.Software {
		if strings.HasPrefix(s.Name, "image ") && s.SHA256 != "" {
			images++
		}
	}
	if images != 4 {
		t.Errorf("the manifest names %d images, want 4: %v", images, run.Software)
	}
	trials, err := trial.Folder(dir).Trials()
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range trials {
		checkCounts(t, tr)
		for _, m := range tr.Steps {
			if tr.Status == trial.Aborted {
				t.Errorf("%s: %s", tr.Spec, tr.Status)
			}
			if tr.Spec.Experiment == "cost" && tr.Block > 0 && (m.Usage.CPU[trial.ReplicaTier] <= 0 || m.Usage.CPU[trial.BalancerTier] <= 0) {
				t.Errorf("%s %s: CPU by tier %v", tr.Spec, m.Step, m.Usage.CPU)
			}
		}
	}
	reference, here := verdicts(t, "../results/reference"), verdicts(t, dir)
	open := func(answer string) bool { return answer == "" || answer == "not decided" || answer == "not measured" }
	mixed := func(answer string) bool { return answer == "depends" || answer == "partly" } // by how many comparisons are clear
	decided := 0
	for claim, v := range here {
		if open(v) {
			continue
		}
		decided++
		if want := reference[claim]; !open(want) && v != want && !(mixed(v) && mixed(want)) {
			t.Errorf("%s is %s in containers, and %s in the reference run", claim, v, want)
		}
	}
	if decided < 2 { // C05 and C06 count events: no busy machine makes them unclear
		t.Errorf("only %d verdicts: %v", decided, here)
	}
	// Those of living processes are other tests', and of those that other tests have killed a cleaner takes care.
	poll(t, "the end of all containers whose run has ended", func() bool {
		left, err := command(t, nil, "docker", "container", "ls", "--all", "--format", "{{.Names}}",
			"--filter", "name=^authbench-[0-9a-f]+-[0-9]+-[0-9]+-")
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(strings.Fields(left), func(name string) bool {
			_, err := os.Stat("/proc/" + strings.Split(name, "-")[2])
			return errors.Is(err, fs.ErrNotExist)
		})
	})
	assertNoCredentials(t, dir)
}

// verdicts are a run's, by claim.
func verdicts(t *testing.T, dir string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "verdicts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vs []struct {
		Rule   struct{ Claim string }
		Answer string
	}
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, v := range vs {
		all[v.Rule.Claim] = v.Answer
	}
	return all
}
