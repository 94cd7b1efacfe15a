package campaign

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// fakeHouse is a house whose systems keep a diary.
type fakeHouse struct {
	mu     sync.Mutex
	diary  []string
	up     error
	start  func(context.Context, trial.Arm) error // how a system starts; nil is at once
	died   error
	usage  trial.Usage
	marks  []trial.Mark
	result func(load.Step) (map[string]*trial.StreamResult, error)
	seen   []load.Step
}

func (h *fakeHouse) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.diary = append(h.diary, fmt.Sprintf(format, args...))
}

func (h *fakeHouse) noted(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.diary, what)
}

func (h *fakeHouse) Lacks(trial.Needs) string { return "" }
func (h *fakeHouse) Close() error             { h.note("closed"); return nil }
func (h *fakeHouse) Up(ctx context.Context, c trial.CellSpec) (System, error) {
	if h.start != nil {
		if err := h.start(ctx, c.Cell.Arm()); err != nil {
			return nil, err
		}
	}
	h.note("up %s", c.Cell.Arm())
	return fakeSystem{h, c}, h.up
}

type fakeSystem struct {
	*fakeHouse
	c trial.CellSpec
}

func (s fakeSystem) Target() trial.Target {
	t := trial.Target{URL: "http://127.0.0.1:1/" + s.c.Cell.Arm().String()}
	for i := range s.c.System.Users {
		t.Credentials = append(t.Credentials, trial.Credential{User: fmt.Sprint(i), Header: "Bearer a.b.c2VjcmV0c2VjcmV0"})
	}
	t.URL = "http://127.0.0.1:1"
	return t
}
func (s fakeSystem) ReplicaURLs() []string                { return nil }
func (s fakeSystem) Warnings() []string                   { return []string{"warned"} }
func (s fakeSystem) Meter(context.Context) (Meter, error) { return fakeMeter{s}, nil }
func (s fakeSystem) Down(ctx context.Context) error {
	s.note("down %s", s.c.Cell.Arm())
	return errors.Join(ctx.Err(), s.died) // ends also after an interruption
}
func (s fakeSystem) Break(_ context.Context, _ time.Time, fs []trial.Fault, tell func(trial.Mark)) ([]trial.Mark, error) {
	s.note("break %s", fs[0].Kind)
	if tell != nil {
		tell(s.marks[0])
	}
	return s.marks, nil
}

type fakeMeter struct{ s fakeSystem }

func (m fakeMeter) Start(context.Context) error { m.s.note("read"); return nil }
func (m fakeMeter) Stop(context.Context) (trial.Usage, error) {
	m.s.note("read")
	return m.s.usage, nil
}
func (m fakeMeter) Close() error { return nil }

func (h *fakeHouse) Run(_ context.Context, step load.Step) (map[string]*trial.StreamResult, error) {
	h.note("load")
	h.seen = append(h.seen, step)
	if h.result != nil {
		return h.result(step)
	}
	return served(step), nil
}

func served(step load.Step) map[string]*trial.StreamResult {
	all := map[string]*trial.StreamResult{}
	for key, aim := range step.Streams {
		all[key] = &trial.StreamResult{Stream: aim.Stream, Seconds: 1, Completed: 100, Outcomes: map[string]int64{trial.Success: 100},
			Series: map[string][]int64{trial.Success: {100}}}
	}
	return all
}

// journeys is a k6 of which it is known how each run ends.
type journeys func() (trial.Journey, error)

func (j journeys) Run(context.Context, trial.System, trial.Script, string, []string) (trial.Journey, error) {
	return j()
}

func (h *fakeHouse) conductor() *Conductor {
	return &Conductor{House: h, NewGenerator: func(uint64) (Generator, error) { return h, nil }}
}

func twoSteps() trial.Spec {
	s, _ := asked("cost", 1, 0).Trials(nil)
	spec := s[0]
	second := spec.Cells[0].Steps[0]
	second.Name = "second"
	spec.Cells[0].Steps = append(spec.Cells[0].Steps, second)
	return spec
}

