package experiment_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// pretend carries out a plan without a machine: every trial comes out as doubt
// says, every saturation serves 1,000 a second.
func pretend(t testing.TB, p *experiment.Plan, doubt func(experiment.Job) []trial.Aspect) (jobs []experiment.Job, done []trial.Trial) {
	t.Helper()
	for range 100_000 {
		job, ok, err := p.Next(done)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return jobs, done
		}
		jobs = append(jobs, job)
		done = append(done, finished(job, doubt(job)...))
	}
	t.Fatal("the plan does not end")
	return nil, nil
}

func finished(job experiment.Job, spoiled ...trial.Aspect) trial.Trial {
	tr := trial.Trial{Spec: job.Spec, Block: job.Block, Attempt: job.Attempt, Status: trial.OK, Seconds: 1}
	if len(spoiled) > 0 {
		tr.Doubt(trial.Doubt{Cause: "pretended", Spoils: spoiled})
	}
	for i, c := range job.Spec.Cells {
		for _, s := range c.Steps {
			tr.Steps = append(tr.Steps, trial.Measurement{Cell: i, Step: s.Name, Seconds: 1, Streams: map[string]*trial.StreamResult{
				trial.Main: {Seconds: 1, Outcomes: map[string]int64{trial.Success: 1000}}},
				Usage: trial.Usage{CPU: map[trial.Tier]float64{trial.ReplicaTier: 0.1}}})
		}
	}
	return tr
}

func allGood(experiment.Job) []trial.Aspect { return nil }

func plans(t testing.TB, profile string) []*experiment.Plan {
	t.Helper()
	p, err := experiment.ParseProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var ps []*experiment.Plan
	for _, e := range experiment.All(p) {
		needs, err := analysis.Needs(e.Rules)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, &experiment.Plan{Experiment: e, Seed: 7, Needs: needs})
	}
	return ps
}

// afresh is a plan that has looked at no trial yet.
func afresh(p *experiment.Plan) *experiment.Plan {
	return &experiment.Plan{Experiment: p.Experiment, Seed: p.Seed, Needs: p.Needs}
}

func keys(jobs []experiment.Job) (ks []string) {
	for _, j := range jobs {
		ks = append(ks, j.Spec.Key(j.Block, j.Attempt))
	}
	return ks
}

func TestEveryBlockRunsEveryCellOnceInAnOrderOfItsOwn(t *testing.T) {
	for _, p := range plans(t, "standard") {
		t.Run(p.Experiment.Name, func(t *testing.T) {
			left, seconds := p.Left(nil)
			jobs, done := pretend(t, p, allGood)
			if left != len(jobs) || seconds <= 0 {
				t.Errorf("%d trials of %v s were announced, %d handed out", left, seconds, len(jobs))
			}
			if n, s := p.Left(done); n != 0 || math.Abs(s) > 1e-6 || len(p.Jobs(done)) != 0 {
				t.Errorf("%d trials of %v s are left after the end", n, s)
			}
			if n, _ := afresh(p).Left(done); n != 0 {
				t.Errorf("a plan that is handed the whole run has %d trials left", n)
			}
			blocks := map[int][]string{}
			for _, j := range jobs {
				blocks[j.Block] = append(blocks[j.Block], j.Spec.Key(0, 1))
			}
			if len(blocks[p.Experiment.Blocks]) == 0 || len(blocks[p.Experiment.Blocks+1]) != 0 {
				t.Errorf("want blocks 1..%d, got %d", p.Experiment.Blocks, len(blocks))
			}
			for b := 1; b <= p.Experiment.Blocks; b++ {
				sorted := slices.Sorted(slices.Values(blocks[b]))
				if len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
					t.Errorf("block %d runs a cell twice", b)
				}
				if b > 1 && cmp.Diff(sorted, slices.Sorted(slices.Values(blocks[1]))) != "" {
					t.Errorf("block %d has other cells than block 1", b)
				}
				if b > 1 && len(sorted) > 5 && slices.Equal(blocks[b], blocks[1]) {
					t.Errorf("block %d runs in the order of block 1: not shuffled", b)
				}
			}
			again, _ := pretend(t, afresh(p), allGood)
			if d := cmp.Diff(keys(jobs), keys(again)); d != "" {
				t.Errorf("the same seed gives another order:\n%s", d)
			}
		})
	}
}

