package selftest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/experiment"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// world is a machine of paper on which a self-test is made.
type world struct {
	spread float64 // sd of the log ratio of one start
	bias   float64 // share by which the first of two identical systems seems dearer
	drift  float64 // likewise, in the second of two runs alone
	doubt  string  // spoils every start
}

const controlUS = 100.0

// trials makes those of a whole self-test.
func (w world) trials(t *testing.T, s experiment.SelfTest, seed uint64) (all []trial.Trial) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	for _, e := range s.Experiments() {
		var calibration []trial.Trial
		for _, spec := range e.Calibrate {
			calibration = append(calibration, w.trial(random, spec, 0))
		}
		specs, err := e.Trials(calibration)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, calibration...)
		for block := range e.Blocks {
			for _, spec := range specs {
				all = append(all, w.trial(random, spec, block+1))
			}
		}
	}
	return all
}

func (w world) trial(random *rand.Rand, spec trial.Spec, block int) trial.Trial {
	tr := analysistest.Trial(spec, block)
	common := math.Exp(0.1 * random.NormFloat64()) // noise that hits both
	for i := range tr.Steps {
		c := spec.Cells[tr.Steps[i].Cell]
		extra, _ := time.ParseDuration(c.System.Server[trial.SettingExtraWork])
		us := controlUS + float64(extra)/float64(time.Microsecond)
		if tr.Steps[i].Cell == 0 && block > 0 {
			us *= (1 + w.bias) * math.Exp(w.spread*random.NormFloat64())
			if spec.Experiment == experiment.RepeatAgain {
				us *= 1 + w.drift
			}
		}
		successes := tr.Steps[i].Streams[trial.Main].Outcomes[trial.Success]
		tr.Steps[i].Usage.CPU = map[trial.Tier]float64{trial.BalancerTier: 0, trial.ReplicaTier: us * common / 1e6 * float64(successes),
			trial.StoreTier: 0}
	}
	if w.doubt != "" {
		tr.Doubts = append(tr.Doubts, trial.Doubt{Step: experiment.SelfTestStep, Cause: w.doubt, Spoils: []trial.Aspect{trial.CPUTotal}})
	}
	return tr
}

// failing counts in how many of n self-tests of a world checks fail whose line
// holds a text, by that text.
func (w world) failing(t *testing.T, n int, texts ...string) map[string]int {
	t.Helper()
	failed, s := map[string]int{}, experiment.FullSelfTest()
	for seed := range uint64(n) {
		checks := judge(s, Parts(), w.trials(t, s, seed))
		for _, text := range texts {
			if slices.ContainsFunc(checks, func(c Check) bool {
				return (c.Outcome == Fail || c.Outcome == Undecided) && strings.Contains(c.Part+" "+c.Systems+" "+c.What, text)
			}) {
				failed[text]++
			}
		}
	}
	return failed
}

// An instrument without bias passes, and one whose ratio is biased, which is too
// noisy to find 10 %, or which says another thing the second time, does not.
func TestSelfTestsOfKnownWorlds(t *testing.T) {
	const n = 6
	all, differ, biased := "", "find a difference", "what they differ by"
	for _, c := range []struct {
		name  string
		world world
		fails []string // every time
		holds []string // but for one time
	}{
		{"sound", world{spread: 0.01}, nil, []string{all}},
		{"biased", world{spread: 0.01, bias: 0.02}, []string{differ, biased}, nil},
		{"noisy, and not biased", world{spread: 0.12}, []string{Sensitivity, "width"}, []string{"aa all of these"}},
		{"another ratio the second time", world{spread: 0.005, drift: 0.08}, []string{Repeat}, []string{Sensitivity, biased}},
		{"all in doubt", world{spread: 0.005, doubt: trial.StolenCPU}, []string{biased, differ, Sensitivity, Repeat}, nil},
	} {
		failed := c.world.failing(t, n, slices.Concat(c.fails, c.holds)...)
		for _, text := range c.fails {
			if failed[text] != n {
				t.Errorf("%s: %q fails in %d of %d self-tests, want all", c.name, text, failed[text], n)
			}
		}
		for _, text := range c.holds {
			if failed[text] > 1 {
				t.Errorf("%s: %q fails in %d of %d self-tests", c.name, text, failed[text], n)
			}
		}
	}
}

// Over many self-tests of identical systems the share of groups is what the
// interval promises, and it keeps within the bound.
func TestSizeIsThatOfTheInterval(t *testing.T) {
	const n, starts = 100, 16
	random := rand.New(rand.NewPCG(7, 7))
	mean, over := 0.0, 0
	for range n {
		logs := make([]float64, starts)
		for i := range logs {
			logs[i] = random.NormFloat64()
		}
		s := leavingOut(logs)
		mean += s.Value / n
		if s.Value > sizeBound(s.Groups) {
			over++
		}
	}
	if mean < 0.03 || mean > 0.07 || over > n/25 {
		t.Errorf("groups find a difference in %.3f, beyond the bound in %d of %d; want 0.05 and at most %d", mean, over, n, n/25)
	}
}

