package analysis_test

import (
	"encoding/json"
	"fmt"
	"maps"
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
			at.Trial(at.Spec("cost", arm, phase), i+1, at.Lost(10_000, 10_000, v)))
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
		{"difference/not decided: one over the margin's edge", difference, cpu(v(60, 64.2, 62.1, 57.9), v(80, 99, 120, 85)), trial.NotDecided,
			[]trial.Direction{trial.Less, trial.Unclear}, "Unclear in 1 of 2 comparisons (1 clearly for the claim), such as ES256"},
		{"difference/not decided: too few blocks", difference, cpu(v(60, 64), v(80, 84, 82, 78)), trial.NotDecided,
			[]trial.Direction{trial.Unclear, trial.Less}, "2 of the 3 blocks needed: no good trial of jwt/HS256 (blocks 3, 4)"},

		{"ratio/supported", ratio, cpu(v(60, 62, 61, 59), v(80, 84.1, 82.2, 78)), trial.Supported,
			[]trial.Direction{trial.Less, trial.Less}, "× 0.803 [0.794, 0.812]"},
		{"ratio/refuted", ratio, cpu(v(200, 208.1, 204, 196), v(100.1, 104, 102.1, 98)), trial.Refuted,
			[]trial.Direction{trial.More, trial.Same}, "least clearly for ES256: × 1 [1, 1]"},
		{"ratio/depends", ratio, cpu(v(200, 208.1, 204, 196), v(50, 52.1, 51, 49)), trial.Depends,
			[]trial.Direction{trial.More, trial.Less}, "depends on algorithm: yes with ES256; no with HS256"},
		{"ratio/not decided", ratio, cpu(v(20, 208, 104, 196), v(50, 52.1, 51, 49)), trial.NotDecided,
			[]trial.Direction{trial.Unclear, trial.Less}, "reaches over the margin of 5 %"},

		{"difference/refuted, by not being less", difference, cpu(v(105, 101, 109, 103), v(101, 105.1, 103.2, 99)), trial.Refuted,
			[]trial.Direction{trial.NotLess, trial.Same}, "least clearly for HS256: +3.5 [−3.56, 10.6] µs"},
		{"against/supported", against, lag(v(0.01, 0.02, 0.015), v(0, 0, 0)), trial.Supported,
			[]trial.Direction{trial.Same, trial.Same}, "least clearly for HS256: 0.015 [0.00258, 0.0274] s"},
		{"against/refuted", against, lag(v(1.9, 1.95, 1.92), v(3.9, 3.95, 3.92)), trial.Refuted,
			[]trial.Direction{trial.More, trial.More}, "Does not hold"},
		{"against/depends", against, lag(v(1.9, 1.95, 1.92), v(0, 0.01, 0)), trial.Depends,
			[]trial.Direction{trial.More, trial.Same}, "yes with ES256; no with HS256"},
		{"against/not decided", against, lag(v(0, 0.3, 0.1), v(0, 0.01, 0)), trial.NotDecided,
			[]trial.Direction{trial.Unclear, trial.Same}, "reaches over the margin of 0.1 s"},

		{"count/supported", count, lost(v(5000, 5010, 4990), v(7500, 7510, 7490)), trial.Supported,
			[]trial.Direction{trial.More, trial.More}, "least clearly for HS256: 50 % [49.4 %, 50.6 %] of 30,000"},
		{"count/refuted", count, lost(v(0, 0, 0), v(0, 1, 0)), trial.Refuted,
			[]trial.Direction{trial.Same, trial.Same}, "least clearly for ES256: 0.00333 % ["},
		{"count/depends", count, lost(v(0, 0, 0), v(7500, 7510, 7490)), trial.Depends,
			[]trial.Direction{trial.Same, trial.More}, "yes with ES256; no with HS256"},
		{"count/not decided", count, lost(v(100, 105, 98), v(7500, 7510, 7490)), trial.NotDecided,
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

// That all agree needs no correction, however many they are; that some hold and
// some do not needs Holm's.
func TestAllAreHeldToFivePercentAndMixedOnesToHolm(t *testing.T) {
	r := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	hs := cpuTrials("jwt/HS256", 92, 94, 90.5, 92.5) // differences -7.75 +- 2.3: p (doubled) 0.03 beyond 5
	base := cpuTrials("session/redis", 100, 100, 100, 100)
	r.Compare = slices.Repeat(r.Compare[:1], 20)
	v := evaluate(t, r, hs, base)
	alone := v.Findings[0]
	if v.Answer != trial.Supported || alone.P < 0.01 || alone.P > 0.05 {
		t.Fatalf("%s, p %v: want 20 that are each held to 5 %%", v.Answer, alone.P)
	}
	r.Compare[19] = trial.Comparison{Name: "dear", A: sel("jwt/ES256"), B: sel("session/redis"), Factors: []string{"algorithm=ES256"}}
	v = evaluate(t, r, hs, cpuTrials("jwt/ES256", 180, 181, 179, 180), base)
	among := v.Findings[0]
	if among.Outcome != trial.Unclear || math.Abs(among.P-19*alone.P) > 1e-9 || v.Findings[19].Outcome != trial.More {
		t.Errorf("p %v alone, %v (%s) beside one that is otherwise", alone.P, among.P, among.Outcome)
	}
	if among.Reason.Cause != trial.ByChance || among.Reason.Alone != trial.Less || among.Reason.More == 0 || among.Interval != alone.Interval {
		t.Errorf("%+v: the interval is shown without the correction", among.Reason)
	}
	if v.Answer != trial.NotDecided || !strings.Contains(words(v), "by itself it lies beyond the margin of 5 µs, but one of 20 comparisons") {
		t.Errorf("%s: %s", v.Answer, words(v))
	}
}

// halves are an A/A pair: the control under two labels.
func halves(step float64, seconds ...float64) []trial.Trial {
	second := cpuTrials("none", seconds...)
	for i := range second {
		second[i].Spec = at.Labelled(second[i].Spec, "b")
		second[i].Key = second[i].Spec.Key(second[i].Block, 1)
	}
	return slices.Concat(cpuTrials("none", slices.Repeat([]float64{step}, len(seconds))...), second)
}

// What two identical cells differ by judges the instrument, and is no margin.
func TestTheInstrumentIsChecked(t *testing.T) {
	r := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	arms := [][]trial.Trial{cpuTrials("jwt/HS256", 80, 80.1, 79.9, 80), cpuTrials("jwt/ES256", 60, 60.1, 60.2, 60),
		cpuTrials("session/redis", 100, 100, 100, 100)}
	for _, c := range []struct {
		name             string
		second           []float64 // beside 50
		unproven, biased bool
		answer           trial.Answer
		says             string
	}{
		{"alike", []float64{50, 51, 49, 50}, false, false, trial.Supported, ""},
		{"too coarse", []float64{53, 40, 58, 50}, true, false, trial.Supported,
			"the instrument is unproven: two identical cells differ in cpu_us_per_request by −0.25 [−12.3, 11.8] µs at load=60%, which does " +
				"not show that they are alike to 5 µs"},
		{"biased", []float64{40, 41, 39, 40}, true, true, trial.NotDecided,
			"THE INSTRUMENT FAILED: two identical cells differ in cpu_us_per_request by "},
	} {
		v := evaluate(t, r, append(arms, halves(50, c.second...))...)
		if len(v.Instrument) != 1 || v.Instrument[0].Unproven != c.unproven || v.Instrument[0].Biased != c.biased || v.Answer != c.answer {
			t.Errorf("%s: %s, %+v", c.name, v.Answer, v.Instrument)
		}
		if got := words(v); !strings.Contains(got, c.says) || (c.says == "") != !strings.Contains(strings.ToLower(got), "the instrument") {
			t.Errorf("%s: %s", c.name, got)
		}
		if c.biased && (v.Remedy == nil || v.Remedy.Blocks != 0 ||
			!strings.Contains(words(v), "No number of blocks would decide it with this instrument")) {
			t.Errorf("%s: %s", c.name, words(v))
		}
	}
	if v := evaluate(t, r, arms...); len(v.Instrument) != 0 {
		t.Errorf("a check without a pair: %+v", v.Instrument)
	}
	iv, ok := analysis.Identical(analysis.Blocks(halves(50, 53, 46, 54, 50), "cost"), "cpu_us_per_request", phase, trial.Ratio)
	if !ok || math.Abs(iv.Estimate-(math.Exp((math.Log(50/53.)+math.Log(50/46.)+math.Log(50/54.))/4)-1)) > 1e-9 || iv.N != 4 {
		t.Errorf("as a share: %+v, %v", iv, ok)
	}
	// over the control, of which one half is itself
	iv, ok = analysis.Identical(analysis.Blocks(halves(50, 53, 46, 54, 50), "cost"), "auth_cpu_us", phase, trial.Difference)
	if !ok || math.Abs(iv.Estimate+0.75) > 1e-9 || iv.N != 4 {
		t.Errorf("over the control: %+v, %v; want -0.75", iv, ok)
	}
}

// A duet of the control with itself is a pair, in figures over the control.
func TestAPairMayBeADuet(t *testing.T) {
	var trials []trial.Trial
	for i, us := range []float64{100, 101, 99} {
		s := at.Spec("cost", "none", phase)
		s.Cells = append(s.Cells, at.Labelled(s, "control").Cells[0])
		cpu := func(us float64) []at.Option {
			return []at.Option{at.CPU(phase, trial.BalancerTier, 0), at.CPU(phase, trial.ReplicaTier, us), at.CPU(phase, trial.StoreTier, 0)}
		}
		trials = append(trials, at.Trial(s, i+1, append(cpu(us), at.Beside(cpu(100)...))...))
	}
	iv, ok := analysis.Identical(analysis.Blocks(trials, "cost"), "auth_cpu_us", phase, trial.Difference)
	if !ok || math.Abs(iv.Estimate) > 1e-9 || iv.N != 3 || math.Abs(iv.High-4.302653/math.Sqrt(3)) > 0.05 {
		t.Errorf("%+v, %v; want 0 +- 2.48", iv, ok)
	}
}

// A lag whose script stopped watching is a lower bound: it can be too long, but
// never short enough.
func TestACensoredLagIsALowerBound(t *testing.T) {
	r := rule(trial.Against, "revocation_lag_max_seconds", trial.Same, 0.1)
	r.Compare = r.Compare[:1]
	alive := func(n float64, lags ...float64) []trial.Trial {
		ts := lagTrials("jwt/HS256", lags...)
		for i := range ts {
			at.JourneyCounter("still_alive_users", n)(&ts[i])
		}
		return ts
	}
	if v := evaluate(t, r, alive(1, 0.01, 0.02, 0.015)); v.Answer != trial.NotDecided || v.Findings[0].Reason.Cause != trial.Censored ||
		!strings.Contains(words(v), "wants a longer watch") {
		t.Errorf("short, and still alive: %s, %s", v.Answer, words(v))
	}
	if v := evaluate(t, r, alive(1, 1.9, 1.95, 1.92)); v.Answer != trial.Refuted {
		t.Errorf("long, and still alive: %s, %s", v.Answer, words(v))
	}
	r.Supports = trial.More // short, of a claim of more: what was seen lies below, and what was not may not
	if v := evaluate(t, r, alive(1, 0, 0.15, 0.1)); v.Answer != trial.NotDecided || v.Findings[0].Outcome != trial.Unclear {
		t.Errorf("near the edge, and still alive: %s, %+v", v.Answer, v.Findings[0])
	}
	r.Supports = trial.Same
	r.Metric = "revocation_lag_median_seconds"
	several := alive(1, 0, 0, 0)
	for i := range several {
		several[i].Steps[0].Journey.Samples["revocation_lag_seconds"] = []float64{0, 0, 9}
	}
	if v := evaluate(t, r, several); v.Answer != trial.Supported {
		t.Errorf("one of three, which the median does not mind: %s, %s", v.Answer, words(v))
	}
}

// A user who loses a session loses it in every request: users are the sample.
func TestLostSessionsAreCountedByUser(t *testing.T) {
	r := rule(trial.Count, "lost_session_share", trial.More, 0.01)
	r.Compare, r.MinBlocks = r.Compare[:1], 1
	of := func(users, requests float64) []trial.Trial {
		return []trial.Trial{at.Trial(at.Spec("cost", "jwt/HS256", phase), 1, at.Lost(users, requests, 0))}
	}
	few := evaluate(t, r, of(24, 3000))
	if few.Answer != trial.NotDecided || few.Findings[0].Interval.N != 24 || few.Remedy.Blocks != 12 || few.Remedy.Seconds != 24 ||
		!strings.Contains(words(few), "About 12 more blocks (24 seconds) would decide it") {
		t.Errorf("24 users: %s, %+v\n%s", few.Answer, few.Findings[0], words(few))
	}
	if many := evaluate(t, r, of(1500, 3000)); many.Answer != trial.Refuted || many.Findings[0].Interval.N != 1500 {
		t.Errorf("1,500 users: %s, %+v", many.Answer, many.Findings[0])
	}
}

// A rule with groups has an answer for each.
func TestGroupsAreAnsweredEach(t *testing.T) {
	r := rule(trial.Count, "lost_session_share", trial.More, 0.01)
	r.Groups = []trial.Group{{Name: "the first", Supports: trial.Same, Margin: 0.02}, {Name: "the others"}}
	r.Compare[0].Group, r.Compare[0].Reference, r.Compare[1].Group = "the first", 0.5, "the others"
	lost := func(hs, es float64) [][]trial.Trial {
		return [][]trial.Trial{lostTrials("jwt/HS256", hs, hs, hs), lostTrials("jwt/ES256", es, es, es)}
	}
	for _, c := range []struct {
		name   string
		trials [][]trial.Trial
		want   []trial.Answer // the whole, the first, the others
		says   string
	}{
		{"both hold", lost(5000, 5000), []trial.Answer{trial.Supported, trial.Supported, trial.Supported},
			"Supported for the first: holds in the one"},
		{"they differ", lost(5000, 0), []trial.Answer{trial.Partly, trial.Supported, trial.Refuted},
			"Supported for the first: holds in the one comparison. Refuted for the others: does not hold in the one comparison."},
		{"a share of the first's own", lost(9000, 0), []trial.Answer{trial.Refuted, trial.Refuted, trial.Refuted}, "Refuted for the first"},
		{"one is open", lost(5200, 0), []trial.Answer{trial.Partly, trial.NotDecided, trial.Refuted},
			"Not decided for the first: unclear in the one comparison, HS256: the interval reaches over the margin of 2 % around 50 %."},
		{"both are open", lost(5200, 100), []trial.Answer{trial.NotDecided, trial.NotDecided, trial.NotDecided}, "No number of blocks"},
		{"one was not measured", lost(5000, 0)[:1], []trial.Answer{trial.Partly, trial.Supported, trial.NotMeasured},
			"Not measured for the others: no figure counts, such as of ES256: 0 of the 3 blocks"},
	} {
		v := evaluate(t, r, c.trials...)
		got := []trial.Answer{v.Answer, v.Parts[0].Answer, v.Parts[1].Answer}
		if !slices.Equal(got, c.want) || !strings.Contains(words(v), c.says) {
			t.Errorf("%s: %v, want %v\n%s", c.name, got, c.want, words(v))
		}
	}
	if v := evaluate(t, r); v.Answer != trial.NotMeasured {
		t.Errorf("nothing: %s", v.Answer)
	}
}

// A claim depends on a factor only if that parts what is decided, and nothing
// unclear lies on either side; at most a fifth may be unclear.
func TestWhatCountsAsDepending(t *testing.T) {
	const yes, no, open = 0, 3, 0.1 // seconds of lag
	for _, c := range []struct {
		name   string
		lags   map[string]float64 // by "algorithm store"
		answer trial.Answer
		says   string
	}{
		{"a factor parts them", map[string]float64{"HS256 redis": yes, "HS256 memory": yes, "ES256 redis": no, "ES256 memory": no},
			trial.Depends, "depends on algorithm: yes with HS256; no with ES256"},
		{"two factors part them", map[string]float64{"HS256 redis": yes, "HS256 memory": no, "ES256 redis": no, "ES256 memory": no},
			trial.Depends, "depends on algorithm and store: yes with HS256 (redis); no with"},
		{"an unclear level of its own", map[string]float64{"HS256 redis": yes, "HS256 memory": yes, "ES256 redis": no, "ES256 memory": no,
			"RS256 redis": open},
			trial.Depends, "Holds in 2 of 5 comparisons and does not in 2 (1 unclear); depends on algorithm"},
		{"an unclear one on a side", map[string]float64{"HS256 redis": yes, "HS256 memory": yes, "ES256 redis": no, "ES256 memory": no,
			"HS256 postgres": open}, trial.Partly, "Decided in 4 of 5 comparisons: holds for HS256 "},
		{"too many unclear", map[string]float64{"HS256 redis": yes, "ES256 memory": no, "RS256 redis": open}, trial.Partly,
			"Decided in 2 of 3 comparisons: holds for HS256 redis; does not for ES256 memory; unclear for RS256 redis: the interval reaches "},
	} {
		r := rule(trial.Against, "revocation_lag_max_seconds", trial.Same, 0.1)
		r.Compare = nil
		var trials []trial.Trial
		for _, cell := range slices.Sorted(maps.Keys(c.lags)) {
			algorithm, store, _ := strings.Cut(cell, " ")
			s := at.In("cost", trial.NewCell("arm", "jwt/"+algorithm, "store", store), phase)
			r.Compare = append(r.Compare, trial.Comparison{Name: cell, A: trial.Selector{Cell: s.Cells[0].Cell, Step: phase},
				Factors: []string{"algorithm=" + algorithm, "store=" + store}})
			for block := 1; block <= 4; block++ {
				spread := 0.001
				if c.lags[cell] == open {
					spread = 0.09
				}
				lag := c.lags[cell] + spread*float64(block%2)
				trials = append(trials, at.Trial(s, block, at.JourneySamples("revocation_lag_seconds", lag)))
			}
		}
		if v := evaluate(t, r, trials); v.Answer != c.answer || !strings.Contains(words(v), c.says) {
			t.Errorf("%s: %s, %s\nwant %s, with %q", c.name, v.Answer, words(v), c.answer, c.says)
		}
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
	if v.Answer != trial.NotMeasured || !strings.Contains(words(v), "No good trial of the experiment cost") {
		t.Errorf("nothing measured: %s, %s", v.Answer, words(v))
	}
	v = evaluate(t, r, cpuTrials("jwt/HS256", 60, 61, 62), cpuTrials("session/redis", 100, 101, 102))
	if v.Answer != trial.NotMeasured || !strings.Contains(words(v), "control: no good trial of none") {
		t.Errorf("no control: %+v", v)
	}
	r.Compare = nil
	if v := evaluate(t, r); v.Answer != trial.NotMeasured || !strings.Contains(words(v), "nothing to compare") {
		t.Errorf("an empty rule: %+v", v)
	}
	bad := cpuTrials("jwt/HS256", 1, 1)
	bad[0].Doubt(trial.Doubt{Cause: "stolen CPU", Spoils: []trial.Aspect{trial.CPUTotal}, Text: "a third was stolen"})
	bad[1].Status = trial.Aborted
	good := cpuTrials("session/redis", 100)
	good[0].Warn("the fan was loud")
	v = evaluate(t, rule(trial.Difference, "cpu_us_per_request", trial.Less, 5), bad, good)
	want := []string{"1 trial of cost did not come to an end",
		"1 of 2 measurements were left out (1 for stolen CPU); with doubts ignored the answer would be: not decided",
		"2 trials behind this carry doubts or warnings, which the end of the report lists"}
	if d := cmp.Diff(want, report.Warnings(v)); d != "" {
		t.Error(d)
	}
	r = rule(trial.Ratio, "cpu_us_per_request", trial.Less, 0.05)
	v = evaluate(t, r, cpuTrials("jwt/HS256", 0, 0, 0), cpuTrials("session/redis", 1, 1, 1))
	if v.Answer != trial.NotMeasured || !strings.Contains(words(v), "no ratio can be made of 0 and 1") {
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

// What no number of blocks decides is known before the first trial.
func TestARuleThatNothingCanDecideIsRefused(t *testing.T) {
	lost := rule(trial.Count, "lost_session_share", trial.More, 0.01)
	lost.MinBlocks = 1
	cpu := rule(trial.Difference, "cpu_us_per_request", trial.Less, 5)
	lag := rule(trial.Against, "revocation_lag_max_seconds", trial.Same, 0.1)
	for _, c := range []struct {
		name   string
		rule   trial.Rule
		change func(*trial.Rule)
		want   string // "" is fine
	}{
		{"counts in one block", lost, func(*trial.Rule) {}, ""},
		{"an effect in three", cpu, func(*trial.Rule) {}, ""},
		{"a lag against 0", lag, func(*trial.Rule) {}, ""},
		{"more or less, by any margin", cpu, func(r *trial.Rule) { r.Margin = 0 }, ""},
		{"less than a half", lost, func(r *trial.Rule) {
			r.Supports, r.Compare[0].Reference, r.Compare[1].Reference = trial.Less, 0.5, 0.5
		}, ""},
		{"exactly the same", cpu, func(r *trial.Rule) { r.Supports, r.Margin = trial.Same, 0 },
			"HS256: the same within a margin of 0, which no number of blocks can show"},
		{"a share above all", lost, func(r *trial.Rule) { r.Compare[0].Reference = 1.5 },
			"HS256: a reference of 1.5, which lost_session_share cannot reach"},
		{"a lag below 0", lag, func(r *trial.Rule) { r.Compare[1].Reference = -1 }, "ES256: a reference of -1"},
		{"less than none", lost, func(r *trial.Rule) { r.Supports = trial.Less },
			"HS256: less than 0 by more than 0.01, which lost_session_share cannot be"},
		{"more than 99 %", lost, func(r *trial.Rule) { r.Compare[0].Reference = 0.99 }, "HS256: more than 0.99 by more than 0.01"},
		{"whatever comes out", lost, func(r *trial.Rule) { r.Margin = 0 }, "more is all that can come out with a margin of 0"},
		{"a group's own margin", lost, func(r *trial.Rule) {
			r.Groups = []trial.Group{{Name: "g", Supports: trial.Same}}
			r.Margin, r.Compare[0].Group, r.Compare[1].Group = 0, "g", "g"
		}, "the same within a margin of 0"},
		{"a group that is not there", lost, func(r *trial.Rule) {
			r.Groups, r.Compare[0].Group = []trial.Group{{Name: "g"}}, "g"
		}, `ES256 is of the group "", which the rule does not have`},
	} {
		r := c.rule
		r.Compare = slices.Clone(r.Compare)
		c.change(&r)
		err := analysis.CheckRule(r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	cpu.MinBlocks = 0
	for want, r := range map[int]trial.Rule{1: lost, 2: cpu, 3: lag} {
		if got := analysis.BlocksNeeded(r); got != want {
			t.Errorf("a %s needs %d blocks, want %d", r.Contrast, got, want)
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
	want = "Decided in 4 of 4 comparisons: holds for jwt/HS256; does not for jwt/RS256, jwt/ES256, jwt/EdDSA."
	if v := evaluate(t, r, trials); v.Answer != trial.Partly || !strings.Contains(words(v), want) {
		t.Error(words(v))
	}
}

// mirrored is what an outcome becomes when both sides change places.
func mirrored(d trial.Direction) trial.Direction {
	return map[trial.Direction]trial.Direction{trial.More: trial.Less, trial.Less: trial.More, trial.Same: trial.Same,
		trial.Unclear: trial.Unclear, trial.NotMore: trial.NotLess, trial.NotLess: trial.NotMore}[d]
}

func TestSymmetries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[trial.Direction]int{}
	for range 300 {
		n := 3 + random.IntN(4)
		x, y, scaled, shifted, base := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		gap, noise := 100+random.NormFloat64()*12, 0.5+random.Float64()*3
		for i := range n {
			x[i], y[i] = gap+noise*random.NormFloat64(), 100+noise*random.NormFloat64()
		}
		for _, c := range []trial.Contrast{trial.Difference, trial.Ratio} {
			margin := map[trial.Contrast]float64{trial.Difference: 5, trial.Ratio: 0.05}[c]
			r := rule(c, "cpu_us_per_request", trial.More, margin)
			r.Compare = r.Compare[:1]
			f := evaluate(t, r, cpuTrials("jwt/HS256", x...), cpuTrials("session/redis", y...)).Findings[0]
			r.Supports = trial.Less
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
			r.Supports = trial.More
			moved := evaluate(t, r, cpuTrials("jwt/HS256", scaled...), cpuTrials("session/redis", base...)).Findings[0]
			if moved.Outcome != f.Outcome || math.Abs(moved.Interval.Estimate-f.Interval.Estimate) > 1e-6 || math.Abs(moved.P-f.P) > 1e-6 {
				t.Fatalf("%s: %+v, and %+v with both sides scaled or shifted", c, f, moved)
			}
			seen[f.Outcome]++
		}
	}
	for _, d := range []trial.Direction{trial.More, trial.Less, trial.Same, trial.NotMore, trial.Unclear} {
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
		"C03": trial.Partly, "C04": trial.Supported, "C22": trial.Supported, "C40": trial.Refuted,
		"C05": trial.Partly, "C06": trial.Partly, "C10": trial.Supported, "C11": trial.Supported, "C14": trial.Partly, "C15": trial.Partly,
		"C23": trial.Depends, "C24": trial.Depends, "C33": trial.Depends}
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
