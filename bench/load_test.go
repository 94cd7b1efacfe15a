package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"authbench/bench/process"
	"authbench/bench/solo"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// site is a real nginx that answers everything as user-000000 of replica r1.
func site(t *testing.T) (url string) {
	t.Helper()
	starts(t, "nginx")
	l, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := stack.StartSite(t.Context(), l, "", `{"sub":"user-000000","replica":"r1"}`)
	if err != nil {
		t.Fatal(err)
	}
	return s.URL
}

func TestLoadIsForAnyonesUse(t *testing.T) {
	t.Parallel()
	url := site(t) + "/me"
	stdout, stderr, code := invoke(t, "load", "--url", url, "--rate", "300", "--connections", "8", "--for", "500ms", "--warm-up", "100ms",
		"--header", "Authorization: Bearer abc")
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	for _, want := range []string{"open loop at 300 requests/s, even arrivals, 8 connections, one credential, 0.5 s after 0.1 s of warm-up",
		"offered  150", "dropped    0", "2xx       150", "pacer lag"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}

	users := filepath.Join(t.TempDir(), "users.jsonl")
	for who, failed := range map[string]bool{"user-000000": false, "user-000001": true} {
		if err := os.WriteFile(users, []byte(strings.Repeat(`{"user":"`+who+`","credential":"x","kind":"bearer"}`+"\n", 20)), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code = invoke(t, "load", "--url", url, "--closed", "4", "--for", "200ms", "--warm-up", "0s", "--sources", "16",
			"--credentials", users, "--json")
		var r solo.Result
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatalf("%v in %s", err, stdout)
		}
		class := trial.Success
		if failed {
			class = trial.WrongUser
		}
		if r.Completed == 0 || r.Outcomes[class].Requests != r.Completed || r.Credentials != 20 || r.Sources != 16 {
			t.Errorf("%s: %+v", who, r)
		}
		if failed != (code == exitFailure) || failed != strings.Contains(stderr, `leave "user" out`) {
			t.Errorf("%s: status %d, stderr %q", who, code, stderr)
		}
	}
}

func TestInterruptedLoadPrintsWhatItMeasured(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(authbench(t), "load", "--url", site(t)+"/me", "--rate", "200", "--for", "1h", "--warm-up", "0s")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll(t, "connections", func() bool {
		fds, _ := os.ReadDir(filepath.Join("/proc", itoa(cmd.Process.Pid), "fd"))
		return len(fds) > 64
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(errs.String(), "s of 1h0m0s") {
		t.Errorf("status %d, stderr %q", code, &errs)
	}
	if !strings.Contains(out.String(), "completed") || !strings.Contains(out.String(), "note: interrupted after") {
		t.Errorf("stdout:\n%s", &out)
	}
}

// What up prints to log in with, and to try the driver with, works as it stands.
func TestUpPrintsALoadThatWorks(t *testing.T) {
	t.Parallel()
	starts(t, "nginx and Redis")
	out, err := os.Create(filepath.Join(t.TempDir(), "up"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(authbench(t), "up", "--arm", "session/redis", "--runtime", "native", "--replicas", "2", "--users", "20")
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGINT)
	said := ""
	poll(t, "the end of what up prints", func() bool {
		b, _ := os.ReadFile(out.Name())
		said = string(b)
		return strings.Contains(said, "Press Ctrl-C to stop")
	})
	curl := regexp.MustCompile(`curl --json '(.*)' (http\S+) >users.jsonl`).FindStringSubmatch(said)
	logIn := regexp.MustCompile(`curl --include --json '(.*)' (http\S+/login)`).FindStringSubmatch(said)
	load := regexp.MustCompile(`bin/authbench (load .*) --credentials users.jsonl`).FindStringSubmatch(said)
	if curl == nil || load == nil || logIn == nil {
		t.Fatalf("no lines to log in with, or for the driver, in\n%s", said)
	}
	post := func(url, body string) *http.Response { // as curl does, which need not be here
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	in := post(logIn[2], logIn[1])
	in.Body.Close()
	if in.StatusCode != http.StatusOK || len(in.Cookies()) == 0 {
		t.Errorf("log-in: status %d, %v", in.StatusCode, in.Header)
	}
	resp := post(curl[2], curl[1])
	defer resp.Body.Close()
	users := filepath.Join(t.TempDir(), "users.jsonl")
	b, err := io.ReadAll(resp.Body)
	if err != nil || os.WriteFile(users, b, 0o600) != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := invoke(t, append(strings.Fields(load[1]), "--credentials", users, "--for", "300ms", "--warm-up", "0s")...)
	if code != 0 || !strings.Contains(stdout, "20 credentials") || strings.Contains(stdout, "401") {
		t.Errorf("status %d, stderr %q\n%s", code, stderr, stdout)
	}
}
