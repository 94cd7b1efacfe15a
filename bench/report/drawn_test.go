package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

var steady = trial.Selector{Step: "steady"}

// asks is a run of one experiment, whose cells cost 10 µs a level.
func asks(t *testing.T, f trial.Figure) figure {
	t.Helper()
	var trials []trial.Trial
	for block := 1; block <= 3; block++ {
		for i, level := range []string{"10ms", "2ms", "1s"} {
			spec := analysistest.In("later", trial.NewCell("arm", "jwt/HS256", "pause", level), "steady")
			trials = append(trials, analysistest.Trial(spec, block, analysistest.CPU("steady", trial.ReplicaTier, float64(10*(i+1))),
				analysistest.CPU("steady", trial.StoreTier, 0), analysistest.CPU("steady", trial.BalancerTier, 0)))
		}
	}
	trials[0].Doubt(trial.Doubt{Cause: trial.LateGenerator, Spoils: []trial.Aspect{trial.Tail}})
	run := trial.Run{Experiments: []string{"later"}, Questions: []trial.Question{{Experiment: "later", Figures: []trial.Figure{f}}}}
	figures := newData(run, trials, nil, "").drawn("later")
	if len(figures) != 1 {
		t.Fatalf("%d figures, want 1", len(figures))
	}
	return figures[0]
}

// An experiment that this package has never heard of is drawn from its literal.
func TestAFigureIsDrawnByItsLiteral(t *testing.T) {
	bars := asks(t, trial.Figure{Name: "pauses", Title: "What does a pause cost?", Chart: trial.Bars, Of: steady,
		Metrics: []trial.Shown{{Metric: "cpu_us_per_request", As: "CPU"}}})
	want := [][]string{{"jwt/HS256", "2ms", "20 [20, 20]", "3"}, {"jwt/HS256", "10ms", "10 [10, 10]", "3"},
		{"jwt/HS256", "1s", "30 [30, 30]", "3"}}
	for i := range bars.Table.Rows {
		for j, cell := range bars.Table.Rows[i] {
			bars.Table.Rows[i][j] = strings.ReplaceAll(cell, nbsp, " ")
		}
	}
	if !slices.EqualFunc(bars.Table.Rows, want, slices.Equal) ||
		!slices.Equal(bars.Table.Head, []string{"arm", "pause", "CPU (µs)", "blocks"}) {
		t.Errorf("%v\n%v, want\n%v", bars.Table.Head, bars.Table.Rows, want)
	}
	if r := bars.Drawing.(rowChart).Rows; len(r) != 3 || r[0].Label != "jwt/HS256, 2ms" || r[0].Note != "20"+nbsp+"µs" {
		t.Errorf("%+v", r)
	}
	lines := asks(t, trial.Figure{Name: "pauses", Title: "What does a pause cost?", Chart: trial.Lines, Of: steady, Along: "pause",
		Metrics: []trial.Shown{{Metric: "cpu_us_per_request"}}})
	if s := lines.Drawing.(lineChart).Series; len(s) != 1 || s[0].Name != "jwt/HS256" || len(s[0].Points) != 3 || s[0].Points[0].X != 0.002 ||
		s[0].Points[0].Y.Estimate != 20 {
		t.Errorf("%+v", s)
	}
}

// What spoils the tail is a doubt about the tail's figure, and about no other.
func TestAFigureIsDoubtedByWhatItRestsOn(t *testing.T) {
	for metric, doubted := range map[string]bool{"cpu_us_per_request": false, "latency_p99_us": true} {
		f := asks(t, trial.Figure{Name: "pauses", Title: "?", Chart: trial.Bars, Of: steady, Metrics: []trial.Shown{{Metric: metric}}})
		if (len(f.Doubts) > 0) != doubted {
			t.Errorf("%s: doubts %q, want some: %v", metric, f.Doubts, doubted)
		}
	}
}

func TestACurveThatBendsIsDoubted(t *testing.T) {
	f := trial.Figure{Name: "pauses", Title: "?", Chart: trial.Bars, Of: steady, Metrics: []trial.Shown{{Metric: "cpu_us_per_request"}},
		Bent: &trial.Bent{Metric: "cpu_us_per_request", Of: trial.NewCell("arm", "jwt/HS256"), Below: 15, Text: "too cheap:"}}
	if got := asks(t, f).Doubts; len(got) != 1 || got[0] != "too cheap: 10"+nbsp+"µs at pause=10ms" {
		t.Errorf("%q", got)
	}
}

