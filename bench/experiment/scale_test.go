package experiment_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	at "authbench/bench/analysis/analysistest"
	"authbench/bench/arm"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// Growth is unbudgeted and beside a control of as many replicas; throughput is
// asked under budgets that a step outlasts many times, in a closed loop that no
// rule calls a capacity, beside as many small replicas of the control.
func TestScaleAsksUnderTheRightLimits(t *testing.T) {
	for _, profile := range []string{"smoke", "standard", "full"} {
		jobs, _ := pretend(t, plans(t, profile)[1], allGood)
		for _, j := range jobs {
			own, control := cell(j.Spec).System, j.Spec.Cells[1].System
			if len(j.Spec.Cells) != 2 || control.Arm != trial.Control || j.Spec.Cells[1].Label != "control" {
				t.Errorf("%s: want the control beside it", j.Spec)
			}
			if cell(j.Spec).Steps[1].Name == "growth" {
				if control.Replicas != own.Replicas || control.Balancer != own.Balancer || len(own.Budgets)+len(control.Budgets) > 0 {
					t.Errorf("%s: want a control like the arm, and no budgets", j.Spec)
				}
				continue
			}
			if j.Block == 0 && len(own.Budgets)+len(control.Budgets) == 0 {
				continue // from which the model is predicted
			}
			if control.Replicas != own.Replicas || control.Budgets[trial.ReplicaTier] != 0.05 {
				t.Errorf("%s: want as many small replicas of the control", j.Spec)
			}
			for _, c := range j.Spec.Cells {
				s := c.Steps[1].Streams[0]
				if s.Pacing.Mode != trial.Closed || s.Pacing.Concurrency != 16*c.System.Replicas || s.Connections < s.Pacing.Concurrency ||
					c.System.Balancer != own.Balancer {
					t.Errorf("%s: %+v behind %s, want a closed loop of 16 for each replica", c, s.Pacing, c.System.Balancer)
				}
				for tier, cpus := range c.System.Budgets {
					if cpus < 0.05 || tier == trial.StoreTier && arm.Of(c.System.Arm).Store() == "" {
						t.Errorf("%s: a budget of %v for the %s", c, cpus, tier)
					}
				}
			}
			if cell(j.Spec).Cell.Get("replica_cpu") == "unlimited" &&
				(own.Budgets[trial.ReplicaTier] > 0 || own.Budgets[trial.StoreTier] == 0) {
				t.Errorf("%s: budgets %v, want one of the store alone", j.Spec, own.Budgets)
			}
		}
	}
}

func TestAStandardScaleTakesAboutFiveMinutes(t *testing.T) {
	if _, seconds := plans(t, "standard")[1].Left(nil); seconds > 330 {
		t.Errorf("%.0f s", seconds)
	}
}

// What calibration shows must predict what follows from it: twice the store, and
// four replicas, which the store holds back or does not.
func TestScalePredictsFromCalibration(t *testing.T) {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		t.Fatal(err)
	}
	e := experiment.Scale(p)
	var done []trial.Trial
	for _, s := range e.Calibrate {
		step := s.Cells[0].Steps[1].Name
		spent := func(replicas, store float64) []at.Option {
			return []at.Option{at.Throughput(step, 10_000), at.CPU(step, trial.BalancerTier, 25), at.CPU(step, trial.ReplicaTier, replicas),
				at.CPU(step, trial.StoreTier, store)}
		}
		options := spent(50, 0)
		if arm.Of(cell(s).System.Arm).Store() != "" {
			options = spent(50, 25)
		}
		if len(s.Cells) == 2 {
			options = append(options, at.Beside(spent(25, 0)...))
		}
		spoiled := at.Trial(s, 0, append(slices.Clone(options), at.CPU(step, trial.ReplicaTier, 500), at.Doubt("noise", trial.CPUTotal))...)
		done = append(done, spoiled, at.Trial(s, 0, append(options, at.Attempt(2))...))
	}
	got := map[string]float64{}
	for _, p := range e.Predict(done) {
		got[p.Name] = p.Value
		second := func(t trial.Trial) bool { return t.Attempt == 2 && t.Key == p.From[0] }
		if p.Formula == "" || len(p.From) != 1 || !slices.ContainsFunc(done, second) {
			t.Errorf("%s rests on %v", p.Name, p.From)
		}
		jobs, _ := pretend(t, plans(t, "standard")[1], allGood)
		if n := len(slices.DeleteFunc(jobs, func(j experiment.Job) bool { return j.Block != 1 || !p.Of.Matches(cell(j.Spec)) })); n != 1 {
			t.Errorf("%s is checked by %d cells", p.Name, n)
		}
	}
	if len(got) != 12 {
		t.Fatalf("%d predictions: %v", len(got), got)
	}
	for name, v := range got {
		want := 0.5 // a request takes 50 us of each of 4 replicas, of the control's 25
		switch {
		case strings.Contains(name, "store of 0.1"): // 0.1 CPU over 25 us, against 2 x 0.05 over 25
			want = 1
		case strings.Contains(name, "1 replica"):
		case strings.Contains(name, "redis") || strings.Contains(name, "postgres"): // the store's 0.05 over 25 us, against 4 times as much
			want = 0.25
		}
		if math.Abs(v-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
	if all := e.Predict(nil); len(all) != 0 {
		t.Errorf("without calibration: %+v", all)
	}
}
