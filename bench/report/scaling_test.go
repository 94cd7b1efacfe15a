package report

import (
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"authbench/bench/plan"
	"authbench/bench/trial"
)

func TestGoldenScalingChart(t *testing.T) {
	for name, width := range map[string]vg.Length{"scaling.svg": wide, "scaling-narrow.svg": narrow} {
		chart := lineChart{Log: true, XLabel: "replicas", YLabel: "requests/s",
			Levels: []level{{"all of session/redis", 77_000}}, Rings: []ring{{8, 77_000}}}
		line := series{Name: "jwt/ES256", Colour: armColour("jwt/ES256")}
		larger := series{Name: "session/redis, 4 cores", Colour: armColour("session/redis"), Before: true}
		for n := 1; n <= 64; n *= 2 {
			chart.XTicks = append(chart.XTicks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
			for _, s := range []struct {
				series *series
				x      float64
			}{{&line, 9_600}, {&larger, 4_800}} {
				x := s.x * float64(n)
				s.series.Points = append(s.series.Points, point{float64(n), trial.Interval{Estimate: x, Low: 0.9 * x, High: 1.1 * x, N: 4}})
			}
		}
		chart.Series = []series{line, larger}
		chart.Marks = []series{{Colour: line.Colour, Points: []point{{4, trial.Interval{Estimate: 50_000, Low: 40_000, High: 60_000, N: 4}}}}}
		b, err := svgOf(chart, width)
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, string(b))
		golden(t, name, string(b))
	}
}

// With two blocks an interval may reach below 0, which no logarithmic axis holds.
func TestAnIntervalBelowZeroIsDrawn(t *testing.T) {
	wild := trial.Interval{Estimate: 4_000, Low: -9_000, High: 17_000, N: 2}
	chart := lineChart{Log: true, XTicks: []plot.Tick{{Value: 1, Label: "1"}, {Value: 4, Label: "4"}},
		Series: []series{{Name: "a", Points: []point{{1, wild}, {4, wild}}}}, Marks: []series{{Points: []point{{4, wild}}}}}
	b, err := svgOf(chart, wide)
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, string(b))
}

func TestOvertakingIsToldInWords(t *testing.T) {
	crossing := func(a, over trial.Arm, cores int, n float64) plan.Crossing {
		return plan.Crossing{Arm: a, Over: over, StoreCores: cores, From: trial.Interval{Estimate: n, Low: n - 0.5, High: n + 0.5, N: 4}}
	}
	s := scaling{curves: []plan.Curve{{Arm: "session/redis", StoreCores: 1}, {Arm: "session/postgres", StoreCores: 1}, {Arm: "jwt/HS256"},
		{Arm: "jwt/ES256"}, {Arm: "session/postgres", StoreCores: 4}},
		crossed: []plan.Crossing{crossing("jwt/ES256", "session/postgres", 1, 1.3), crossing("jwt/ES256", "session/redis", 1, 8.2),
			crossing("jwt/HS256", "session/redis", 1, 1.5), crossing("jwt/ES256", "session/postgres", 4, 11)}}
	want := " Rings: session/redis with 1 store core serves more than jwt/HS256 until there are 2 replicas, than jwt/ES256 until 9. " +
		"session/postgres with 1 store core serves more than jwt/ES256 until there are 2 replicas."
	if got := s.told(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (scaling{}).told(); got != "" {
		t.Errorf("%q where nothing is known", got)
	}
	if got := s.name(s.curves[4]); got != "session/postgres, 4 cores" {
		t.Errorf("%q is not told apart from the curve of a smaller store", got)
	}
}

// Each arm without a store is set against each size of each store.
func TestEveryCrossingHasItsRow(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	rows := map[string]string{}
	for _, f := range newData(run, trials, verdicts, "").drawn("scale") {
		for _, r := range f.Table.Rows {
			if f.ID == "crossings" {
				rows[r[0]+" over "+r[1]] = r[2]
			}
		}
	}
	if len(rows) != 15 || rows["session/memory over session/redis"] != "1" || !strings.Contains(rows["jwt/ES256 over session/redis"], "[") ||
		!strings.Contains(rows["jwt/ES256 over session/postgres, 4 cores"], "[") {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}

// The page shows each prediction with its error, and their median.
func TestPredictionsAreShownWithTheirErrors(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	d := newData(run, trials, verdicts, "")
	var shown figure
	for _, f := range d.drawn("scale") {
		if f.ID == "predictions" {
			shown = f
		}
	}
	if len(shown.Table.Rows) != len(run.Predictions) || len(run.Predictions) == 0 ||
		!strings.Contains(shown.Caption, "The median of 12 errors") {
		t.Fatalf("%d rows of %d predictions: %s", len(shown.Table.Rows), len(run.Predictions), shown.Caption)
	}
	for _, row := range shown.Table.Rows {
		if !strings.HasSuffix(row[4], "%") || !strings.Contains(row[3], "[") {
			t.Errorf("%q lacks an error or an interval", row)
		}
	}
}

// Without the trials that say what a request costs there is nothing to draw, and the page says so.
func TestNoCurvesWithoutDemands(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	var others []trial.Trial
	for _, t := range trials {
		if t.Spec.Experiment != "cost" {
			others = append(others, t)
		}
	}
	d := newData(run, others, verdicts, "")
	for _, f := range d.drawn("scale") {
		if f.ID == "scaling" && (f.Drawing != nil || !strings.Contains(f.Table.Rows[0][1], "no trial of cost counts")) {
			t.Errorf("%+v", f)
		}
	}
}