// Only what some rule needs is worth another attempt, and no machine makes a run much longer.
func TestTrialsInDoubtAreRepeatedWithinBounds(t *testing.T) {
	cost := plans(t, "standard")[0]
	for name, c := range map[string]struct {
		spoil func(experiment.Job) []trial.Aspect
		check func(t *testing.T, attempts map[string]int, jobs []experiment.Job)
	}{
		"a doubt that touches no rule": {
			func(experiment.Job) []trial.Aspect {
				return []trial.Aspect{trial.Tail, trial.Rate, trial.WallClock}
			},
			func(t *testing.T, attempts map[string]int, _ []experiment.Job) {
				for cell, n := range attempts {
					if n != 1 {
						t.Errorf("%s: %d attempts, want 1", cell, n)
					}
				}
			},
		},
		"one cell that never comes out": {
			func(j experiment.Job) []trial.Aspect {
				if j.Block == 2 && cell(j.Spec).System.Arm == "jwt/ES256" {
					return []trial.Aspect{trial.CPUTotal}
				}
				return nil
			},
			func(t *testing.T, attempts map[string]int, jobs []experiment.Job) {
				for i, j := range jobs {
					want := 1
					if j.Block == 2 && cell(j.Spec).System.Arm == "jwt/ES256" {
						want = 3
						if j.Attempt == 1 && (jobs[i+1].Attempt != 2 || jobs[i+2].Attempt != 3) {
							t.Error("it is not measured again at once")
						}
					}
					if got := attempts[j.Spec.Key(j.Block, 0)]; got != want {
						t.Errorf("%s: %d attempts, want %d", j.Spec, got, want)
					}
				}
			},
		},
		"nothing comes out": {
			func(experiment.Job) []trial.Aspect { return []trial.Aspect{trial.CPUTotal, trial.Rate} },
			func(t *testing.T, attempts map[string]int, jobs []experiment.Job) {
				repeats := len(jobs) - len(attempts)
				_, seconds := afresh(cost).Left(nil)
				if limit := int(seconds/4) + 2; repeats > limit { // a trial takes a second here
					t.Errorf("%d repeats of 1 s, want at most %d: a quarter of the estimated %.0f s", repeats, limit, seconds)
				}
				if repeats < 10 {
					t.Errorf("%d repeats: the time for them was not used", repeats)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, _ := pretend(t, afresh(cost), c.spoil)
			attempts := map[string]int{}
			for _, j := range jobs {
				attempts[j.Spec.Key(j.Block, 0)]++
				if j.Attempt != attempts[j.Spec.Key(j.Block, 0)] {
					t.Fatalf("attempt %d of %s carries number %d", attempts[j.Spec.Key(j.Block, 0)], j.Spec, j.Attempt)
				}
			}
			c.check(t, attempts, jobs)
		})
	}
}

// BenchmarkPlan hands out a run of 10,000 trials, one by one.
func BenchmarkPlan(b *testing.B) {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		b.Fatal(err)
	}
	p.CostBlocks = 10_000/8 + 1
	e := experiment.Cost(p)
	needs, err := analysis.Needs(e.Rules)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, done := pretend(b, &experiment.Plan{Experiment: e, Seed: 7, Needs: needs}, allGood)
		if len(done) < 10_000 {
			b.Fatalf("%d trials", len(done))
		}
	}
}

func TestAResumedRunMakesOnlyWhatIsNotDone(t *testing.T) {
	p := plans(t, "standard")[3]
	_, done := pretend(t, p, allGood)
	p = afresh(p)
	aborted, missing := done[4], done[7]
	done[4].Status = trial.Aborted
	done = slices.Delete(done, 7, 8)
	var made []string
	for range 100 {
		j, ok, err := p.Next(done)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		made, done = append(made, j.Spec.Key(j.Block, j.Attempt)), append(done, finished(j))
	}
	want := []string{aborted.Spec.Key(aborted.Block, 2), missing.Spec.Key(missing.Block, 1)}
	slices.Sort(want)
	slices.Sort(made)
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("a resumed run makes (-want +got):\n%s", d)
	}
}

