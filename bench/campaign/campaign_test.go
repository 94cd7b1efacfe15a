package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// paper makes trials without a machine.
type paper struct {
	lacks func(trial.Needs) string
	make  func(ctx context.Context, n int, spec trial.Spec) (Made, error) // n from 1
	n     int
	specs []string
}

func (p *paper) Lacks(n trial.Needs) string {
	if p.lacks == nil {
		return ""
	}
	return p.lacks(n)
}

func (p *paper) Make(ctx context.Context, spec trial.Spec, _ []int, _ uint64) (Made, error) {
	p.n++
	p.specs = append(p.specs, spec.String())
	if p.make == nil {
		return good(spec), nil
	}
	return p.make(ctx, p.n, spec)
}

// good is what comes of a spec when all goes well.
func good(spec trial.Spec) (made Made) {
	for _, s := range spec.Cells[0].Steps {
		made.Steps = append(made.Steps, trial.Measurement{Step: s.Name, Streams: map[string]*trial.StreamResult{
			trial.Main: {Stream: s.Streams[0], Seconds: 1, Completed: 100, Outcomes: map[string]int64{trial.Success: 100}, SentBytes: 100}}})
	}
	return made
}

// asked is an experiment of two arms over so many blocks, with a rule on bytes.
func asked(name string, blocks int, budget float64) experiment.Experiment {
	var specs []trial.Spec
	for _, a := range []trial.Arm{"session/redis", "jwt/HS256"} {
		c := trial.CellSpec{Cell: trial.NewCell("arm", a), System: trial.System{Arm: a, Replicas: 1, Balancer: trial.RoundRobin, Users: 1},
			Steps: []trial.Step{{Name: "step", Seconds: 1, Streams: []trial.Stream{{Name: trial.Main, Request: "GET /me", Connections: 1,
				Pacing: trial.Pacing{Mode: trial.Open, Rate: 100}}}}}}
		if budget > 0 {
			c.System.Budgets = map[trial.Tier]float64{trial.ReplicaTier: budget}
		}
		specs = append(specs, trial.Single(name, c))
	}
	return experiment.Experiment{Name: name, Question: "Which is larger?", Blocks: blocks,
		Trials: func([]trial.Trial) ([]trial.Spec, error) { return specs, nil },
		Rules: []trial.Rule{{Claim: "C18", Experiment: name, Metric: "request_bytes", Contrast: trial.Ratio, Supports: trial.More, MinBlocks: 3,
			Compare: []trial.Comparison{{Name: "x", A: trial.Of("jwt/HS256", "step"), B: trial.Of("session/redis", "step")}}}}}
}

