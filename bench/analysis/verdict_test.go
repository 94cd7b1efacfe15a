package analysis_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/report"
	"authbench/bench/trial"
)

const phase = "load=60%"

func sel(name trial.Arm) trial.Selector { return trial.Of(name, phase) }

// cpuTrials gives an arm one trial a block with that much CPU per request.
func cpuTrials(arm trial.Arm, us ...float64) (ts []trial.Trial) {
	for i, v := range us {
		ts = append(ts, at.Trial(at.Spec("cost", arm, phase), i+1, at.Throughput(phase, 1e6),
			at.CPU(phase, trial.BalancerTier, 0), at.CPU(phase, trial.ReplicaTier, v), at.CPU(phase, trial.StoreTier, 0)))
	}
	return ts
}

func lagTrials(arm trial.Arm, seconds ...float64) (ts []trial.Trial) {
	for i, v := range seconds {
		ts = append(ts, at.Trial(at.Spec("cost", arm, phase), i+1, at.JourneySamples("revocation_lag_seconds", v/2, v)))
	}
	return ts
}

func lostTrials(arm trial.Arm, lost ...float64) (ts []trial.Trial) {
	for i, v := range lost {
		ts = append(ts,
			at.Trial(at.Spec("cost", arm, phase), i+1, at.JourneyCounter("lost_sessions", v), at.JourneyCounter("authenticated_requests", 10_000)))
	}
	return ts
}

// rule asks two questions, of jwt/HS256 and of jwt/ES256.
func rule(c trial.Contrast, metric string, supports trial.Direction, margin float64) trial.Rule {
	r := trial.Rule{Claim: "C99", Experiment: "cost", Metric: metric, Contrast: c, Supports: supports, Margin: margin, MinBlocks: 3}
	for _, alg := range []string{"HS256", "ES256"} {
		r.Compare = append(r.Compare,
			trial.Comparison{Name: alg, A: sel(trial.Arm("jwt/" + alg)), B: sel("session/redis"), Factors: []string{"algorithm=" + alg, "load=60%"}})
	}
	return r
}

