package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"authbench/bench/analysis"
	"authbench/bench/arm"
	"authbench/bench/trial"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 12.34: "12.3", 1234.5: "1,234", -1234567: "−1,234,567", 0.012345: "0.0123", 99.96: "100", 46.0: "46",
		math.NaN(): absent, math.Inf(1): absent, 1e12: "1e+12", 5e-7: "5e-07",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestWhatIsAsGoodAsNothingIsWrittenAsNothing(t *testing.T) {
	around := func(estimate, half float64) trial.Interval {
		return trial.Interval{Estimate: estimate, Low: estimate - half, High: estimate + half, N: 8}
	}
	for want, i := range map[string]trial.Interval{
		"0 cores":                        around(0, 5.23e-6),
		"0.0002 [−0.0003, 0.0007] cores": around(2e-4, 5e-4),
		"3e-05 [2e-05, 4e-05] cores":     around(3e-5, 1e-5), // not nothing
		"2e-05 cores":                    {Estimate: 2e-5, N: 1},
	} {
		if got := strings.ReplaceAll(inUnit(i, "cores"), nbsp, " "); got != want {
			t.Errorf("%+v is %q, want %q", i, got, want)
		}
	}
	r := trial.Rule{Metric: "auth_cpu_us", Contrast: trial.Difference}
	if got := effect(r, trial.Finding{Interval: around(1e-6, 5e-6)}); got != "0"+nbsp+"µs" {
		t.Errorf("an effect of nothing is %q", got)
	}
	same := analysis.Change{Relative: true, Effect: around(1, 1e-7)}
	if got := changeText(same); got != "0"+nbsp+"%" {
		t.Errorf("a change of nothing is %q", got)
	}
}

func TestShareOfNoneNamesItsBound(t *testing.T) {
	if got, want := of(trial.Interval{N: 6000}, shareUnit), "0 of 6,000 (<"+nbsp+"0.05"+nbsp+"%)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	for _, c := range []struct{ low, high float64 }{{0, 1}, {-10, 157}, {0, 9400}, {0.842, 1.08}, {3, 3}, {0, 1e-9}, {math.NaN(), 1}} {
		ticks := linearTicks(c.low, c.high, 6)
		if len(ticks) == 0 || len(ticks) > 12 {
			t.Errorf("%v..%v: %d ticks", c.low, c.high, len(ticks))
		}
		labels := map[string]bool{}
		for _, tick := range ticks {
			if labels[tick.Label] {
				t.Errorf("%v..%v: two ticks are labelled %s", c.low, c.high, tick.Label)
			}
			labels[tick.Label] = true
		}
	}
	var at []float64
	for _, tick := range logTicks(0.15, 2.4) {
		at = append(at, tick.Value)
	}
	if want := []float64{0.2, 0.5, 1, 2}; !slices.EqualFunc(at, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
		t.Errorf("logarithmic ticks at %v, want %v", at, want)
	}
}

func TestSpreadKeepsOrderAndGap(t *testing.T) {
	for _, places := range [][]vg.Length{{50, 50, 50}, {1, 2, 3, 99, 99, 100}, {10}, nil, {100, 0, 50}} {
		got := spread(places, 12, 0, 100)
		for i := range got {
			for j := range got {
				if places[i] < places[j] && got[i] > got[j] {
					t.Errorf("%v -> %v: order is lost", places, got)
				}
				if i != j && math.Abs(float64(got[i]-got[j])) < 11.9 {
					t.Errorf("%v -> %v: two are too close", places, got)
				}
			}
			if got[i] < 0 || got[i] > 100 {
				t.Errorf("%v -> %v: out of bounds", places, got)
			}
		}
	}
}