func newCampaign(t *testing.T, es ...experiment.Experiment) *Campaign {
	t.Helper()
	c := &Campaign{Folder: trial.Folder(t.TempDir()), Progress: NewProgress(io.Discard, time.Now), Now: time.Now,
		Run: trial.Run{Name: "paper", Profile: "smoke", Runtime: "native", Status: "running", Seed: 7}}
	c.Ask(es)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func measure(t *testing.T, c *Campaign, p *paper) error {
	t.Helper()
	return c.Measure(t.Context(), func(context.Context) (Maker, error) { return p, nil }, nil)
}

func TestARunIsWholeInItsFolder(t *testing.T) {
	c, p := newCampaign(t, asked("cost", 4, 0)), &paper{}
	p.make = func(_ context.Context, n int, spec trial.Spec) (Made, error) {
		run, err := c.Folder.ReadRun()
		if err != nil || len(run.Rules) != 1 || len(run.DoubtRules) == 0 || run.Questions[0].Question != "Which is larger?" {
			t.Errorf("before trial %d the manifest has not the plan: %+v, %v", n, run, err)
		}
		return good(spec), nil
	}
	if err := measure(t, c, p); err != nil {
		t.Fatal(err)
	}
	run, trials, err := c.Folder.Read()
	if err != nil || run.Status != "complete" || run.Ended.IsZero() || len(trials) != 8 {
		t.Fatalf("%s, %d trials, %v", run.Status, len(trials), err)
	}
	for i, tr := range trials {
		if tr.Order != i+1 || tr.Status != trial.OK || tr.Attempt != 1 {
			t.Errorf("trial %d: %+v", i, tr)
		}
	}
	if n, seconds := c.Left(); n != 0 || seconds > 1e-6 {
		t.Errorf("%d trials, %v s left", n, seconds)
	}
}

// Counts survive a noisy machine: nothing is made again for what no rule needs.
func TestOnlyWhatARuleNeedsIsMadeAgain(t *testing.T) {
	for _, c := range []struct {
		spoils trial.Aspect
		want   int
	}{{trial.CPUTotal, 40}, {trial.Counts, 41}} {
		camp := newCampaign(t, asked("cost", 20, 0))
		err := measure(t, camp, &paper{make: func(_ context.Context, n int, spec trial.Spec) (Made, error) {
			made := good(spec)
			if n == 5 {
				made.Doubts = []trial.Doubt{{Step: "step", Cause: "noise", Spoils: []trial.Aspect{c.spoils}}}
			}
			return made, nil
		}})
		if err != nil || len(camp.Trials) != c.want {
			t.Errorf("%s in doubt once: %d trials, %v; want %d", c.spoils, len(camp.Trials), err, c.want)
		}
		if again := camp.Trials[5]; c.spoils == trial.Counts &&
			(again.Attempt != 2 || again.Key == camp.Trials[4].Key || again.Block != camp.Trials[4].Block) {
			t.Errorf("the next trial is %s, want another attempt at %s at once", again.Key, camp.Trials[4].Key)
		}
	}
}

func TestAFailedRunKeepsWhatItHasAndIsResumed(t *testing.T) {
	c := newCampaign(t, asked("cost", 3, 0))
	broken := errors.New("nginx does not start")
	err := measure(t, c, &paper{make: func(_ context.Context, n int, spec trial.Spec) (Made, error) {
		if n == 4 {
			return Made{Warnings: []string{"half a trial"}}, broken
		}
		return good(spec), nil
	}})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "block") {
		t.Errorf("%v, want the maker's error with cell and block", err)
	}
	run, trials, err := c.Folder.Read()
	if err != nil || run.Status != "failed" || !strings.Contains(run.Failure, "nginx does not start") || len(trials) != 4 ||
		trials[3].Status != trial.Aborted {
		t.Fatalf("%s (%s), %d trials, %v", run.Status, run.Failure, len(trials), err)
	}
	again, p := newCampaign(t, asked("cost", 3, 0)), &paper{}
	again.Folder, again.Run, again.Trials = c.Folder, run, trials
	if err := measure(t, again, p); err != nil {
		t.Fatal(err)
	}
	if p.n != 3 || p.specs[0] != trials[3].Spec.String() || again.Trials[4].Attempt != 2 || again.Trials[4].Order != 5 {
		t.Errorf("resumed with %d trials, the first %s as attempt %d; want the 3 that are left, the aborted one first",
			p.n, p.specs[0], again.Trials[4].Attempt)
	}
}

