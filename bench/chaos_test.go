package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"authbench/bench/trial"
)

// Redis is killed under three replicas: its users are told so, second by second,
// the folder holds the trial and the chart, and report makes the page of it anew.
func TestChaosTellsShowsAndKeeps(t *testing.T) {
	starts(t, "nginx, Redis and replicas")
	out := filepath.Join(t.TempDir(), "chaos")
	stdout, stderr, code := invoke(t, "chaos", "--arm", "session/redis", "--fault", "kill:redis@1s+1s", "--for", "4s", "--rate", "100",
		"--users", "100", "--out", out)
	if code != 0 {
		t.Fatalf("status %d\n%s%s", code, stdout, stderr)
	}
	text, at := strings.Join(strings.Fields(stdout), " "), 0
	for _, want := range []string{"session/redis, replicas: 3", "planned: kill:redis from 1 s to 2 s", "kill:redis is asked for",
		"kill:redis is in effect", "kill:redis is to end", "kill:redis is over", "While kill:redis was in effect (1.",
		"Unauthorized successes: 0 of ", "Answers that named another user: 0.", "charts/chaos.png"} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing, or comes too early:\n%s", want, stdout)
		}
		at += i
	}
	run, trials, err := trial.Folder(out).Read()
	if err != nil || len(trials) != 1 || run.Profile != trial.Chaos || run.Status != "complete" {
		t.Fatalf("%v, %d trials, %+v", err, len(trials), run)
	}
	checkCounts(t, trials[0])
	m := trials[0].Steps[0]
	if r := m.Streams[trial.Main]; r.Outcomes[trial.Failed] == 0 || r.Outcomes[trial.Refused] == 0 || m.Marks[0].Recovered == nil {
		t.Errorf("%v, %+v; want errors while Redis is gone and, as it keeps nothing, refusals after it", r.Outcomes, m.Marks[0])
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("kill:redis@1s+1s")) || !bytes.Contains(page, []byte("answers no claim")) {
		t.Errorf("the page: %v", err)
	}
	if _, stderr, code := invoke(t, "report", out); code != 0 {
		t.Errorf("report: status %d, %s", code, stderr)
	}
	if again, err := os.ReadFile(filepath.Join(out, "report.html")); err != nil || !bytes.Equal(again, page) {
		t.Errorf("report makes another page: %v", err)
	}
	if _, stderr, code := invoke(t, "run", "--resume", out); code != exitUsage || !strings.Contains(stderr, "is not resumed") {
		t.Errorf("resume: status %d, %s", code, stderr)
	}
	assertNoCredentials(t, out)
}

// Ctrl-C while Redis hangs shows what there was and leaves nothing behind.
func TestChaosThatIsInterrupted(t *testing.T) {
	starts(t, "nginx, Redis and replicas")
	dir := t.TempDir()
	cmd := exec.Command(authbench(t), "chaos", "--fault", "hang:redis@1s+600s", "--for", "700s", "--users", "100",
		"--out", filepath.Join(dir, "chaos"))
	told, err := os.Create(filepath.Join(dir, "told"))
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = told, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says := func(text string) bool {
		b, err := os.ReadFile(told.Name())
		return err == nil && strings.Contains(string(b), text)
	}
	poll(t, "the fault", func() bool { return says("hang:redis is in effect") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !says("hang:redis is over") || !says("In all ") {
		t.Errorf("status %d, %s", code, &stderr)
	}
	assertNothingLeft(t, cmd.Process.Pid)
}