func TestCostFailsClearlyWithoutCalibration(t *testing.T) {
	p := plans(t, "standard")[0]
	var done []trial.Trial
	for range 100 {
		j, ok, err := p.Next(done)
		if err != nil {
			if !strings.Contains(err.Error(), "jwt/ES256") {
				t.Errorf("error %q does not name the arm without calibration", err)
			}
			return
		}
		if !ok {
			break
		}
		tr := finished(j)
		if cell(j.Spec).System.Arm == "jwt/ES256" {
			tr.Steps = nil
		}
		done = append(done, tr)
	}
	t.Error("rates were derived for an arm that never served a request")
}

// Every arm stands beside the control at the same rates, and once in a block the
// control stands beside itself: the A/A pair.
func TestEveryTrialOfCostIsADuet(t *testing.T) {
	p := plans(t, "standard")[0]
	jobs, _ := pretend(t, p, allGood)
	pairs := 0
	for _, j := range jobs {
		if len(j.Spec.Cells) != 2 {
			t.Fatalf("%s: %d cells", j.Spec, len(j.Spec.Cells))
		}
		one, other := j.Spec.Cells[0], j.Spec.Cells[1]
		if other.System.Arm != trial.Control || other.Label == one.Label || cmp.Diff(one.Steps, other.Steps) != "" {
			t.Errorf("%s: no arm beside a control that is loaded as it is", j.Spec)
		}
		if err := j.Spec.Check(); err != nil {
			t.Error(err)
		}
		if one.System.Arm == trial.Control && j.Block > 0 {
			pairs++
		}
	}
	if pairs != p.Experiment.Blocks {
		t.Errorf("%d A/A pairs, want one in each of %d blocks", pairs, p.Experiment.Blocks)
	}
}

// With a rate of its own a run needs no calibration, and offers what any other
// with that rate does.
func TestAFixedRateNeedsNoCalibration(t *testing.T) {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		t.Fatal(err)
	}
	p.CostRate, p.CostLoads = 1250, []int{30}
	e := experiment.Cost(p)
	specs, err := e.Trials(nil)
	if err != nil || len(e.Calibrate) > 0 || len(specs) != len(p.CostArms)+1 {
		t.Fatalf("%d trials after %d of calibration: %v", len(specs), len(e.Calibrate), err)
	}
	for _, s := range specs {
		for _, c := range s.Cells {
			for _, step := range c.Steps {
				want := 1250.0
				switch step.Name {
				case "load=30%":
					want = 630 // of 60 %, to two digits
				case "saturation":
					want = 0
				}
				if got := step.Streams[0].Pacing.Rate; got != want {
					t.Errorf("%s, %s: %g requests/s, want %g", c, step.Name, got, want)
				}
			}
		}
	}
	if !strings.Contains(e.Method, "The common rate is 1250/s.") {
		t.Errorf("the method does not say the rate: %s", e.Method)
	}
}

func TestOpenStepsAreShuffledBetweenWarmUpAndSaturation(t *testing.T) {
	p := plans(t, "full")[0]
	jobs, _ := pretend(t, p, allGood)
	orders := map[string]bool{}
	for _, j := range jobs {
		if j.Block == 0 {
			continue
		}
		steps, order := cell(j.Spec).Steps, p.Order(j)
		if !steps[order[0]].Warmup || steps[order[len(order)-1]].Name != "saturation" || len(order) != len(steps) {
			t.Fatalf("%v does not begin with its warm-up and end with saturation", order)
		}
		var names []string
		for _, i := range order {
			names = append(names, steps[i].Name)
		}
		orders[strings.Join(names, " ")] = true
		slices.Sort(names)
		if want := []string{"load=15%", "load=30%", "load=45%", "load=common", "saturation", "warm-up"}; !slices.Equal(names, want) {
			t.Fatalf("steps %v, want %v", names, want)
		}
	}
	if len(orders) != 24 {
		t.Errorf("%d orders of steps in the whole run, want all of four", len(orders))
	}
}

func TestEverySpecMakesSense(t *testing.T) {
	for _, profile := range []string{"smoke", "standard", "full"} {
		for _, p := range plans(t, profile) {
			jobs, _ := pretend(t, p, allGood)
			for _, j := range jobs {
				if err := j.Spec.Check(); err != nil {
					t.Errorf("%s, %s: %v", profile, j.Spec, err)
				}
			}
		}
	}
}