func TestATrialInOrder(t *testing.T) {
	h := &fakeHouse{}
	made, err := h.conductor().Make(t.Context(), twoSteps(), []int{1, 0}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(h.diary, ", "); got != "up session/redis, read, load, read, read, load, read, closed, down session/redis" {
		t.Errorf("it went: %s", got)
	}
	if len(made.Steps) != 2 || made.Steps[0].Step != "second" || made.Steps[1].Step != "step" || len(made.Warnings) != 1 {
		t.Errorf("%+v", made)
	}
	if made.Steps[0].Streams[trial.Main].Series != nil {
		t.Error("a time line is kept where nothing happens in it")
	}
}

// Cells that stand side by side are loaded by one call, each with its own target.
func TestCellsSideBySideAreLoadedAtTheSameMoment(t *testing.T) {
	all, _ := asked("cost", 1, 0).Trials(nil)
	duet := trial.Spec{Experiment: "cost", Cells: []trial.CellSpec{all[0].Cells[0], all[1].Cells[0]}}
	h := &fakeHouse{}
	made, err := h.conductor().Make(t.Context(), duet, []int{0}, 1)
	if err != nil || len(h.seen) != 1 || len(h.seen[0].Streams) != 2 || len(made.Steps) != 2 || made.Steps[1].Cell != 1 ||
		len(made.Steps[1].Streams) != 1 {
		t.Errorf("%v: loaded %+v, made %+v", err, h.seen, made.Steps)
	}
}

// Cells start side by side: one that cannot start ends the start of those that
// still wait, and those that are up come down.
func TestACellThatCannotStartEndsThoseBesideIt(t *testing.T) {
	all, _ := asked("cost", 1, 0).Trials(nil)
	first, second := all[0].Cells[0], all[1].Cells[0]
	duet := trial.Spec{Experiment: "cost", Cells: []trial.CellSpec{first, second}}
	broken := errors.New("it does not start")
	h := &fakeHouse{start: func(ctx context.Context, a trial.Arm) error {
		if a == second.Cell.Arm() {
			return broken
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	if _, err := h.conductor().Make(t.Context(), duet, []int{0}, 1); !errors.Is(err, broken) || len(h.diary) > 0 {
		t.Errorf("%v; it went: %v", err, h.diary)
	}
	h.start = func(_ context.Context, a trial.Arm) error {
		if a == first.Cell.Arm() {
			return nil
		}
		for !h.noted("up " + first.Cell.Arm().String()) {
			runtime.Gosched()
		}
		return broken
	}
	made, err := h.conductor().Make(t.Context(), duet, []int{0}, 1)
	want := fmt.Sprintf("[up %s down %s]", first.Cell.Arm(), first.Cell.Arm())
	if got := fmt.Sprint(h.diary); !errors.Is(err, broken) || got != want || len(made.Warnings) != 1 {
		t.Errorf("%v; it went: %s, want %s; warnings %v", err, got, want, made.Warnings)
	}
}

// What one cell used is no CPU of other processes for the cell beside it, and a
// noisy machine is said once of both.
func TestCellsSideBySideKnowOfEachOther(t *testing.T) {
	all, _ := asked("cost", 1, 0).Trials(nil)
	duet := trial.Spec{Experiment: "cost", Cells: []trial.CellSpec{all[0].Cells[0], all[1].Cells[0]}}
	h := &fakeHouse{usage: trial.Usage{Seconds: 1, Foreign: 0.35, CPU: map[trial.Tier]float64{trial.ReplicaTier: 0.2, trial.BalancerTier: 0.1},
		Ticks: map[string]trial.CPUTicks{"cpu1": {Busy: 65, Steal: 15, Total: 100}}}}
	c := h.conductor()
	c.Instrument = Instrument{Generator: []string{"cpu0"}, System: []string{"cpu1"}}
	made, err := c.Make(t.Context(), duet, []int{0}, 1)
	if err != nil || len(made.Steps) != 2 {
		t.Fatalf("%v: %+v", err, made)
	}
	for _, m := range made.Steps {
		if u := m.Usage; math.Abs(u.Beside-0.3) > 1e-9 || math.Abs(u.Foreign-0.05) > 1e-9 {
			t.Errorf("cell %d: %.3f s beside it and %.3f s of others; want 0.3 and 0.05", m.Cell, u.Beside, u.Foreign)
		}
	}
	if len(made.Doubts) != 2 || made.Doubts[0].Cause != stolen || made.Doubts[1].Cause != others {
		t.Errorf("doubts %+v; want stolen CPU and other processes, once each", made.Doubts)
	}
	h.usage.Missing = map[string]string{"foreign CPU": "r1: gone"}
	made, _ = c.Make(t.Context(), duet, []int{0}, 1)
	if u := made.Steps[1].Usage; u.Missing["foreign CPU"] == "" || u.Foreign != 0 {
		t.Errorf("other processes' CPU is known where a cell's own is not: %+v", u)
	}
}

func TestWhatEndsATrialStillBringsItDown(t *testing.T) {
	wrong := func(step load.Step) (map[string]*trial.StreamResult, error) {
		all := served(step)
		for _, r := range all {
			r.Outcomes = map[string]int64{trial.Success: 99, trial.WrongUser: 1}
		}
		return all, nil
	}
	cut := errors.New("the network is gone")
	for want, h := range map[string]*fakeHouse{
		"named another user":  {result: wrong},
		"the network is gone": {result: func(load.Step) (map[string]*trial.StreamResult, error) { return nil, cut }},
	} {
		_, err := h.conductor().Make(t.Context(), twoSteps(), []int{0, 1}, 1)
		if err == nil || !strings.Contains(err.Error(), want) || h.diary[len(h.diary)-1] != "down session/redis" || len(h.seen) != 1 {
			t.Errorf("%v, %q; want an error with %q, no further step, and the system down", err, h.diary, want)
		}
	}
	idle := twoSteps()
	idle.Cells[0].Steps[0] = trial.Step{Name: "journey", Seconds: 1, Script: &trial.Script{File: "nothing.js"}}
	h := &fakeHouse{}
	c := h.conductor()
	c.Journeys = journeys(func() (trial.Journey, error) { return trial.Journey{}, errors.New("nothing.js: it sent nothing") })
	if _, err := c.Make(t.Context(), idle, []int{0, 1}, 1); err == nil || !strings.Contains(err.Error(), "it sent nothing") ||
		h.diary[len(h.diary)-1] != "down session/redis" || len(h.seen) > 0 {
		t.Errorf("a k6 that sends nothing: %v, %q; want its error, no further step, and the system down", err, h.diary)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h = &fakeHouse{result: func(load.Step) (map[string]*trial.StreamResult, error) { cancel(); return nil, ctx.Err() }}
	if made, err := h.conductor().Make(ctx, twoSteps(), []int{0, 1}, 1); !errors.Is(err, context.Canceled) || len(made.Doubts) != 0 {
		t.Errorf("%v, %+v; want the interruption, and a system that came down all the same", err, made)
	}
}

// A search is a step whose tries are measured and judged one by one, and kept as
// the last of them at the rate that was found.
func TestASearchIsKeptAsItsTryAtTheRateFound(t *testing.T) {
	spec := twoSteps()
	stream := spec.Cells[0].Steps[1].Streams[0]
	stream.Pacing = trial.Pacing{Mode: trial.Open}
	spec.Cells[0].Steps[1].Streams = []trial.Stream{stream}
	spec.Cells[0].Steps[1].Search = &trial.Search{Steps: 40, SLO: trial.SLO{P99Milliseconds: 100}}
	if err := spec.Check(); err != nil {
		t.Fatal(err)
	}
	serves := 500.0
	h := &fakeHouse{result: func(step load.Step) (map[string]*trial.StreamResult, error) {
		all := served(step)
		for _, r := range all {
			if r.Offered = int64(100 * r.Stream.Pacing.Rate); r.Stream.Pacing.Rate > serves {
				r.Outcomes = map[string]int64{trial.Success: 99, trial.Failed: 1}
			}
		}
		return all, nil
	}}
	made, err := h.conductor().Make(t.Context(), spec, []int{1}, 1)
	if err != nil || len(made.Steps) != 1 || len(made.Doubts) != 0 {
		t.Fatalf("%v, %+v", err, made)
	}
	m := made.Steps[0]
	r, _ := m.Result("")
	if m.Found.End != trial.Found || m.Found.Holds > serves || m.Found.Fails < serves || m.Search == nil ||
		r.Stream.Pacing.Rate != m.Found.Holds || r.Offered != int64(100*m.Found.Holds) || r.Errors() != 0 {
		t.Errorf("found %s, kept %+v", m.Found, r)
	}
	if len(h.seen) != len(m.Found.Tries) || strings.Count(strings.Join(h.diary, " "), "read load read") != len(h.seen) {
		t.Errorf("%d tries, each with readings of its own: %q", len(m.Found.Tries), h.diary)
	}
	serves = 0
	made, err = h.conductor().Make(t.Context(), spec, []int{1}, 1)
	if err != nil || len(made.Steps) != 1 || len(made.Doubts) != 1 || !strings.Contains(made.Doubts[0].Text, "no rate holds") {
		t.Fatalf("%v, %+v; want a remark that none was found", err, made)
	}
	if r, _ := made.Steps[0].Result(""); r.Stream.Pacing.Rate != 0 || r.Errors() != 1 {
		t.Errorf("kept %+v, want a try that failed, without a rate", r)
	}
}

// What died by itself leaves counts as they are, and nothing else.
func TestADeathIsAResult(t *testing.T) {
	h := &fakeHouse{died: errors.New("r1 has ended by itself")}
	made, err := h.conductor().Make(t.Context(), twoSteps(), []int{0}, 1)
	if err != nil || len(made.Doubts) != 1 {
		t.Fatalf("%v, %+v", err, made.Doubts)
	}
	tr := trial.Trial{Doubts: made.Doubts}
	_, counts := tr.Spoiled("step", trial.Counts)
	_, cpu := tr.Spoiled("step", trial.CPUTotal)
	if counts || !cpu {
		t.Errorf("%+v; want CPU spoiled and counts whole", made.Doubts)
	}
}

func TestFaultsRunBesideTheLoad(t *testing.T) {
	spec := twoSteps()
	spec.Cells[0].Steps[1].Faults = []trial.Fault{{Kind: "kill", Target: "redis", Lasts: 0.5}}
	spec.Cells[0].Steps[1].Expect = trial.Expect{Errors: true}
	now := 0.1
	failing := func(step load.Step) (map[string]*trial.StreamResult, error) {
		all := served(step)
		for _, r := range all {
			r.Outcomes = map[string]int64{trial.Success: 50, trial.Failed: 50}
		}
		return all, nil
	}
	h := &fakeHouse{result: failing,
		marks: []trial.Mark{{Fault: spec.Cells[0].Steps[1].Faults[0], Begun: &now, InEffect: &now, Ended: &now, Recovered: &now}}}
	made, err := h.conductor().Make(t.Context(), spec, []int{1}, 1)
	if err != nil || len(made.Steps) != 1 || len(made.Steps[0].Marks) != 1 || made.Steps[0].Streams[trial.Main].Series == nil {
		t.Fatalf("%v, %+v; want marks and a time line", err, made.Steps)
	}
	if len(made.Doubts) != 0 {
		t.Errorf("what the step expects is doubted: %+v", made.Doubts)
	}
	h.marks = []trial.Mark{{Fault: spec.Cells[0].Steps[1].Faults[0], Begun: &now, Why: "it would not die"}}
	made, err = h.conductor().Make(t.Context(), spec, []int{1}, 1)
	if err != nil || len(made.Doubts) != 1 || !strings.Contains(made.Doubts[0].Text, "it would not die") ||
		len(made.Doubts[0].Spoils) != len(trial.Aspects()) {
		t.Errorf("%v, %+v; want a fault that did not show to spoil the step", err, made.Doubts)
	}
}

// Who watches hears of the steps that have faults, and of no other.
func TestStepsWithFaultsAreWatched(t *testing.T) {
	spec := twoSteps()
	spec.Cells[0].Steps[1].Faults = []trial.Fault{{Kind: "kill", Target: "redis", Lasts: 0.5}}
	now := 0.1
	h := &fakeHouse{marks: []trial.Mark{{Fault: spec.Cells[0].Steps[1].Faults[0], InEffect: &now}}}
	h.result = func(step load.Step) (map[string]*trial.StreamResult, error) {
		if step.Watch != nil {
			step.Watch(load.Second{At: step.Seconds})
		}
		return served(step), nil
	}
	c, seconds, marks := h.conductor(), 0, 0
	c.Watch = Watcher{Second: func(load.Second) { seconds++ }, Mark: func(trial.Mark) { marks++ }}
	if _, err := c.Make(t.Context(), spec, []int{0, 1}, 1); err != nil || seconds != 1 || marks != 1 {
		t.Errorf("%v, %d seconds and %d marks; want one of each", err, seconds, marks)
	}
}

func TestUsersWhoseCredentialsAreSpentAreNotAskedAsGood(t *testing.T) {
	spec := twoSteps()
	spec.Cells[0].System.Users = 100
	s := spec.Cells[0].Steps[0].Streams[0]
	forged := s
	forged.Name, forged.Present = "forged", trial.Forged
	spec.Cells[0].Steps[0].Streams = []trial.Stream{s, forged}
	h := &fakeHouse{}
	if _, err := h.conductor().Make(t.Context(), spec, []int{0}, 1); err != nil {
		t.Fatal(err)
	}
	good, bad := h.seen[0].Streams["0/"+trial.Main].Target, h.seen[0].Streams["0/forged"].Target
	users := map[string]bool{}
	for _, c := range good.Credentials {
		users[c.User] = true
	}
	for _, c := range bad.Credentials {
		if users[c.User] || c.Header == "Bearer a.b.c2VjcmV0c2VjcmV0" {
			t.Fatalf("%+v is asked with as good, or was not altered", c)
		}
	}
	if len(good.Credentials) != 90 || len(bad.Credentials) != 10 || bad.Present != trial.Forged {
		t.Errorf("%d good and %d %s credentials of 100", len(good.Credentials), len(bad.Credentials), bad.Present)
	}
	spec.Cells[0].System.Users = 1
	if _, err := h.conductor().Make(t.Context(), spec, []int{0}, 1); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("one user for two kinds: %v", err)
	}
}
