package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Everything here runs bin/authbench as a person would; make test builds it.

func authbench(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../bin/authbench")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make test, or make setup before go test", path)
	}
	return path
}

// invoke runs one command line to its end.
func invoke(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, authbench(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the status says it
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestListsAndVersion(t *testing.T) {
	for what, want := range map[string][]string{
		"arms":        {"session/cookie", "redis (standby)", "at expiry"},
		"experiments": {"outage", "C23", "Who is still served while the store is gone?"},
		"claims":      {"C01", "C23", "auth_cpu_us"},
		"metrics":     {"outage_availability", "counts", "cpu split"},
		"faults":      {"kill", "latency"},
	} {
		stdout, stderr, code := invoke(t, "list", what)
		for _, w := range want {
			if code != 0 || stderr != "" || !strings.Contains(stdout, w) {
				t.Errorf("list %s: status %d, %s%s; want %q in it", what, code, stdout, stderr, w)
			}
		}
	}
	if stdout, _, code := invoke(t, "--version"); code != 0 || !strings.HasPrefix(stdout, "authbench ") || !strings.Contains(stdout, "go1.") {
		t.Errorf("--version: status %d, %s", code, stdout)
	}
}

func TestDryRunStartsNothing(t *testing.T) {
	stdout, stderr, code := invoke(t, "run", "--profile", "standard", "--dry-run")
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	for _, w := range []string{"jwt/EdDSA", "none beside none", "cookie_hash", "minutes"} {
		if !strings.Contains(stdout, w) {
			t.Errorf("the plan does not hold %q:\n%s", w, stdout)
		}
	}
}

// starts skips a test with -short, which is for those that start nothing but bin/authbench.
func starts(t *testing.T, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("starts %s: make test", what)
	}
}

// smallRun is a configuration that takes seconds.
func smallRun(t *testing.T) (config, out string) {
	t.Helper()
	starts(t, "nginx, Redis and PostgreSQL")
	dir := t.TempDir()
	config, out = filepath.Join(dir, "small.yaml"), filepath.Join(dir, "run")
	text := "minutes_at_most: 0\nusers: 200\nresident: 200\n" +
		"cost_blocks: 2\ncost_step_seconds: 0.3\ncost_arms: [session/redis, jwt/HS256]\n" +
		"scale_blocks: 2\nscale_replicas: [1, 2]\nscale_arms: [session/postgres]\nscale_step_seconds: 0.3\nscale_search_steps: 2\n" +
		"sticky_replicas: [2]\nsticky_requests: 200\nsticky_users: 50\nsticky_balancers: [round_robin, ip_hash, sticky]\n" +
		"revoke_blocks: 2\nrevoke_users: 40\nrevoke_lifetimes: [2s]\nbench_time: 1x\nbench_count: 1\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, out
}

// checkCounts checks what must hold of every trial's counts, however busy the machine.
func checkCounts(t *testing.T, tr trial.Trial) {
	t.Helper()
	for _, m := range tr.Steps {
		for _, r := range m.Streams {
			if r.Outcomes[trial.WrongUser] > 0 {
				t.Errorf("%s %s: a wrong user in %d answers", tr.Spec, m.Step, r.Outcomes[trial.WrongUser])
			}
			if r.Stream.Pacing.Mode != trial.Open {
				continue
			}
			if r.Offered != r.Completed+r.Dropped {
				t.Errorf("%s %s: offered %d is not completed %d + dropped %d", tr.Spec, m.Step, r.Offered, r.Completed, r.Dropped)
			}
			// An authenticated request is one round trip to its store, by the store's own
			// count; one that failed may not have come that far.
			store := arm.Of(tr.Spec.Cells[m.Cell].System.Arm).Store()
			counter := map[string]string{"redis": "redis_commands", "postgres": "postgres_statements"}[store]
			asked := float64(r.Outcomes[trial.Success] + r.Outcomes[trial.Refused])
			if got := m.Usage.Counters[counter]; counter != "" && m.Search == nil && len(m.Marks) == 0 &&
				(got < asked || got > float64(r.Completed)) {
				t.Errorf("%s %s: the store counted %v %s for %v requests: %v", tr.Spec, m.Step, got, counter, r.Completed, r.Outcomes)
			}
		}
	}
}

// The whole way of the data, real in every part.
func TestRunMeasuresJudgesAndReports(t *testing.T) {
	t.Parallel()
	config, out := smallRun(t)
	stdout, stderr, code := invoke(t, "run", "--profile", "smoke", "--config", config, "--out", out, "--seed", "7")
	if code != 0 {
		t.Fatalf("status %d\n%s\n%s", code, stdout, stderr)
	}
	folder := trial.Folder(out)
	run, err := folder.ReadRun()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range run.Rules {
		if !strings.Contains(stdout, rule.Claim) {
			t.Errorf("no verdict of %s in:\n%s", rule.Claim, stdout)
		}
	}
	if run.Status != "complete" || len(run.Rules) < 8 || len(run.Software) < 5 || run.Machine.SystemCPUs == "" ||
		run.PostgreSQL["fsync"] != "on" ||
		run.PostgreSQL["lc_messages"] != "C" {
		t.Errorf("manifest: %s, software %v, machine %+v, PostgreSQL %v", run.Status, run.Software, run.Machine, run.PostgreSQL)
	}
	trials, err := folder.Trials()
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range trials {
		if tr.Status == trial.Aborted {
			t.Errorf("%s aborted: %v", tr.Spec, tr.Warnings)
		}
		checkCounts(t, tr)
		c := tr.Spec.Cells[0]
		if tr.Spec.Experiment == "sticky" && c.System.Balancer == trial.RoundRobin && arm.Of(c.System.Arm).State == arm.Replica {
			counters := tr.Steps[0].Journey.Counters
			if share := counters["lost_sessions"] / counters["authenticated_requests"]; share < 0.4 || share > 0.6 {
				t.Errorf("two memory stores under round robin lost %.2f of all requests, want about one half", share)
			}
		}
	}
	for _, name := range []string{"report.html", "REPORT.md", "bench.txt", "gobench.txt", "charts"} {
		if _, err := os.Stat(folder.Path(name)); err != nil {
			t.Error(err)
		}
	}

	// Everything shown comes from the folder alone, the same bytes each time.
	before, err := os.ReadFile(folder.Path("report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := invoke(t, "report", out); code != 0 {
		t.Fatalf("report: status %d, %s", code, stderr)
	}
	if after, err := os.ReadFile(folder.Path("report.html")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the page differs when made again: %v", err)
	}
	// trials may all be invalid on a busy machine
	if stdout, stderr, code := invoke(t, "compare", out, out); code != 0 || !strings.Contains(stdout, "Brackets hold 95 % intervals") {
		t.Errorf("compare: status %d, %s%s", code, stdout, stderr)
	}
	assertNoCredentials(t, out)
}

// assertNoCredentials looks for what must never stay in a run's folder.
func assertNoCredentials(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range []string{"Bearer ey", "PRIVATE KEY", "\"credential\""} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// An interruption keeps what was measured, says how to go on, and leaves
// nothing; resuming makes only what is not done.
func TestInterruptedRunIsKeptAndResumed(t *testing.T) {
	t.Parallel()
	config, out := smallRun(t)
	cmd := exec.Command(authbench(t), "run", "--profile", "smoke", "--config", config, "--experiments", "cost", "--no-go-bench", "--out", out)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	folder := trial.Folder(out)
	poll(t, "two trials", func() bool {
		paths, _ := fs.Glob(os.DirFS(out), "trials/*.json")
		return len(paths) >= 2
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(errs.String(), "--resume "+out) {
		t.Fatalf("status %d, stderr %q; want %d and the command that goes on", code, errs.String(), exitInterrupted)
	}
	assertNothingLeft(t, cmd.Process.Pid)
	run, err := folder.ReadRun()
	if err != nil || run.Status != "interrupted" {
		t.Fatalf("manifest: %q, %v", run.Status, err)
	}
	kept, err := folder.Trials()
	if err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := invoke(t, "run", "--resume", out, "--no-go-bench"); code != 0 {
		t.Fatalf("resume: status %d\n%s%s", code, stdout, stderr)
	}
	all, err := folder.Trials()
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	cell := func(tr trial.Trial) string { return fmt.Sprint(tr.Spec.Hash(), tr.Spec.Label(), tr.Block) }
	for _, tr := range all {
		made[cell(tr)]++
	}
	for _, tr := range kept { // a doubt may be a reason to measure again
		if tr.Status == trial.OK && len(tr.Doubts) == 0 && made[cell(tr)] != 1 {
			t.Errorf("%s was good before the interruption and was measured again", tr.Spec)
		}
	}
	if run, err = folder.ReadRun(); err != nil || run.Status != "complete" {
		t.Errorf("after resuming: %q, %v", run.Status, err)
	}
}

// A run that is killed at whatever moment keeps what it has measured: twenty times
// over, what it leaves behind is cleaned up by the kernel and the next start, and
// going on makes it whole.
func TestRunKilledAtAnyMomentIsResumed(t *testing.T) {
	t.Parallel()
	config, out := smallRun(t)
	folder := trial.Folder(out)
	random := rand.New(rand.NewPCG(7, 7))
	var killed []int
	for range 20 {
		args := []string{"run", "--profile", "smoke", "--config", config, "--experiments", "cost", "--no-go-bench", "--out", out}
		if _, err := os.Stat(folder.Path("run.json")); err == nil {
			args = []string{"run", "--no-go-bench", "--resume", out}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Float64()*float64(1500*time.Millisecond)))
		cmd := exec.CommandContext(ctx, authbench(t), args...)
		var children []string
		cmd.Cancel = func() error {
			children = descendants(cmd.Process.Pid)
			return cmd.Process.Kill()
		}
		out, err := cmd.CombinedOutput()
		cancel()
		if ctx.Err() == nil && err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		poll(t, "the end of all children", func() bool { return !slices.ContainsFunc(children, isOurs) })
		if _, err := folder.Trials(); err != nil {
			t.Fatal(err)
		}
		killed = append(killed, cmd.Process.Pid)
	}
	if stdout, stderr, code := invoke(t, "run", "--no-go-bench", "--resume", out); code != 0 {
		t.Fatalf("resume: status %d\n%s%s", code, stdout, stderr)
	}
	for _, pid := range killed {
		assertNothingLeft(t, pid)
	}
	for _, pattern := range []string{".*", "trials/.*"} {
		if left, err := fs.Glob(os.DirFS(out), pattern); err != nil || len(left) > 1 || len(left) == 1 && left[0] != "." {
			t.Errorf("left in the run's folder: %v, %v", left, err)
		}
	}
	run, trials, err := folder.Read()
	if err != nil || run.Status != "complete" {
		t.Fatalf("%q, %v", run.Status, err)
	}
	planned, stderr, code := invoke(t, "run", "--resume", out, "--dry-run")
	if code != 0 || !strings.Contains(planned, "about 0 minutes") {
		t.Errorf("left to do: status %d, %s%s", code, planned, stderr)
	}
	good := map[string]int{}
	for _, tr := range trials {
		if tr.Status == trial.OK && tr.Block > 0 {
			good[tr.Spec.String()]++
		}
	}
	if len(good) < 3 {
		t.Errorf("trials of %v", good)
	}
	for spec, n := range good {
		if n < 2 {
			t.Errorf("%s: %d trials, want one of each block", spec, n)
		}
	}
}

// A disk that fills up ends a run in a line that says so, and spoils nothing of
// what was measured: with room again the run goes on.
func TestAFullDiskEndsARun(t *testing.T) {
	t.Parallel()
	config, out := smallRun(t)
	if b, err := exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		t.Skipf("mounts a small file system, which is not allowed here: %v, %s", err, b)
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := t.TempDir()
	stdout, err := exec.CommandContext(t.Context(), "unshare", "--mount", "bash", "-euc", `
		full() { "$1" run --profile smoke --config "$2" --experiments cost --no-go-bench --out "$3" >"$4/said" 2>&1; }
		mount -t tmpfs -o size=64k none "$3"
		full "$@" && exit 3
		cp -a "$3" "$4/full"
		mount -o remount,size=64m "$3"
		"$1" run --no-go-bench --resume "$3"
		cp -a "$3" "$4/whole"`, "bash", authbench(t), config, out, kept).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	b, err := os.ReadFile(filepath.Join(kept, "said"))
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(b), "\nauthbench: ")
	want := regexp.MustCompile(`^write .*: no space left on device: what was measured is in .*; make room and go on with: .* --resume .*\n$`)
	if !want.MatchString(last) {
		t.Errorf("it says\n%s", b)
	}
	_, before, err := trial.Folder(filepath.Join(kept, "full")).Read()
	if err != nil || len(before) == 0 {
		t.Fatalf("on the full disk: %d trials, %v", len(before), err)
	}
	run, after, err := trial.Folder(filepath.Join(kept, "whole")).Read()
	if err != nil || run.Status != "complete" || len(after) <= len(before) {
		t.Fatalf("with room again: %s, %d trials after %d, %v", run.Status, len(after), len(before), err)
	}
	for i, tr := range before {
		if after[i].Key != tr.Key || !after[i].Started.Equal(tr.Started) {
			t.Errorf("trial %d was %s and is %s: it was made again", i+1, tr.Key, after[i].Key)
		}
	}
}

// isOurs says whether a process is alive that a run starts.
func isOurs(pid string) bool {
	comm, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	return err == nil && ours(string(comm))
}

func ours(comm string) bool {
	switch strings.TrimSpace(comm) {
	case "server", "nginx", "redis-server", "postgres", "k6":
		return true
	}
	return false
}

// assertNothingLeft looks for children, control groups and folders of a process that has ended.
func assertNothingLeft(t *testing.T, pid int) {
	t.Helper()
	if left := descendants(pid); len(left) > 0 {
		t.Errorf("children of %d left: %v", pid, left)
	}
	of := regexp.MustCompile(fmt.Sprintf(`^(authbench-)?%d-`, pid)) // a ledger's folder, and its control groups
	for _, at := range []struct{ dir, pattern string }{{"/sys/fs/cgroup", "*/authbench-*"}, {"/sys/fs/cgroup", "authbench-*"},
		{os.TempDir(), "authbench-*/*"}} {
		paths, err := fs.Glob(os.DirFS(at.dir), at.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if of.MatchString(filepath.Base(p)) {
				t.Errorf("left behind: %s", p)
			}
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// descendants lists the living PIDs below pid.
func descendants(pid int) (all []string) {
	paths, _ := filepath.Glob("/proc/" + itoa(pid) + "/task/*/children")
	for _, p := range paths {
		b, _ := os.ReadFile(p)
		for child := range strings.FieldsSeq(string(b)) {
			var n int
			if json.Unmarshal([]byte(child), &n) == nil {
				all = append(append(all, child), descendants(n)...)
			}
		}
	}
	return all
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited a minute for %s", what)
		case <-tick.C:
		}
	}
}

// TestPlanOfTheReference sizes the committed run, as the README does: every arm it measured, each figure with trials of that run.
func TestPlanOfTheReference(t *testing.T) {
	t.Parallel()
	const reference = "../results/reference"
	args := []string{"plan", "--rate", "100000", "--users", "5000000", reference}
	text, stderr, code := invoke(t, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, %s", code, stderr)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(text, "─\n")
	rows, _, more := strings.Cut(rows, "\n\n")
	if !ok || !more || !strings.Contains(string(readme), rows) {
		t.Errorf("README.md does not show what the reference says now; put this there:\n%s", text)
	}
	stdout, stderr, code := invoke(t, append(args, "--json", "--out", t.TempDir())...)
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, %s", code, stderr)
	}
	var p struct {
		Arms []struct {
			Arm    trial.Arm
			Trials []string
		}
		Formulas map[string]string
	}
	if err := json.Unmarshal([]byte(stdout), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Arms) < 5 || p.Formulas["replicas"] == "" {
		t.Errorf("%d arms, replicas by %q", len(p.Arms), p.Formulas["replicas"])
	}
	for _, a := range p.Arms {
		if !strings.Contains(text, a.Arm.String()) && a.Arm != trial.Control {
			t.Errorf("the table has no line of %s", a.Arm)
		}
		for _, key := range a.Trials {
			if _, err := os.Stat(filepath.Join(reference, "trials", key+".json")); err != nil {
				t.Errorf("%s rests on a trial that is not there: %v", a.Arm, err)
			}
		}
		if len(a.Trials) == 0 {
			t.Errorf("%s rests on no trial", a.Arm)
		}
	}
}