func TestFoldKeepsWidthAndWords(t *testing.T) {
	text := "  from 12" + nbsp + "µs to a_word_without_any_break_that_is_longer_than_the_line and on"
	lines := fold(text, 24)
	for _, l := range lines {
		if utf8.RuneCountInString(l) > 24 || !strings.HasPrefix(l, "  ") {
			t.Errorf("line %q", l)
		}
	}
	if joined := strings.Join(lines, "\n"); !strings.Contains(joined, "12"+nbsp+"µs") {
		t.Errorf("a figure and its unit were parted:\n%s", joined)
	}
}

func TestArmsKeepTheirOrderAndColour(t *testing.T) {
	cookie := trial.Arm("jwt/HS256+cookie")
	arms := sortArms([]trial.Arm{cookie, "jwt/HS256", "session/redis", trial.Control, "session/redis"})
	var names []string
	for _, a := range arms {
		names = append(names, a.String())
	}
	if want := []string{"none", "session/redis", "jwt/HS256", "jwt/HS256+cookie"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	seen := map[string]bool{}
	for _, k := range arm.All() {
		a := k.Name
		if c := hex(armColour(a)); seen[c] || armColour(a) == muted {
			t.Errorf("%s has no colour of its own", a)
		} else {
			seen[c] = true
		}
	}
}

func TestOnlyTurnsACommandIntoThatOfOneExperiment(t *testing.T) {
	for _, c := range []struct{ command, want []string }{
		{[]string{"a", "run"}, []string{"a", "run", "--experiments", "cost"}},
		{[]string{"a", "--experiments", "cost,scale", "--seed", "1"}, []string{"a", "--experiments", "cost", "--seed", "1"}},
	} {
		if got := only(c.command, "cost"); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	if got, want := trial.Shell("a", "b c", "it's"), `a 'b c' 'it'\''s'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Every claim that the experiments ask about has advice for each clear answer.
func TestEveryClearAnswerHasItsSentence(t *testing.T) {
	run, _, _ := wholeRun(t)
	for _, r := range run.Rules {
		mixed, says := trial.Judgement{Answer: trial.Depends,
			DependsOn: &trial.Separation{Factors: []string{"store"}, Yes: [][]string{{"redis"}}, No: [][]string{{"memory"}}}},
			"yes with redis; no with memory."
		var parts []trial.Part
		if len(r.Groups) > 0 {
			mixed, says = trial.Judgement{Answer: trial.Partly}, "supported for these; refuted for those."
			parts = []trial.Part{{Name: "these", Judgement: trial.Judgement{Answer: trial.Supported}},
				{Name: "those", Judgement: trial.Judgement{Answer: trial.Refuted}}}
		}
		clear := []trial.Judgement{{Answer: trial.Supported}, {Answer: trial.Refuted}, mixed}
		if len(r.Compare) == 1 { // which is never mixed
			clear = clear[:2]
		}
		for _, j := range clear {
			got := choose(run.Questions, []trial.Verdict{{Rule: r, Judgement: j, Parts: parts}})
			if len(got) != 1 || strings.Contains(got[0].Text, "%!") || j.Answer == mixed.Answer && !strings.Contains(got[0].Text, says) {
				t.Errorf("%s, %s: %v", r.Claim, j.Answer, got)
			}
		}
		for _, a := range []trial.Answer{trial.NotDecided, trial.NotMeasured} {
			if got := choose(run.Questions, []trial.Verdict{{Rule: r, Judgement: trial.Judgement{Answer: a}}}); len(got) != 1 ||
				!strings.Contains(got[0].Text, "does not settle "+r.Claim) {
				t.Errorf("%s, %s: %v", r.Claim, a, got)
			}
		}
	}
}

func TestChartsFitATelephone(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	doc := newDocument(newData(run, trials, verdicts, gobenchOutput(t)))
	for _, f := range doc.figures() {
		for _, width := range []vg.Length{wide, narrow} {
			b, err := svgOf(f.Drawing, width)
			if err != nil {
				t.Fatal(err)
			}
			checkSVG(t, string(b))
		}
	}
}

var _ = []plot.Plotter{lineChart{}, rowChart{}, gridLines{}}
