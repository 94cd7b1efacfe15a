package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostile is an environment with settings of everything that authbench starts
// or links, made for other work, and a home full of configuration files.
func hostile(t *testing.T) (env []string) {
	t.Helper()
	starts(t, "nginx, Redis and PostgreSQL")
	home := t.TempDir()
	for path, text := range map[string]string{
		"k6/config.json": `{"rps":1}`, ".config/k6/config.json": `{"rps":1}`, ".gitconfig": "[", ".rediscliauth": "x",
		".pgpass": "*:*:*:*:wrong\n", ".pg_service.conf": "[prod]\nhost=192.0.2.1\nuser=prod\n", ".psqlrc": "\\q\n",
	} {
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "TMPDIR=" + os.TempDir()}
	return append(env,
		"PGSERVICE=prod", "PGSERVICEFILE=/nonexistent", "PGHOST=192.0.2.1", "PGPORT=1", "PGSSLMODE=verify-full", "PGSSLROOTCERT=/nonexistent",
		"PGOPTIONS=-c fsync=off", "PGDATA=/nonexistent", "PGTZ=Mars", "PGCONNECT_TIMEOUT=never", "PGTARGETSESSIONATTRS=standby",
		"K6_RPS=1", "K6_ITERATIONS=1", "REDISCLI_AUTH=x", "GIT_DIR=/nonexistent", "GOFLAGS=-mod=vendor", "GOGC=1", "GODEBUG=http2client=0",
		"LC_MESSAGES=tr_TR.UTF-8", "LANGUAGE=tr", "LANG=tr_TR.UTF-8", "http_proxy=http://192.0.2.1:1", "HTTP_PROXY=http://192.0.2.1:1",
		"ALL_PROXY=http://192.0.2.1:1", "NGINX=7;", "MALLOC_ARENA_MAX=1", "AUTHBENCH_POOL=7", "BASH_ENV=/nonexistent",
	)
}

// TestNothingAmbientReachesAStack brings a stack up among such settings, and
// looks at what each of its programs, and authbench itself, has got.
func TestNothingAmbientReachesAStack(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"session/redis", "session/postgres"} {
		t.Run(a, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out := filepath.Join(t.TempDir(), "out")
			file, err := os.Create(out)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cmd := exec.CommandContext(ctx, authbench(t), "up", "--arm", a, "--runtime", "native", "--replicas", "1", "--users", "1")
			cmd.Env, cmd.Stdout, cmd.Stderr = hostile(t), file, file
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer func() {
				cmd.Process.Signal(syscall.SIGINT)
				<-ended
			}()
			poll(t, "the stack", func() bool {
				b, _ := os.ReadFile(out)
				select {
				case err := <-ended:
					ended <- err
					t.Fatalf("up ended: %v\n%s", err, b)
				default:
				}
				return bytes.Contains(b, []byte("Press Ctrl-C to stop"))
			})
			all := descendants(cmd.Process.Pid)
			seen := 0
			for _, pid := range append(all, itoa(cmd.Process.Pid)) {
				b, err := os.ReadFile(filepath.Join("/proc", pid, "environ"))
				if err != nil || len(b) == 0 {
					continue // it has ended, or wrote over its environment as PostgreSQL's processes do with their titles
				}
				seen++
				comm, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
				for v := range strings.SplitSeq(string(b), "\x00") {
					name, _, _ := strings.Cut(v, "=")
					if slices.Contains(cmd.Env, v) && name != "PATH" && name != "TMPDIR" && !(name == "HOME" && pid == itoa(cmd.Process.Pid)) {
						t.Errorf("%s has %s", bytes.TrimSpace(comm), v)
					}
				}
			}
			if seen < 3 {
				t.Errorf("the environment of %d programs was seen, of %v", seen, all)
			}
		})
	}
}

// TestDoctorAmongOddFolders asks whether a run can start where folders for
// temporary files are odd, and would fail if the stores could not start there.
func TestDoctorAmongOddFolders(t *testing.T) {
	t.Parallel()
	starts(t, "nginx, Redis and PostgreSQL")
	top, err := os.MkdirTemp("", "doctor-test-") // t.TempDir is not open to the stores' user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	if err := os.Chmod(top, 0o711); err != nil {
		t.Fatal(err)
	}
	closed, spaced := filepath.Join(top, "closed"), filepath.Join(top, `my "tmp"; it's`)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(spaced, 0o711); err != nil {
		t.Fatal(err)
	}
	warned := map[string]string{"/nonexistent/x": "the runtime folder is in /tmp instead: lstat /nonexistent: " +
		"no such file or directory"}
	if os.Getuid() == 0 {
		warned[closed] = "chmod o+x"
	}
	for _, dir := range []string{closed, spaced, "/nonexistent/x", "."} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", `umask 0277; exec "$0" doctor`, authbench(t))
		cmd.Dir = top
		cmd.Env = append(os.Environ(), "TMPDIR="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("runtime native: yes")) || !bytes.Contains(out, []byte("A run can start.")) {
			t.Errorf("TMPDIR=%s: %v\n%s", dir, err, out)
		}
		if want := warned[dir]; want == "" && bytes.Contains(out, []byte("the runtime folder is in")) || !bytes.Contains(out, []byte(want)) {
			t.Errorf("TMPDIR=%s: want the warning %q\n%s", dir, want, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(top, "*", "authbench-*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("doctor leaves %v, %v", left, err)
	}
}