// A slow machine must not stretch a run beyond what it may take: what there is
// counts, and the rest can be made later.
func TestARunWhoseTimeIsUpIsInterruptedAndResumed(t *testing.T) {
	spoilt := asked("cost", 3, 0)
	spoilt.Rules[0].Metric = "cpu_us_per_request"
	c, said, now := newCampaign(t, spoilt, asked("scale", 3, 0)), &strings.Builder{}, time.Now()
	c.Limit, c.Now, c.Progress = time.Minute, func() time.Time { return now }, NewProgress(said, time.Now)
	slow := &paper{make: func(_ context.Context, _ int, spec trial.Spec) (Made, error) {
		now = now.Add(25 * time.Second)
		return good(spec), nil
	}}
	for run, want := range []struct {
		trials int
		status string
	}{{3, "interrupted"}, {6, "interrupted"}, {9, "interrupted"}, {12, "complete"}} {
		after := 0
		err := c.Measure(t.Context(), func(context.Context) (Maker, error) {
			now = now.Add(5 * time.Minute) // as building images does
			return slow, nil
		},
			func(context.Context, Maker) error { after++; return nil })
		if err != nil || len(c.Trials) != want.trials || c.Run.Status != want.status || after != 1 {
			t.Errorf("run %d: %d trials, %s, %d times what comes after, %v; want %v", run, len(c.Trials), c.Run.Status, after, err, want)
		}
	}
	for i, tr := range c.Trials {
		if counts := tr.Spec.Experiment == "scale"; counts != (i < 6) {
			t.Errorf("trial %d is of %s; want what rests on counts first", i, tr.Spec.Experiment)
		}
	}
	if want := "the time is up after 1m0s: 9 of 12 trials were not made"; !strings.Contains(said.String(), want) {
		t.Errorf("said %q; want %q", said, want)
	}
}

// A clock that is set while a trial is made spoils what expires by it, so that a
// rule on that gets another attempt, and nothing else.
func TestAClockThatIsSetDuringATrial(t *testing.T) {
	for metric, attempts := range map[string]int{"revocation_lag_max_seconds": 2, "request_bytes": 1} {
		for _, by := range []time.Duration{time.Hour, -time.Hour, 2 * time.Second} {
			e, set := asked("revoke", 3, 0), time.Duration(0)
			e.Rules[0].Metric = metric
			c := newCampaign(t, e)
			c.Now = func() time.Time { return time.Now().Add(set) }
			err := measure(t, c, &paper{make: func(_ context.Context, n int, spec trial.Spec) (Made, error) {
				if n == 1 {
					set += by
				}
				return good(spec), nil
			}})
			if err != nil || c.Run.Status != "complete" {
				t.Fatalf("%s: %s, %v", metric, c.Run.Status, err)
			}
			made := 0
			for _, tr := range c.Trials {
				if tr.Spec.Hash() == c.Trials[0].Spec.Hash() && tr.Block == c.Trials[0].Block {
					made++
				}
			}
			if made != attempts {
				t.Errorf("%s, clock set by %v: %d attempts, want %d", metric, by, made, attempts)
			}
			first := c.Trials[0]
			if len(first.Doubts) != 1 || !strings.Contains(first.Doubts[0].Text, "the clock jumped by ") ||
				math.Abs(first.Doubts[0].Amount-by.Abs().Seconds()) > 1 ||
				fmt.Sprint(first.Doubts[0].Spoils) != fmt.Sprint([]trial.Aspect{trial.WallClock}) {
				t.Errorf("clock set by %v: doubts %+v", by, first.Doubts)
			}
		}
	}
}

func TestAnInterruptedRunSaysSo(t *testing.T) {
	c := newCampaign(t, asked("cost", 3, 0))
	ctx, cancel := context.WithCancel(t.Context())
	p := &paper{make: func(ctx context.Context, n int, spec trial.Spec) (Made, error) {
		if n == 2 {
			cancel()
			return Made{}, ctx.Err()
		}
		return good(spec), nil
	}}
	err := c.Measure(ctx, func(context.Context) (Maker, error) { return p, nil }, nil)
	run, trials, rerr := c.Folder.Read()
	if !errors.Is(err, context.Canceled) || rerr != nil || run.Status != "interrupted" || len(trials) != 2 ||
		trials[1].Status != trial.Aborted {
		t.Errorf("%v; %s, %d trials, %v", err, run.Status, len(trials), rerr)
	}
}

func TestWhatCannotBeDoneHereIsSkippedWithItsReason(t *testing.T) {
	c := newCampaign(t, asked("cost", 3, 0), asked("scale", 3, 0.1))
	p := &paper{lacks: func(n trial.Needs) string {
		if n.Budgets {
			return "there are no cgroups"
		}
		return ""
	}}
	if err := measure(t, c, p); err != nil {
		t.Fatal(err)
	}
	if len(c.Trials) != 6 || len(c.Run.Warnings) != 1 || c.Run.Warnings[0] != "scale is skipped: there are no cgroups" {
		t.Errorf("%d trials, warnings %q", len(c.Trials), c.Run.Warnings)
	}
}