// A rule that cannot find its trials could never come out.
func TestEveryComparisonFindsExactlyOneCell(t *testing.T) {
	for _, profile := range []string{"smoke", "standard", "full"} {
		for _, p := range plans(t, profile) {
			_, done := pretend(t, p, allGood)
			for _, r := range p.Experiment.Rules {
				if len(r.Compare) == 0 {
					t.Errorf("%s: %s compares nothing", profile, r.Claim)
				}
				for _, c := range r.Compare {
					sides := []trial.Selector{c.A}
					if r.Contrast == trial.Difference || r.Contrast == trial.Ratio {
						sides = append(sides, c.B)
					}
					for _, s := range sides {
						n := 0
						for _, tr := range done {
							_, hasStep := tr.Step(0, s.Step)
							if tr.Block == 1 && s.Matches(cell(tr.Spec)) && hasStep {
								n++
							}
						}
						if n != 1 {
							t.Errorf("%s: %s %q: a selector matches %d cells", profile, r.Claim, c.Name, n)
						}
					}
				}
			}
		}
	}
}

func TestConfigurationFile(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "bench.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p, _ := experiment.ParseProfile("smoke")
	if err := p.Override(write("cost_blocks: 7\ncost_arms: [jwt/HS256, session/redis]\n")); err != nil || p.CostBlocks != 7 ||
		len(p.CostArms) != 2 {
		t.Errorf("a good file: %v, %+v", err, p)
	}
	for _, text := range []string{"", "# nothing yet\n", "---\n# cost_blocks: 7\n", "\n\n"} {
		p, _ := experiment.ParseProfile("smoke")
		if err := p.Override(write(text)); err != nil || p.CostBlocks != 2 {
			t.Errorf("%q: %v, %d blocks; want the profile as it is", text, err, p.CostBlocks)
		}
	}
	for text, want := range map[string][]string{
		"cost_blocks: 2\ncost_blokcs: 3\n": {"bench.yaml", "cost_blokcs", "[2:1]"},
		"cost_blocks: many\n":              {"bench.yaml", "[1:14]"},
		"cost_arms: [jwt/none]\n":          {"bench.yaml", "jwt/none", "jwt/EdDSA"},
		"cost_loads: [120]\n":              {"120", "59"},
		"revoke_lifetimes: [1500ms]\n":     {"1500ms", "whole number of seconds"},
		"scale_replica_cpu: 0.01\n":        {"scale_replica_cpu", "0.05"},
		"scale_replicas: []\n":             {"scale_replicas"},
		"sticky_replicas: [0]\n":           {"replica count of 0"},
	} {
		p, _ := experiment.ParseProfile("smoke")
		err := p.Override(write(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %v does not hold %q", text, err, w)
			}
		}
	}
	if err := p.Override(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := experiment.ParseProfile("huge"); err == nil || !strings.Contains(err.Error(), "standard") {
		t.Errorf("an unknown profile: %v", err)
	}
	if _, err := experiment.Choose(experiment.All(p), []string{"costs"}); err == nil || !strings.Contains(err.Error(), "sticky") {
		t.Errorf("an unknown experiment: %v", err)
	}
}

// Only arms of a public key are held against the shared secret: a second arm
// that has one is none, and without any the claim is not asked.
func TestPublicKeysAreHeldAgainstASecret(t *testing.T) {
	for _, c := range []struct{ arms, against []trial.Arm }{
		{[]trial.Arm{"jwt/HS256", "jwt/HS256+cookie", "jwt/RS256", "session/redis"}, []trial.Arm{"jwt/RS256"}},
		{[]trial.Arm{"jwt/HS256", "jwt/HS256+cookie", "session/redis"}, nil},
		{[]trial.Arm{"jwt/RS256", "jwt/ES256"}, nil},
	} {
		p, err := experiment.ParseProfile("smoke")
		if err != nil {
			t.Fatal(err)
		}
		p.CostArms = c.arms
		var compared []trial.Arm
		for _, r := range experiment.Cost(p).Rules {
			if r.Claim != "C16" {
				continue
			}
			for _, one := range r.Compare {
				compared = append(compared, trial.Arm(one.A.Cell.Get("arm")))
			}
			if len(r.Compare) == 0 {
				t.Errorf("%v: C16 compares nothing", c.arms)
			}
		}
		if !slices.Equal(compared, c.against) {
			t.Errorf("%v: C16 compares %v, want %v", c.arms, compared, c.against)
		}
	}
}