func TestSharesOfGroups(t *testing.T) {
	below, above := outside([]float64{0.10, 0.11, 0.10, 0.09, 0.10})
	if below.Value != 0 || above.Value != 1 || above.Groups != 1 {
		t.Errorf("starts that are all above 0: %+v below, %+v above", below, above)
	}
	// Of the five groups of four the one without the outlier finds a difference.
	if _, above := outside([]float64{0.10, 0.11, 0.10, 0.09, -5}); above.Value != 0.2 {
		t.Errorf("one outlier among five: %+v, want a fifth", above)
	}
	if _, above := outside([]float64{1, 1, 1}); above.Groups != 0 {
		t.Errorf("three starts make %d groups of four", above.Groups)
	}
	if s := together(Share{0.5, 2}, Share{0, 6}); s.Value != 0.125 || s.Groups != 8 {
		t.Errorf("half of 2 and none of 6: %+v", s)
	}
	// P(more than k of n at 5 %) is at most 1 %: by the binomial distribution.
	for groups, k := range map[int]float64{1: 1, 2: 1, 3: 1, 8: 2, 16: 3, 32: 5} {
		if got := sizeBound(groups); got != k/float64(groups) {
			t.Errorf("of %d groups at most %.3f, want %v of them", groups, got, k)
		}
	}
}

// Extra work is so many percent of what the control used under the same burner.
func TestExtraWorkFollowsTheCalibration(t *testing.T) {
	s := experiment.FullSelfTest()
	seen := map[string]string{}
	for _, tr := range (world{}).trials(t, s, 3) {
		c := tr.Spec.Cells[0]
		if work := c.System.Server[trial.SettingExtraWork]; work != "" {
			seen[tr.Spec.Experiment+" "+c.Cell.String()] = work
			if beside := tr.Spec.Cells[1]; beside.System.Server[trial.SettingExtraWork] != "" || beside.Label == "" {
				t.Errorf("the system beside it: %+v", beside)
			}
		}
		if err := tr.Spec.Check(); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != len(s.Extras)+len(s.Burners) {
		t.Errorf("extra work in %v", seen)
	}
	work := func(extra int) float64 {
		d, err := time.ParseDuration(seen["sensitivity "+loaded(0, extra)])
		if err != nil {
			t.Fatalf("%d %%: %v", extra, err)
		}
		return d.Seconds()
	}
	if r := work(20) / work(5); math.Abs(r-4) > 0.2 {
		t.Errorf("20 %% is %.2f times 5 %%", r)
	}
}

// The result is one table and one JSON; what could not be measured has one line
// and fails nothing.
func TestResult(t *testing.T) {
	s := experiment.QuickSelfTest()
	r := Result{Quick: true, Folder: "results/x"}
	r.Take(s, Parts(), world{spread: 0.004}.trials(t, s, 1))
	r.Add(Missing(Driver, "wrk is missing"), Held(Burner, "x", "y", math.NaN(), 1, "", false))
	if r.Passed {
		t.Error("what is no number has passed")
	}
	r.Checks = r.Checks[:len(r.Checks)-1]
	r.Add()
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !r.Passed {
		t.Fatalf("passed %v, %v:\n%s", r.Passed, err, text.String())
	}
	for _, want := range []string{"quick form", "none + 10 % beside none, burner of 30 %", "at least 90 %", "wrk is missing", "1 not measured",
		"results/x"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
	var js strings.Builder
	var back Result
	if err := r.WriteJSON(&js); err != nil || json.Unmarshal([]byte(js.String()), &back) != nil || len(back.Checks) != len(r.Checks) ||
		*back.Checks[0].Value.Low != *r.Checks[0].Value.Low {
		t.Errorf("JSON: %v\n%s", err, js.String())
	}
	for value, want := range map[float64]Outcome{1: Pass, 1.01: Undecided} {
		if c := Held(Driver, "x", "y", value, 1, "", true); c.Outcome != want {
			t.Errorf("%v of at most 1, with others about: %s, want %s", value, c.Outcome, want)
		}
	}
	doubted := Result{}
	doubted.Take(s, Parts(), world{spread: 0.004, doubt: trial.StolenCPU}.trials(t, s, 1))
	if said := doubted.summary(); doubted.Passed || !strings.Contains(said, "0 failed") || !strings.Contains(said, "undecided") ||
		!strings.Contains(said, fmt.Sprintf("0 of %d starts count. Try again", r.Starts)) {
		t.Errorf("all starts in doubt: passed %v, %s", doubted.Passed, said)
	}
	if c := doubted.Checks[len(doubted.Checks)-1]; !strings.Contains(c.Note, "beginning: 0 of 2 starts count (stolen CPU)") ||
		!strings.Contains(c.Note, "end: 0 of 2") {
		t.Errorf("the repeat says %q", c.Note)
	}
	var nothing Result
	if nothing.Add(Missing(Identical, "there is one CPU")); nothing.Passed {
		t.Error("nothing was measured, and it has passed")
	}
}

// A burner takes its share of the CPU time and no more, whatever else runs.
func TestBurnTakesItsShare(t *testing.T) {
	for _, level := range []int{0, 100} {
		if err := Burn(t.Context(), level); err == nil {
			t.Errorf("a burner of %d %% burns", level)
		}
	}
	cpus, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done, started, before := make(chan error), time.Now(), processCPU(t)
	go func() { done <- Burn(ctx, 20) }()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	used := time.Duration(0)
	for used < 300*time.Millisecond {
		<-look.C
		used = processCPU(t) - before
	}
	elapsed := time.Since(started)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	const ours = 100 * time.Millisecond // of the test itself, at most
	if most := time.Duration(0.2*float64(elapsed))*time.Duration(len(cpus)) + ours; used > most {
		t.Errorf("it took %v in %v on %d CPUs, want at most %v", used, elapsed, len(cpus), most)
	}
}

func processCPU(t *testing.T) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