func TestNonsenseIsRefusedBeforeTheFirstTrial(t *testing.T) {
	side := func(change func(*trial.Selector)) func(*experiment.Experiment) {
		return func(e *experiment.Experiment) { change(&e.Rules[0].Compare[0].A) }
	}
	figure := func(change func(*trial.Figure)) func(*experiment.Experiment) {
		return func(e *experiment.Experiment) {
			f := trial.Figure{Name: "x", Title: "?", Chart: trial.Bars, Of: trial.Selector{Step: "step"},
				Metrics: []trial.Shown{{Metric: "request_bytes"}}}
			change(&f)
			e.Figures = []trial.Figure{f}
		}
	}
	for want, change := range map[string]func(*experiment.Experiment){
		`unknown metric "speed"`: func(e *experiment.Experiment) { e.Rules[0].Metric = "speed" },
		"C18 cannot be answered from fewer than 3 blocks: plan more than 2 (cost_blocks in a --config file)": func(
			e *experiment.Experiment) {
			e.Blocks = 2
		},
		"the rule of C18: x: the same within a margin of 0, which no number of blocks can show": func(e *experiment.Experiment) {
			e.Rules[0].Supports, e.Rules[0].Margin = trial.Same, 0
		},
		`the rule of C18: x: unknown factor "nodes": want one of arm`: side(func(s *trial.Selector) { s.Cell = s.Cell.With("nodes", "3") }),
		`the rule of C18: x: no cell is jwt/none`: side(
			func(s *trial.Selector) { s.Cell = trial.NewCell("arm", "jwt/none") }),
		`the rule of C18: x: unknown step "warm": want one of step`:  side(func(s *trial.Selector) { s.Step = "warm" }),
		`the rule of C18: x: unknown stream "bad": want one of main`: side(func(s *trial.Selector) { s.Stream = "bad" }),
		`figure x: unknown chart kind "pie": want one of bars`: func(e *experiment.Experiment) {
			e.Figures = []trial.Figure{{Name: "x", Chart: "pie"}}
		},
		`figure x: unknown step "warm": want one of step`: figure(func(f *trial.Figure) { f.Of.Step = "warm" }),
		`figure x: no cell is jwt/none`: figure(
			func(f *trial.Figure) { f.Of.Cell = trial.NewCell("arm", "jwt/none") }),
		`figure x: unknown factor "colour" along`: figure(func(f *trial.Figure) { f.Chart, f.Along = trial.Lines, "colour" }),
		`figure x: unknown factor "load" along`: figure(
			func(f *trial.Figure) { f.Chart, f.Along, f.Of.Step = trial.Lines, "load", "" }),
		"nothing loads it": func(e *experiment.Experiment) {
			specs, _ := e.Trials(nil)
			specs[0].Cells[0].Steps[0].Streams = nil
		},
	} {
		e := asked("cost", 3, 0)
		change(&e)
		c := &Campaign{Run: trial.Run{Seed: 1}}
		c.Ask([]experiment.Experiment{e})
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "experiment cost") {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func BenchmarkCampaign(b *testing.B) {
	for b.Loop() {
		e := asked("cost", 500, 0)
		c := &Campaign{Folder: trial.Folder(b.TempDir()), Progress: NewProgress(io.Discard, time.Now), Now: time.Now,
			Run: trial.Run{Name: "paper", Profile: "smoke", Runtime: "native", Status: "running", Seed: 7}}
		c.Ask([]experiment.Experiment{e})
		if err := c.Measure(b.Context(), func(context.Context) (Maker, error) { return &paper{}, nil }, nil); err != nil ||
			len(c.Trials) != 1000 {
			b.Fatal(fmt.Sprint(len(c.Trials), err))
		}
	}
}
