package process_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"authbench/bench/process"
)

// The test binary plays a run that will be killed, and a few programs that it
// starts: no program's behaviour is left to what the machine happens to have.
func TestMain(m *testing.M) {
	switch os.Getenv("PROCESS_TEST_ROLE") {
	case "run":
		playRun()
	case "stubborn":
		playStubborn()
	case "settle":
		playSettle()
	case "parent":
		playParent()
	}
	os.Exit(m.Run())
}

// stubborn ignores SIGTERM and says when it is ready.
func playStubborn() {
	hold()
}

// hold stays until it is killed; to wait for signals is no deadlock to Go.
func hold() {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGTERM)
	fmt.Println("ready")
	for {
		<-ignored
	}
}

// parent has a child in a process group of its own, as PostgreSQL does.
func playParent() {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "PROCESS_TEST_ROLE=stubborn")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil || c.Start() != nil {
		os.Exit(1)
	}
	bufio.NewReader(out).ReadString('\n')
	hold()
}

type runReport struct {
	Dir    string
	Groups []string
	IDs    []process.ID
}

// run starts a stubborn process and a parent, reports and waits to be killed.
func playRun() {
	l, _, err := process.Open()
	check(err)
	groups := makeGroups(l)
	var report runReport
	for _, role := range []string{"stubborn", "parent"} {
		out := newLines()
		p, err := l.Start(process.Command{Name: role, Path: os.Args[0], Env: []string{"PROCESS_TEST_ROLE=" + role}, Stdout: out, Groups: groups})
		check(err)
		out.await("ready")
		report.IDs = append(report.IDs, process.Tree(p.PID)...)
	}
	report.Dir, report.Groups = l.Dir(), groups
	check(json.NewEncoder(os.Stdout).Encode(report))
	hold()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// makeGroups makes control groups where this machine has them.
func makeGroups(l *process.Ledger) (groups []string) {
	for _, controller := range []string{"cpu", "cpuacct", ""} { // "" is version 2
		if home, err := process.OwnGroup(controller); err == nil {
			dir := filepath.Join(home, "authbench-test-"+filepath.Base(l.Dir()))
			if l.MakeGroup(dir) == nil {
				groups = append(groups, dir)
			}
		}
	}
	return groups
}

// lines is an io.Writer that lets a test wait for a line.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *lines) await(want string) bool {
	deadline := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		found := strings.Contains(l.text.String(), want)
		l.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-l.more:
		case <-deadline:
			return false
		}
	}
}