// A manifest of another version may ask for what this one cannot draw.
func TestAnUnknownChartIsSaidAndNeverACrash(t *testing.T) {
	for _, f := range []trial.Figure{{}, {Name: "x", Title: "?", Chart: "pie"}, {Name: "x", Title: "?", Chart: trial.Lines}} {
		if got := asks(t, f); got.Drawing != nil || len(got.Table.Rows) != 1 || !strings.Contains(got.Table.Rows[0][1], "want ") {
			t.Errorf("%+v", got)
		}
	}
}

// A doubt may leave the median standing and no percentile of the tail, and a
// log axis has no place for what is not there.
func TestALogAxisLacksWhatWasLeftOut(t *testing.T) {
	var trials []trial.Trial
	for i, level := range []string{"1ms", "2ms"} {
		spec := analysistest.In("later", trial.NewCell("arm", "jwt/HS256", "pause", level), "steady")
		tr := analysistest.Trial(spec, 1, analysistest.Latency("steady", 100*time.Microsecond, 2*time.Millisecond))
		if i == 0 {
			tr.Doubt(trial.Doubt{Cause: trial.LateGenerator, Spoils: []trial.Aspect{trial.Tail}})
		}
		trials = append(trials, tr)
	}
	f := trial.Figure{Name: "pauses", Title: "?", Chart: trial.Dots, Log: true, Of: steady, Unit: "ms",
		Metrics: []trial.Shown{{Metric: "latency_p50_us", As: "median"}, {Metric: "latency_p99_us", As: "p99"}}}
	run := trial.Run{Experiments: []string{"later"}, Questions: []trial.Question{{Experiment: "later", Figures: []trial.Figure{f}}}}
	got := newData(run, trials, nil, "").drawn("later")[0]
	if rows := got.Drawing.(rowChart).Rows; len(rows[0].Dots) != 1 || rows[0].Dots[0].Estimate < 0.09 || len(rows[1].Dots) != 2 {
		t.Errorf("%+v; want the median alone, then both", rows)
	}
	if _, err := svgOf(got.Drawing, wide); err != nil {
		t.Error(err)
	}
	for i := range trials {
		trials[i].Doubt(trial.Doubt{Cause: trial.StolenCPU, Spoils: trial.Aspects()})
	}
	if got = newData(run, trials, nil, "").drawn("later")[0]; got.Drawing != nil || len(got.Doubts) == 0 || len(got.Table.Rows) != 1 ||
		got.Table.Rows[0][1] != "no trial counts for it" {
		t.Errorf("nothing counts, and the report says %+v", got)
	}
}

// Under the chart of what authentication costs the arms stand in order, with ties.
func TestArmsStandInOrder(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	for _, f := range newData(run, trials, verdicts, "").drawn("cost") {
		i := strings.Index(f.Caption, "In order: control (no auth) ")
		if f.ID != "auth-cost" {
			if i >= 0 && !strings.HasPrefix(f.ID, "auth-cost-at-") {
				t.Errorf("%s: %s", f.ID, f.Caption)
			}
			continue
		}
		if i < 0 {
			t.Fatalf("no order in %q", f.Caption)
		}
		last := -1
		for _, arm := range []string{"session/memory", "jwt/HS256", "jwt/RS256", "session/redis", "jwt/EdDSA", "jwt/ES256", "session/postgres"} {
			at := strings.Index(f.Caption[i:], arm)
			if at < last {
				t.Errorf("%s is not where its figure puts it: %s", arm, f.Caption[i:])
			}
			last = at
		}
	}
}

// Below what sums them up every start shows, on the same axis.
func TestEveryStartShows(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	for _, f := range newData(run, trials, verdicts, "").drawn("cost") {
		chart, ok := f.Drawing.(rowChart)
		if !ok {
			continue
		}
		if !strings.Contains(f.Caption, "Small dots: one start each.") {
			t.Errorf("%s has dots that its caption does not explain: %s", f.ID, f.Caption)
		}
		low, high := chart.xRange()
		for _, r := range chart.Rows {
			if want := analysistest.Blocks * max(1, len(r.Dots)); len(r.Starts) != want {
				t.Errorf("%s, %s: %d starts show, want %d", f.ID, r.Label, len(r.Starts), want)
				continue
			}
			if slices.Min(r.Starts) < low || slices.Max(r.Starts) > high {
				t.Errorf("%s, %s: %v on an axis from %g to %g", f.ID, r.Label, r.Starts, low, high)
			}
			if mean := stat.Mean(r.Starts, nil); f.ID == "auth-cost" && math.Abs(mean-r.Whisker.Estimate) > 1e-9*mean {
				t.Errorf("%s, %s: starts of %g on average below a bar of %g", f.ID, r.Label, mean, r.Whisker.Estimate)
			}
		}
	}
}
