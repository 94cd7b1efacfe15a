package experiment_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbench/bench/experiment"
	"authbench/bench/trial"

	"github.com/google/go-cmp/cmp"
)

// pretend carries out a plan without a machine: every trial comes out as status
// says, every saturation serves 1,000 a second.
func pretend(t *testing.T, p experiment.Plan, status func(experiment.Job) trial.Status) (jobs []experiment.Job, done []trial.Trial) {
	t.Helper()
	for range 10_000 {
		job, ok, err := p.Next(done)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return jobs, done
		}
		jobs = append(jobs, job)
		done = append(done, finished(job, status(job)))
	}
	t.Fatal("the plan does not end")
	return nil, nil
}

func finished(job experiment.Job, status trial.Status) trial.Trial {
	tr := trial.Trial{Spec: job.Spec, Block: job.Block, Attempt: job.Attempt, Status: status}
	for _, ph := range job.Spec.Load.Phases {
		tr.Phases = append(tr.Phases, trial.Measurement{Phase: ph, Seconds: 1, Outcomes: map[string]int64{trial.Success: 1000}})
	}
	return tr
}

func allGood(experiment.Job) trial.Status { return trial.OK }

func plans(t *testing.T, profile string) []experiment.Plan {
	t.Helper()
	p, err := experiment.ParseProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var ps []experiment.Plan
	for _, e := range experiment.All(p) {
		ps = append(ps, experiment.Plan{Experiment: e, Seed: 7})
	}
	return ps
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
			left := p.Left(nil)
			jobs, done := pretend(t, p, allGood)
			if len(left) != len(jobs) {
				t.Errorf("%d trials were announced, %d handed out", len(left), len(jobs))
			}
			if len(p.Left(done)) != 0 {
				t.Error("trials are left after the end")
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
			again, _ := pretend(t, p, allGood)
			if d := cmp.Diff(keys(jobs), keys(again)); d != "" {
				t.Errorf("the same seed gives another order:\n%s", d)
			}
		})
	}
}

func TestInvalidTrialsAreRepeatedABoundedNumberOfTimes(t *testing.T) {
	p := plans(t, "standard")[2] // sticky: no calibration
	jobs, _ := pretend(t, p, func(j experiment.Job) trial.Status {
		if j.Spec.Balancer == trial.IPHash {
			return trial.Invalid
		}
		return trial.OK
	})
	attempts := map[string]int{}
	for _, j := range jobs {
		attempts[j.Spec.Key(j.Block, 0)]++
		if j.Attempt != attempts[j.Spec.Key(j.Block, 0)] {
			t.Fatalf("attempt %d of %s carries number %d", attempts[j.Spec.Key(j.Block, 0)], j.Spec, j.Attempt)
		}
	}
	for _, j := range jobs {
		want := 1
		if j.Spec.Balancer == trial.IPHash {
			want = 3
		}
		if got := attempts[j.Spec.Key(j.Block, 0)]; got != want {
			t.Errorf("%s: %d attempts, want %d", j.Spec, got, want)
		}
	}
}

func TestAResumedRunMakesOnlyWhatIsNotDone(t *testing.T) {
	p := plans(t, "standard")[3]
	_, done := pretend(t, p, allGood)
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
		made, done = append(made, j.Spec.Key(j.Block, j.Attempt)), append(done, finished(j, trial.OK))
	}
	want := []string{aborted.Spec.Key(aborted.Block, 2), missing.Spec.Key(missing.Block, 1)}
	slices.Sort(want)
	slices.Sort(made)
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("a resumed run makes (-want +got):\n%s", d)
	}
}

func TestCostFailsClearlyWithoutCalibration(t *testing.T) {
	p := plans(t, "smoke")[0]
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
		tr := finished(j, trial.OK)
		if j.Spec.Arm.Alg == "ES256" {
			tr.Phases = nil
		}
		done = append(done, tr)
	}
	t.Error("rates were derived for an arm that never served a request")
}

func TestTheControlRunsTwiceInEveryBlockOfCost(t *testing.T) {
	jobs, _ := pretend(t, plans(t, "standard")[0], allGood)
	pairs := map[int][]trial.Spec{}
	for _, j := range jobs {
		if j.Spec.Arm == trial.Control && j.Block > 0 {
			pairs[j.Block] = append(pairs[j.Block], j.Spec)
		}
	}
	for b, pair := range pairs {
		if len(pair) != 2 || pair[0].Label == pair[1].Label || pair[0].Hash() != pair[1].Hash() {
			t.Errorf("block %d: %v is no A/A pair", b, pair)
		}
	}
	if want := plans(t, "standard")[0].Experiment.Blocks; len(pairs) != want {
		t.Errorf("A/A pairs in %d blocks, want %d", len(pairs), want)
	}
}

func TestPhasesAreShuffledButSetUpFirst(t *testing.T) {
	p := plans(t, "standard")[0]
	jobs, _ := pretend(t, p, allGood)
	orders := map[string]bool{}
	for _, j := range jobs {
		if j.Block == 0 {
			continue
		}
		phases := p.Phases(j)
		if !phases[0].Warmup || len(phases) != len(j.Spec.Load.Phases) {
			t.Fatalf("%v does not begin with its warm-up", phases)
		}
		var names []string
		for _, ph := range phases {
			names = append(names, ph.Name)
		}
		orders[strings.Join(names, " ")] = true
		slices.Sort(names)
		if want := []string{"load=30%", "load=60%", "load=85%", "load=common", "warm-up"}; !slices.Equal(names, want) {
			t.Fatalf("phases %v, want %v", names, want)
		}
	}
	if len(orders) < 5 {
		t.Errorf("only %d orders of phases in the whole run", len(orders))
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
							_, hasPhase := tr.Phase(s.Phase)
							if tr.Block == 1 && s.Matches(tr.Spec) && (s.Phase == "" || hasPhase) {
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
	if err := p.Override(write("cost_blocks: 7\ncost_arms: [jwt/HS256, session/redis]\n")); err != nil || p.CostBlocks != 7 || len(p.CostArms) != 2 {
		t.Errorf("a good file: %v, %+v", err, p)
	}
	for text, want := range map[string][]string{
		"cost_blocks: 2\ncost_blokcs: 3\n": {"bench.yaml", "cost_blokcs", "[2:1]"},
		"cost_blocks: many\n":              {"bench.yaml", "[1:14]"},
		"cost_arms: [jwt/none]\n":          {"bench.yaml", "jwt/none", "jwt/EdDSA"},
		"cost_loads: [120]\n":              {"120", "95"},
		"revoke_lifetimes: [1500ms]\n":     {"1500ms", "whole number of seconds"},
		"scale_replica_cpu: 0.01\n":        {"scale_replica_cpu", "0.1"},
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
