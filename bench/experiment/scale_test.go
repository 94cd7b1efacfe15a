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
// rule calls a capacity.
func TestScaleAsksUnderTheRightLimits(t *testing.T) {
	for _, profile := range []string{"smoke", "standard", "full"} {
		jobs, _ := pretend(t, plans(t, profile)[1], allGood)
		for _, j := range jobs {
			own := cell(j.Spec)
			if len(j.Spec.Cells) == 2 {
				control := j.Spec.Cells[1].System
				if control.Arm != trial.Control || control.Replicas != own.System.Replicas || control.Balancer != own.System.Balancer ||
					len(own.System.Budgets)+len(control.Budgets) > 0 {
					t.Errorf("%s: want a control like the arm, and no budgets", j.Spec)
				}
				continue
			}
			pacing := own.Steps[1].Streams[0].Pacing
			if pacing.Mode != trial.Closed || pacing.Concurrency != 32*own.System.Replicas ||
				own.Steps[1].Streams[0].Connections < pacing.Concurrency {
				t.Errorf("%s: %+v, want a closed loop of 32 for each replica", j.Spec, pacing)
			}
			for tier, cpus := range own.System.Budgets {
				if cpus < 0.05 || tier == trial.StoreTier && arm.Of(own.System.Arm).Store() == "" {
					t.Errorf("%s: a budget of %v for the %s", j.Spec, cpus, tier)
				}
			}
			if own.Cell.Get("replica_cpu") == "unlimited" &&
				(own.System.Budgets[trial.ReplicaTier] > 0 || own.System.Budgets[trial.StoreTier] == 0) {
				t.Errorf("%s: budgets %v, want one of the store alone", j.Spec, own.System.Budgets)
			}
		}
	}
}

func TestAStandardScaleTakesAboutFiveMinutes(t *testing.T) {
	if _, seconds := plans(t, "standard")[1].Left(nil); seconds > 330 {
		t.Errorf("%.0f s", seconds)
	}
}

// What calibration shows must predict what follows from it: twice the store, four
// replicas that the store holds back, and no growth.
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
		var want float64
		near := 1e-9
		switch {
		case strings.Contains(name, "store of 0.2"): // 0.2 CPU over 25 us
			want = 8000
		case strings.Contains(name, "store of 0.1"): // of Redis
			want = 4000
		case strings.Contains(name, "growth") && strings.Contains(name, "redis"): // 100 us over the control's 50
			want = 2
		case strings.Contains(name, "growth"):
			if want = 1.5; strings.Contains(name, "postgres") {
				want = 2
			}
		case strings.Contains(name, "redis") || strings.Contains(name, "postgres"): // 0.1 CPU over 25 us, where replicas allow twice as much
			want, near = 4000, 0.01
		default: // 4 replicas of 0.1 CPU, 50 us
			want, near = 8000, 0.03
		}
		if math.Abs(v-want) > near*want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
	if all := e.Predict(nil); len(all) != 0 {
		t.Errorf("without calibration: %+v", all)
	}
}
