package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkout copies what make needs into a folder whose name has all that a shell
// or a configuration file could take for its own, below a go.work of somebody else.
func checkout(t *testing.T) string {
	t.Helper()
	starts(t, "make in a copy of the checkout")
	above := filepath.Join(t.TempDir(), `my "dir"; $HOME # it's`)
	root := filepath.Join(above, "auth bench")
	for _, name := range []string{"servers", "bench", "loadtests", "tools", "results/reference"} {
		if err := os.CopyFS(filepath.Join(root, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "docker-compose.yml", "bin/k6", "bin/.k6.from", "bin/benchstat",
		"bin/.benchstat.from"} {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatalf("%v: run make test, or make setup before go test", err)
		}
		place(t, filepath.Join(root, name), b)
	}
	place(t, filepath.Join(above, "go.work"), []byte("go 1.26\n\nuse ./elsewhere\n"))
	return root
}

func place(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// misled is an environment in which everything that can lead make, bash or go
// astray does.
func misled(t *testing.T) []string {
	t.Helper()
	src := t.TempDir()
	for _, name := range []string{"tools", "bench", "servers"} { // where a cd would go
		place(t, filepath.Join(src, name, "none"), nil)
	}
	place(t, filepath.Join(src, "env.sh"), []byte("echo from BASH_ENV\n"))
	place(t, filepath.Join(src, "go", "env"), []byte("GOFLAGS=-mod=vendor\nGOWORK="+filepath.Join(src, "go.work")+"\n"))
	return append(os.Environ(), "CDPATH="+src, "BASH_ENV="+filepath.Join(src, "env.sh"), "GOENV="+filepath.Join(src, "go", "env"),
		"GOFLAGS=-mod=mod -race", "GOWORK=", "GOOS=plan9", "GOAMD64=v9", "GODEBUG=none=1", "PGSERVICE=prod")
}

// shell runs a line of bash in a folder to its end and returns all that it prints.
func shell(t *testing.T, dir string, env []string, line string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-c", line, "bash"}, args...)...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// TestMakeGoesItsOwnWay builds and compares in a folder with an odd name, while
// the environment names other folders, other modules and another system.
func TestMakeGoesItsOwnWay(t *testing.T) {
	t.Parallel()
	root, env := checkout(t), misled(t)
	out, err := shell(t, root, env, "make compare A=results/reference B=results/reference FLAGS=--benchstat")
	if err != nil || !strings.Contains(out, "geomean") || !strings.Contains(out, "An effect counts from 5 % on.") {
		t.Fatalf("make compare: %v\n%s", err, out)
	}
	out, err = shell(t, root, env, `bash servers/mutants/run.sh token-short-mac`)
	if err != nil || !strings.Contains(out, "1 of 1 caught") {
		t.Errorf("a kept defect: %v\n%s", err, out)
	}
}

// A commit is of this project or of none: not of the repository that a copy of
// it happens to lie in, nor of the one that the environment names.
func TestTheCommitIsThisProjectsOrUnknown(t *testing.T) {
	t.Parallel()
	root := checkout(t)
	above := filepath.Dir(root)
	if out, err := shell(t, above, os.Environ(),
		"git init -q && git -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m other"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, env := range map[string][]string{
		"within another repository": os.Environ(),
		"with another's GIT_DIR":    append(os.Environ(), "GIT_DIR="+filepath.Join(above, ".git"), "GIT_WORK_TREE="+above),
	} {
		if out, err := shell(t, root, env, "make -n build"); err != nil || !strings.Contains(out, "main.commit=unknown'") {
			t.Errorf("%s: %v\n%s\nwant the commit unknown", name, err, out)
		}
	}
}