func (l *lines) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func open(t *testing.T) *process.Ledger {
	t.Helper()
	t.Setenv("TMPDIR", openFolder(t))
	l, warning, err := process.Open()
	if warning != nil || err != nil {
		t.Fatal(warning, err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// openFolder is a folder that others may pass through, unlike t.TempDir's.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "process-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, l *process.Ledger, role string, c process.Command) *process.Process {
	t.Helper()
	out := newLines()
	c.Name, c.Path, c.Stdout = role, os.Args[0], out
	c.Env = append(c.Env, "PROCESS_TEST_ROLE="+role)
	p, err := l.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	if !out.await("ready") {
		t.Fatalf("%s did not get ready: %s", role, p.Tail())
	}
	return p
}

func TestStopKillsTheStubbornAndTheirChildren(t *testing.T) {
	l := open(t)
	p := start(t, l, "parent", process.Command{Grace: 50 * time.Millisecond})
	stubborn := start(t, l, "stubborn", process.Command{Grace: 50 * time.Millisecond})
	tree := slices.Concat(process.Tree(p.PID), process.Tree(stubborn.PID))
	if len(tree) != 3 {
		t.Fatalf("tree %v, want parent, its child and the stubborn one", tree)
	}
	if process.RSS(p.PIDs()) == 0 {
		t.Error("no resident memory")
	}
	for _, q := range []*process.Process{p, stubborn, stubborn} {
		if err := q.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := q.Died(); err != nil {
			t.Errorf("stopped on request, but: %v", err)
		}
	}
	for _, id := range tree {
		eventually(t, fmt.Sprint("end of ", id), func() bool { return !id.Alive() })
	}
}

func TestChildrenThatEndByThemselves(t *testing.T) {
	l := open(t)
	p, err := l.Start(process.Command{Name: "sh", Path: "sh", Args: []string{"-c", "echo something is wrong >&2; exit 7"}})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(err.Error(), "something is wrong") {
		t.Errorf("Wait: %v; want exit status 7 with the log's tail", err)
	}
	if p.Died() == nil {
		t.Error("Died: nil for a child that ended by itself")
	}
	if _, err := l.Start(process.Command{Name: "x", Path: "no-such-program"}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("missing program: %v", err)
	}
	if _, err := l.Start(process.Command{Name: "x", Path: "sh", CPUs: "one"}); err == nil {
		t.Error("a bad CPU list was accepted")
	}
	if _, err := l.Start(process.Command{Name: "x", Path: "sh", Groups: []string{"/nowhere"}}); err == nil {
		t.Error("a control group that is not there was accepted")
	}
}

func TestRunWaitsForTheEndOrForTheContext(t *testing.T) {
	l := open(t)
	before, err := process.ChildrenCPU()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.Run(t.Context(),
		process.Command{Name: "sh", Path: "sh", Args: []string{"-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo $i"},
			Stdout: &out}); err != nil || out.String() != "100000\n" {
		t.Errorf("Run: %v, standard output %q", err, &out)
	}
	if after, err := process.ChildrenCPU(); err != nil || after-before < 5*time.Millisecond {
		t.Errorf("a child that counted to 100,000 cost %v, %v", after-before, err)
	}
	var exit *exec.ExitError
	if err := l.Run(t.Context(), process.Command{Name: "false", Path: "sh", Args: []string{"-c", "exit 3"}}); !errors.As(err, &exit) ||
		exit.ExitCode() != 3 {
		t.Errorf("Run: %v, want exit status 3", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	if err := l.Run(ctx, process.Command{Name: "sleep", Path: "sleep", Args: []string{"60"}}); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "sleep was stopped") {
		t.Errorf("Run beyond its context: %v", err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("Run took %v to stop a child", took)
	}
}

// A child starts in the runtime folder, not in ours: a path from our folder must
// lead to the same program all the same.
func TestAPathIsFromOurFolder(t *testing.T) {
	l := open(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("three", []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := l.Run(t.Context(), process.Command{Name: "three", Path: "./three"}); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Run: %v; want exit status 3", err)
	}
}

func TestChildHasItsCPUsAndWeKeepOurs(t *testing.T) {
	l := open(t)
	before, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	last := process.FormatCPUs(before[len(before)-1:])
	p, err := l.Start(process.Command{Name: "sh", Path: "grep", Args: []string{"Cpus_allowed_list", "/proc/self/status"}, CPUs: last})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || !strings.HasSuffix(p.Tail(), "\t"+last) {
		t.Errorf("child's CPUs: %s, %v; want %s", p.Tail(), err, last)
	}
	q, err := l.Start(process.Command{Name: "next", Path: "grep", Args: []string{"Cpus_allowed_list", "/proc/self/status"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Wait(); err != nil || !strings.HasSuffix(q.Tail(), "\t"+process.FormatCPUs(before)) {
		t.Errorf("next child's CPUs: %s, %v; want ours, %v", q.Tail(), err, before)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	l := open(t)
	groups := makeGroups(l)
	p := start(t, l, "parent", process.Command{Grace: 50 * time.Millisecond, Groups: groups})
	tree := process.Tree(p.PID)
	for _, g := range groups {
		b, err := os.ReadFile(filepath.Join(g, "cgroup.procs"))
		for _, id := range tree {
			if err != nil || !slices.Contains(strings.Fields(string(b)), fmt.Sprint(id.PID)) {
				t.Errorf("%v is not in its group %s: %s, %v", id, g, b, err)
			}
		}
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	gone(t, runReport{l.Dir(), groups, tree})
	if _, err := l.Start(process.Command{Name: "x", Path: "true"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
}

func gone(t *testing.T, r runReport) {
	t.Helper()
	for _, id := range r.IDs {
		eventually(t, fmt.Sprint("end of ", id), func() bool { return !id.Alive() })
	}
	for _, path := range append(r.Groups, r.Dir) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestSweepAfterSIGKILL(t *testing.T) {
	l := open(t) // a run that lives beside it must be left alone
	neighbour := start(t, l, "stubborn", process.Command{Grace: 50 * time.Millisecond})

	run := exec.Command(os.Args[0])
	run.Env = append(os.Environ(), "PROCESS_TEST_ROLE=run")
	run.Stderr = os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Process.Kill(); run.Wait() }) // of a test that ends early
	var report runReport
	if err := json.NewDecoder(out).Decode(&report); err != nil {
		t.Fatal(err)
	}
	if len(report.IDs) != 3 {
		t.Fatalf("%d processes, want 3", len(report.IDs))
	}
	run.Process.Kill()
	run.Wait()
	for _, leader := range []int{0, 1} {
		id := report.IDs[leader]
		eventually(t, "the kernel ends the leader", func() bool { return !id.Alive() })
	}

	// A recorded PID that belongs to somebody else now: same number, other start.
	f, err := os.OpenFile(filepath.Join(report.Dir, "ledger"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, `{"name":"recycled","pid":%d,"start":%d}`+"\n"+`{"name":"cut`, neighbour.PID, neighbour.Start+1)
	f.Close()

	if err := process.Sweep(); err != nil {
		t.Fatal(err)
	}
	gone(t, report)
	if id := (process.ID{PID: neighbour.PID, Start: neighbour.Start}); !id.Alive() {
		t.Error("the neighbour was killed")
	}
	if _, err := os.Stat(l.Dir()); err != nil {
		t.Errorf("the neighbour's folder: %v", err)
	}
}

func TestCPULists(t *testing.T) {
	for list, want := range map[string]string{"1": "1", "0-2,5": "0-2,5", "3,1,2": "1-3", "0,0": "0"} {
		cpus, err := process.ParseCPUs(list)
		if got := process.FormatCPUs(cpus); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", list, got, err, want)
		}
	}
	for _, list := range []string{"", "a", "2-1", "-1", "1,", "0-99999"} {
		if cpus, err := process.ParseCPUs(list); err == nil {
			t.Errorf("%q was read as %v", list, cpus)
		}
	}
}

// A paused child and what is below it do not run; they go on, end politely, or
// are killed, and none of that is a death.
func TestPauseResumeAndKill(t *testing.T) {
	l := open(t)
	start := func() (*process.Process, *lines) {
		out := newLines()
		p, err := l.Start(process.Command{Name: "counts", Path: "sh", Stdout: out,
			Args: []string{"-c", `trap 'echo bye; exit 0' TERM; sh -c 'while :; do :; done' & while :; do echo x; sleep 0.01; done`}})
		if err != nil {
			t.Fatal(err)
		}
		if !out.await("x") {
			t.Fatal("the child does not count")
		}
		return p, out
	}
	p, out := start()
	for range 2 {
		if err := p.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := p.CPU()
	if collected := p.Collected(); collected != 0 {
		t.Errorf("of a child that lives %v is collected", collected)
	}
	states := map[string]bool{}
	for _, pid := range p.PIDs() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		states[rest[:1]] = true
	}
	delete(states, "Z") // a sleep that ended, whose paused parent does not collect it
	if delete(states, "T"); len(p.PIDs()) < 2 || len(states) > 0 {
		t.Errorf("%d processes, also in states %v; want all stopped", len(p.PIDs()), states)
	}
	if after := p.CPU(); after != before {
		t.Errorf("a paused child used %v", after-before)
	}
	p.Resume()
	n := out.size()
	eventually(t, "the child counts on", func() bool { return out.size() > n })
	if err := p.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil { // it hears it although it is paused
		t.Fatal(err)
	}
	if !out.await("bye") {
		t.Error("a paused child was not asked to end")
	}
	if err := p.Pause(t.Context()); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("pause what has ended: %v", err)
	}

	p, _ = start()
	ids := process.Tree(p.PID)
	for range 2 {
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if id.Alive() {
			t.Errorf("process %d lives on", id.PID)
		}
	}
	if err := p.Died(); err != nil {
		t.Errorf("what was asked for is a death: %v", err)
	}
	if used, collected := p.CPU(), p.Collected(); used <= 0 || collected != used {
		t.Errorf("a child that has ended used %v, collected: %v", used, collected)
	}
}