func evaluate(t *testing.T, r trial.Rule, trials ...[]trial.Trial) trial.Verdict {
	t.Helper()
	vs, err := analysis.Evaluate(trial.Run{Rules: []trial.Rule{r}}, slices.Concat(trials...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(vs); err != nil {
		t.Fatalf("a verdict that cannot be kept: %v", err)
	}
	if vs[0].RuleHash != r.Hash() || len(vs[0].Findings) != len(r.Compare) ||
		len(vs[0].For)+len(vs[0].Against)+len(vs[0].Unclear) != len(r.Compare) {
		t.Errorf("verdict %+v", vs[0])
	}
	return vs[0]
}

// words are what a report says of a verdict, without its hard spaces.
func words(v trial.Verdict) string {
	return strings.ReplaceAll(strings.Join(append([]string{report.Why(v)}, report.Warnings(v)...), "\n"), "\u00a0", " ")
}

func outcomes(v trial.Verdict) (ds []trial.Direction) {
	for _, f := range v.Findings {
		ds = append(ds, f.Outcome)
		if (f.Outcome == trial.Unclear) != (f.Reason != nil) {
			panic(fmt.Sprintf("an unclear finding says why, and only that: %s: %v", f.Comparison.Name, f.Reason))
		}
	}
	return ds
}

// Every contrast can come out in every way.
func TestEveryWayARuleCanComeOut(t *testing.T) {
	cpu := func(hs, es []float64) [][]trial.Trial {
		return [][]trial.Trial{cpuTrials("jwt/HS256", hs...), cpuTrials("jwt/ES256", es...), cpuTrials("session/redis", 100, 104, 102, 98)}
	}
	lag := func(hs, es []float64) [][]trial.Trial {
		return [][]trial.Trial{lagTrials("jwt/HS256", hs...), lagTrials("jwt/ES256", es...)}
	}
	lost := func(hs, es []float64) [][]trial.Trial {
		return [][]trial.Trial{lostTrials("jwt/HS256", hs...), lostTrials("jwt/ES256", es...)}
	}
	v := func(vs ...float64) []float64 { return vs }
	difference := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	ratio := rule(trial.Ratio, "cpu_us_per_request", trial.Less, 0.05)
	against := rule(trial.Against, "revocation_lag_max_seconds", trial.Same, 0.1)
	count := rule(trial.Count, "lost_session_share", trial.More, 0.01)

	for _, c := range []struct {
		name   string
		rule   trial.Rule
		trials [][]trial.Trial
		answer trial.Answer
		want   []trial.Direction
		why    string
	}{
		{"difference/supported", difference, cpu(v(60, 64.2, 62.1, 57.9), v(80, 84.1, 82.2, 78)), trial.Supported,
			[]trial.Direction{trial.Less, trial.Less}, "Holds in both comparisons, least clearly for ES256: −19.9 [−20.1, −19.8] µs"},
		{"difference/refuted, by more and by same", difference, cpu(v(160, 164.2, 162.1, 157.9), v(101, 105.1, 103.2, 99)), trial.Refuted,
			[]trial.Direction{trial.More, trial.Same}, "Does not hold in both"},
		{"difference/depends", difference, cpu(v(60, 64.2, 62.1, 57.9), v(180, 184.1, 182.2, 178)), trial.Depends,
			[]trial.Direction{trial.Less, trial.More}, "depends on algorithm: yes with HS256; no with ES256"},
		{"difference/inconclusive: one over the margin's edge", difference, cpu(v(60, 64.2, 62.1, 57.9), v(80, 99, 120, 85)), trial.Inconclusive,
			[]trial.Direction{trial.Less, trial.Unclear}, "Unclear in 1 of 2 comparisons (1 clearly for the claim), such as ES256"},
		{"difference/inconclusive: too few blocks", difference, cpu(v(60, 64), v(80, 84, 82, 78)), trial.Inconclusive,
			[]trial.Direction{trial.Unclear, trial.Less}, "2 of the 3 blocks needed: no good trial of jwt/HS256 (blocks 3, 4)"},

		{"ratio/supported", ratio, cpu(v(60, 62, 61, 59), v(80, 84.1, 82.2, 78)), trial.Supported,
			[]trial.Direction{trial.Less, trial.Less}, "× 0.803 [0.794, 0.812]"},
		{"ratio/refuted", ratio, cpu(v(200, 208.1, 204, 196), v(100.1, 104, 102.1, 98)), trial.Refuted,
			[]trial.Direction{trial.More, trial.Same}, "least clearly for ES256: × 1 [1, 1]"},
		{"ratio/depends", ratio, cpu(v(200, 208.1, 204, 196), v(50, 52.1, 51, 49)), trial.Depends,
			[]trial.Direction{trial.More, trial.Less}, "depends on algorithm: yes with ES256; no with HS256"},
		{"ratio/inconclusive", ratio, cpu(v(20, 208, 104, 196), v(50, 52.1, 51, 49)), trial.Inconclusive,
			[]trial.Direction{trial.Unclear, trial.Less}, "reaches over the margin of 5 %"},

		{"against/supported", against, lag(v(0.01, 0.02, 0.015), v(0, 0, 0)), trial.Supported,
			[]trial.Direction{trial.Same, trial.Same}, "least clearly for HS256: 0.015 [0.00258, 0.0274] s"},
		{"against/refuted", against, lag(v(1.9, 1.95, 1.92), v(3.9, 3.95, 3.92)), trial.Refuted,
			[]trial.Direction{trial.More, trial.More}, "Does not hold"},
		{"against/depends", against, lag(v(1.9, 1.95, 1.92), v(0, 0.01, 0)), trial.Depends,
			[]trial.Direction{trial.More, trial.Same}, "yes with ES256; no with HS256"},
		{"against/inconclusive", against, lag(v(0, 0.3, 0.1), v(0, 0.01, 0)), trial.Inconclusive,
			[]trial.Direction{trial.Unclear, trial.Same}, "reaches over the margin of 0.1 s"},

		{"count/supported", count, lost(v(5000, 5010, 4990), v(7500, 7510, 7490)), trial.Supported,
			[]trial.Direction{trial.More, trial.More}, "least clearly for HS256: 50 % [49.4 %, 50.6 %] of 30,000"},
		{"count/refuted", count, lost(v(0, 0, 0), v(0, 1, 0)), trial.Refuted,
			[]trial.Direction{trial.Same, trial.Same}, "least clearly for ES256: 0.00333 % ["},
		{"count/depends", count, lost(v(0, 0, 0), v(7500, 7510, 7490)), trial.Depends,
			[]trial.Direction{trial.Same, trial.More}, "yes with ES256; no with HS256"},
		{"count/inconclusive", count, lost(v(100, 105, 98), v(7500, 7510, 7490)), trial.Inconclusive,
			[]trial.Direction{trial.Unclear, trial.More}, "reaches over the margin of 1 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := evaluate(t, c.rule, c.trials...)
			if got.Answer != c.answer || !slices.Equal(outcomes(got), c.want) {
				t.Errorf("%s %v, want %s %v\n%s\n%+v", got.Answer, outcomes(got), c.answer, c.want, words(got), got.Findings)
			}
			if why := words(got); !strings.Contains(why, c.why) {
				t.Errorf("why: %s\nwant in it: %s", why, c.why)
			}
		})
	}
}

func TestALesserCountThanTheReference(t *testing.T) {
	r := rule(trial.Count, "lost_session_share", trial.Less, 0.01)
	for i := range r.Compare {
		r.Compare[i].Reference = 0.5
	}
	v := evaluate(t, r, lostTrials("jwt/HS256", 3000, 3010, 2990), lostTrials("jwt/ES256", 4900, 4940, 4930))
	if want := []trial.Direction{trial.Less, trial.Unclear}; !slices.Equal(outcomes(v), want) {
		t.Errorf("%v, want %v", outcomes(v), want)
	}
	if why := words(v); !strings.Contains(why, "the margin of 1 % around 50 %") {
		t.Error(why)
	}
}

// A margin of 50 % is a factor of 1.5 up or down.
func TestARatiosMarginIsAFactor(t *testing.T) {
	r := rule(trial.Ratio, "cpu_us_per_request", trial.More, 0.5)
	v := evaluate(t, r, cpuTrials("jwt/HS256", 145, 145.1, 145.2), cpuTrials("jwt/ES256", 155, 155.1, 155.2),
		cpuTrials("session/redis", 100, 100, 100))
	if want := []trial.Direction{trial.Same, trial.More}; !slices.Equal(outcomes(v), want) {
		t.Errorf("1.45 and 1.55 times: %v, want %v", outcomes(v), want)
	}
}

// Two one-sided tests at 5 % would pass an interval of which 90 % lie within;
// what is shown is 95 %, and all of that must.
func TestSameMeansTheWholeInterval(t *testing.T) {
	r := rule(trial.Difference, "cpu_us_per_request", trial.Same, 5)
	r.Compare = r.Compare[:1]
	f := evaluate(t, r, cpuTrials("jwt/HS256", 97, 97, 103, 103), cpuTrials("session/redis", 100, 100, 100, 100)).Findings[0]
	if f.P >= 0.05 || f.Interval.High <= 5 {
		t.Fatalf("the case does not show it: %+v", f)
	}
	if f.Outcome != trial.Unclear || f.Reason.Cause != trial.AcrossEdge {
		t.Errorf("%s, %v", f.Outcome, f.Reason)
	}
}

// One clear comparison stays clear; as one of many that are not it does not.
func TestHolmCountsTheWholeRule(t *testing.T) {
	r := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	one := cpuTrials("jwt/HS256", 88, 89, 86, 89.5) // differences -12 +- 1.4: p (doubled) 0.003
	base := cpuTrials("session/redis", 100, 100, 100, 100)
	r.Compare = r.Compare[:1]
	alone := evaluate(t, r, one, base).Findings[0]
	if alone.Outcome != trial.Less {
		t.Fatalf("%+v", alone)
	}
	for range 19 {
		r.Compare = append(r.Compare, trial.Comparison{Name: "never measured", A: sel("jwt/EdDSA"), B: sel("session/redis")})
	}
	among := evaluate(t, r, one, base).Findings[0]
	if among.Outcome != trial.Unclear || math.Abs(among.P-20*alone.P) > 1e-12 {
		t.Errorf("p %v alone, %v (%s) among twenty", alone.P, among.P, among.Outcome)
	}
	if among.Reason.Cause != trial.ByChance || among.Reason.Alone != trial.Less || among.Interval != alone.Interval {
		t.Errorf("%v: the interval is shown without the correction", among.Reason)
	}
}

func TestNothingBelowTheNoiseFloorCounts(t *testing.T) {
	second := cpuTrials("none", 53, 46, 54, 50) // A/A differences 3, 4, 4, 0... against 50: rms 3.2
	for i := range second {
		second[i].Spec = at.Labelled(second[i].Spec, "b")
		second[i].Key = second[i].Spec.Key(second[i].Block, 1)
	}
	aa := slices.Concat(cpuTrials("none", 50, 50, 50, 50), second)
	floor, ok := analysis.NoiseFloor(analysis.Blocks(aa, "cost"), "cpu_us_per_request", phase, trial.Difference)
	if want := math.Sqrt((9 + 16 + 16 + 0) / 4.0); !ok || math.Abs(floor-want) > 1e-9 {
		t.Fatalf("floor %v, %v, want %v", floor, ok, want)
	}
	auth, _ := analysis.NoiseFloor(analysis.Blocks(aa, "cost"), "auth_cpu_us", phase, trial.Difference)
	if math.Abs(auth-floor) > 1e-9 {
		t.Errorf("the control cancels out, so the floor over it is the same: %v, %v", auth, floor)
	}
	ratio, _ := analysis.NoiseFloor(analysis.Blocks(aa, "cost"), "cpu_us_per_request", phase, trial.Ratio)
	if ratio < 0.06 || ratio > 0.07 { // rms of the logarithms of 1.06, 0.92, 1.08, 1
		t.Errorf("as a share: %v", ratio)
	}
	if _, ok := analysis.NoiseFloor(analysis.Blocks(cpuTrials("none", 50), "cost"), "cpu_us_per_request", phase, trial.Difference); ok {
		t.Error("a floor without an A/A pair")
	}

	r := rule(trial.Difference, "cpu_us_per_request", trial.Less, 1)
	v := evaluate(t, r, aa, cpuTrials("jwt/HS256", 98, 97.9, 98.1, 98), cpuTrials("jwt/ES256", 60, 60.1, 60.2, 60),
		cpuTrials("session/redis", 100, 100, 100, 100))
	if want := []trial.Direction{trial.Unclear, trial.Less}; !slices.Equal(outcomes(v), want) || v.Findings[0].Margin != floor {
		t.Errorf("%v with margin %v, want %v with %v: 2 us are below the floor", outcomes(v), v.Findings[0].Margin, want, floor)
	}
	why := words(v)
	if !strings.Contains(why,
		"differ by 3.2 µs in cpu_us_per_request at load=60%, more than the margin of 1 µs: no effect below that noise floor counts") ||
		!strings.Contains(why, "below the noise floor of 3.2 µs") {
		t.Error(why)
	}
	r.Margin = 4
	if v := evaluate(t, r, aa); v.Findings[0].Margin != 4 || len(v.Floors) != 0 {
		t.Errorf("a margin above the floor stays: %+v", v)
	}
}

func TestOverdispersedCountsAreDoubted(t *testing.T) {
	r := rule(trial.Count, "lost_session_share", trial.More, 0.01)
	v := evaluate(t, r, lostTrials("jwt/HS256", 4000, 6000, 5000), lostTrials("jwt/ES256", 5000, 5005, 4995))
	if why := words(v); v.Findings[1].Dispersion != 0 || !strings.Contains(why, "HS256: the share varies") {
		t.Error(why)
	}
}

func TestWhatIsMissingIsSaidAndNeverACrash(t *testing.T) {
	r := rule(trial.Difference, "auth_cpu_us", trial.Less, 5)
	v := evaluate(t, r)
	if v.Answer != trial.Inconclusive || !strings.Contains(words(v), "No good trial of the experiment cost") {
		t.Errorf("nothing measured: %s, %s", v.Answer, words(v))
	}
	v = evaluate(t, r, cpuTrials("jwt/HS256", 60, 61, 62), cpuTrials("session/redis", 100, 101, 102))
	if v.Answer != trial.Inconclusive || !strings.Contains(words(v), "control: no good trial of none") {
		t.Errorf("no control: %+v", v)
	}
	r.Compare = nil
	if v := evaluate(t, r); v.Answer != trial.Inconclusive || !strings.Contains(words(v), "nothing to compare") {
		t.Errorf("an empty rule: %+v", v)
	}
	bad := cpuTrials("jwt/HS256", 1, 1)
	bad[0].Doubt(trial.Doubt{Cause: "stolen CPU", Spoils: []trial.Aspect{trial.CPUTotal}, Text: "a third was stolen"})
	bad[1].Status = trial.Aborted
	good := cpuTrials("session/redis", 100)
	good[0].Warn("the fan was loud")
	v = evaluate(t, rule(trial.Difference, "cpu_us_per_request", trial.Less, 5), bad, good)
	want := []string{"1 trial of cost did not come to an end",
		"2 trials behind this carry warnings, which the report's list of warnings holds",
		"1 of 2 measurements were left out (1 for stolen CPU); with doubts ignored the answer is the same"}
	if d := cmp.Diff(want, report.Warnings(v)); d != "" {
		t.Error(d)
	}
	r = rule(trial.Ratio, "cpu_us_per_request", trial.Less, 0.05)
	v = evaluate(t, r, cpuTrials("jwt/HS256", 0, 0, 0), cpuTrials("session/redis", 1, 1, 1))
	if v.Answer != trial.Inconclusive || !strings.Contains(words(v), "no ratio can be made of 0 and 1") {
		t.Errorf("a ratio of nothing: %+v", v)
	}
}

func TestARuleThatCannotBeReadIsAnError(t *testing.T) {
	good := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	for want, change := range map[string]func(*trial.Rule){
		"unknown metric \"speed\": want one of cpu_us_per_request": func(r *trial.Rule) { r.Metric = "speed" },
		"unknown contrast":        func(r *trial.Rule) { r.Contrast = "versus" },
		"cannot support a claim":  func(r *trial.Rule) { r.Supports = trial.Unclear },
		"is no number of events":  func(r *trial.Rule) { r.Contrast = trial.Count },
		"it must not be negative": func(r *trial.Rule) { r.Margin = -1 },
	} {
		r := good
		change(&r)
		vs, err := analysis.Evaluate(trial.Run{Rules: []trial.Rule{r, good}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "C99") || len(vs) != 1 {
			t.Errorf("%d verdicts, %v; want %q, and the good rule's verdict", len(vs), err, want)
		}
	}
}

func TestDependsOnTwoFactorsTogether(t *testing.T) {
	r := rule(trial.Against, "revocation_lag_max_seconds", trial.Same, 0.1)
	r.Compare = nil
	var trials []trial.Trial
	for _, c := range []struct {
		arm  trial.Arm
		lag  float64
		kind []string
	}{
		{"jwt/HS256", 0, []string{"algorithm=HS256", "store=redis"}}, {"jwt/RS256", 3, []string{"algorithm=HS256", "store=memory"}},
		{"jwt/ES256", 3, []string{"algorithm=ES256", "store=redis"}}, {"jwt/EdDSA", 3, []string{"algorithm=ES256", "store=memory"}},
	} {
		r.Compare = append(r.Compare, trial.Comparison{Name: string(c.arm), A: sel(c.arm), Factors: c.kind})
		trials = append(trials, lagTrials(c.arm, c.lag, c.lag, c.lag)...)
	}
	want := "depends on algorithm and store: yes with HS256 (redis); no with HS256 (memory), ES256 (redis, memory)"
	if v := evaluate(t, r, trials); !strings.Contains(words(v), want) {
		t.Errorf("%s\nwant in it: %s", words(v), want)
	}
	for i := range r.Compare {
		r.Compare[i].Factors = nil
	}
	want = "more than two factors: yes for jwt/HS256; no for jwt/RS256, jwt/ES256, jwt/EdDSA"
	if v := evaluate(t, r, trials); !strings.Contains(words(v), want) {
		t.Error(words(v))
	}
}

// mirrored is what an outcome becomes when both sides change places.
func mirrored(d trial.Direction) trial.Direction {
	return map[trial.Direction]trial.Direction{trial.More: trial.Less, trial.Less: trial.More, trial.Same: trial.Same,
		trial.Unclear: trial.Unclear}[d]
}

func TestSymmetries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[trial.Direction]int{}
	for range 300 {
		n := 3 + random.IntN(4)
		x, y, scaled, shifted, base := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		gap, noise := 100+random.NormFloat64()*12, random.Float64()*3
		for i := range n {
			x[i], y[i] = gap+noise*random.NormFloat64(), 100+noise*random.NormFloat64()
		}
		for _, c := range []trial.Contrast{trial.Difference, trial.Ratio} {
			margin := map[trial.Contrast]float64{trial.Difference: 5, trial.Ratio: 0.05}[c]
			r := rule(c, "cpu_us_per_request", trial.More, margin)
			r.Compare = r.Compare[:1]
			f := evaluate(t, r, cpuTrials("jwt/HS256", x...), cpuTrials("session/redis", y...)).Findings[0]
			swapped := evaluate(t, r, cpuTrials("jwt/HS256", y...), cpuTrials("session/redis", x...)).Findings[0]
			if swapped.Outcome != mirrored(f.Outcome) || math.Abs(swapped.P-f.P) > 1e-6 {
				t.Fatalf("%s: %s (p %v), and %s (p %v) with the sides swapped", c, f.Outcome, f.P, swapped.Outcome, swapped.P)
			}
			for i := range n {
				if scaled[i], base[i] = x[i]*7, y[i]*7; c == trial.Difference {
					shifted[i], base[i] = x[i]+40, y[i]+40
					scaled[i] = shifted[i]
				}
			}
			moved := evaluate(t, r, cpuTrials("jwt/HS256", scaled...), cpuTrials("session/redis", base...)).Findings[0]
			if moved.Outcome != f.Outcome || math.Abs(moved.Interval.Estimate-f.Interval.Estimate) > 1e-6 || math.Abs(moved.P-f.P) > 1e-6 {
				t.Fatalf("%s: %+v, and %+v with both sides scaled or shifted", c, f, moved)
			}
			seen[f.Outcome]++
		}
	}
	for _, d := range []trial.Direction{trial.More, trial.Less, trial.Same, trial.Unclear} {
		if seen[d] == 0 {
			t.Errorf("no case came out %s: %v", d, seen)
		}
	}
}

func TestTheOrderOfTrialsDoesNotMatter(t *testing.T) {
	run, trials := at.Run()
	first, err := analysis.Evaluate(run, trials)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 3 {
		random.Shuffle(len(trials), func(i, j int) { trials[i], trials[j] = trials[j], trials[i] })
		again, err := analysis.Evaluate(run, trials)
		if d := cmp.Diff(first, again); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
	}
}

// The fixture run shows every claim of the experiments as its figures were made.
func TestFixtureRun(t *testing.T) {
	run, trials := at.Run()
	vs, err := analysis.Evaluate(run, trials)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]trial.Answer{}
	for _, v := range vs {
		got[v.Rule.Claim] = v.Answer
	}
	want := map[string]trial.Answer{"C01": trial.Depends, "C02": trial.Supported, "C16": trial.Supported, "C18": trial.Supported,
		"C03": trial.Depends, "C05": trial.Depends, "C06": trial.Depends, "C10": trial.Supported, "C11": trial.Supported, "C23": trial.Depends}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The clearest of several findings is the one whose interval's nearer end lies
// farthest beyond its bound, not the one with the largest estimate.
func TestTheClearestFindingIsTheOneFarthestBeyondItsBound(t *testing.T) {
	r := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	v := evaluate(t, r, cpuTrials("jwt/HS256", 40, 60, 20), cpuTrials("jwt/ES256", 60, 61, 59), cpuTrials("session/redis", 100, 100, 100))
	if want := []int{1, 0}; !slices.Equal(v.For, want) {
		t.Errorf("for the claim, the clearest first: %v, want %v: -60 +- 50 is less clear than -40 +- 2.5\n%+v", v.For, want, v.Findings)
	}
}
