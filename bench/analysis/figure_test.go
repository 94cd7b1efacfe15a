package analysis_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

func TestAFigureThatCannotBeDrawnIsAnError(t *testing.T) {
	good := trial.Figure{Name: "by-load", Title: "How does it grow?", Chart: trial.Lines, Along: "load",
		Metrics: []trial.Shown{{Metric: "cpu_us_per_request"}}}
	check := func(fs ...trial.Figure) error {
		return analysis.CheckFigures(fs, map[string]bool{"taken": true})
	}
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*trial.Figure){
		`unknown chart kind "pie": want one of bars, dots, lines, grid, time line, table`: func(f *trial.Figure) { f.Chart = "pie" },
		`unknown metric "speed": want one of cpu_us_per_request`: func(f *trial.Figure) {
			f.Metrics[0].Metric = "speed"
		},
		`unknown metric "hope": want one of`: func(f *trial.Figure) { f.Expected = "hope" },
		`unknown metric "bend": want one of`: func(f *trial.Figure) {
			f.Bent = &trial.Bent{Metric: "bend"}
		},
		`unknown unit "weeks": want ms`:                                       func(f *trial.Figure) { f.Unit = "weeks" },
		`figure "taken": want names of letters, digits and dashes, each once`: func(f *trial.Figure) { f.Name = "taken" },
		`figure "summary": want names`:                                        func(f *trial.Figure) { f.Name = trial.SummaryFigure },
		`figure "../x": want names`:                                           func(f *trial.Figure) { f.Name = "../x" },
		"figure by-load: no title: want the question":                         func(f *trial.Figure) { f.Title = "" },
		"no metric: want at least one":                                        func(f *trial.Figure) { f.Metrics = nil },
		"2 metrics along load: want one": func(f *trial.Figure) {
			f.Metrics = append(f.Metrics, f.Metrics[0])
		},
		"no step: want one, or a factor of steps": func(f *trial.Figure) {
			f.Chart, f.Along = trial.Bars, ""
		},
		"lines along no factor: want one": func(f *trial.Figure) {
			f.Of.Step, f.Along = "load=30%", ""
		},
		"bars along load: want lines, a grid or a table": func(f *trial.Figure) { f.Chart = trial.Bars },
	} {
		f := good
		f.Metrics = slices.Clone(good.Metrics)
		change(&f)
		if err := check(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant in it: %s", err, want)
		}
	}
	if err := check(good, good); err == nil || !strings.Contains(err.Error(), "each once") {
		t.Errorf("a name twice: %v", err)
	}
}

// A chart's mean is over blocks, its share over all chances, and its percentile
// of all latencies.
func TestSummaryIsOfTheMetricsKind(t *testing.T) {
	var trials []trial.Trial
	for i, us := range []float64{40, 60} {
		trials = append(trials, at.Trial(at.Spec("cost", "jwt/HS256", phase), i+1, at.CPU(phase, trial.ReplicaTier, us),
			at.CPU(phase, trial.StoreTier, 0), at.CPU(phase, trial.BalancerTier, 0),
			at.Latency(phase, time.Duration(us)*time.Microsecond, time.Duration(2*us)*time.Microsecond),
			at.Throughput(phase, 1000)))
		trials = append(trials, at.Trial(at.Spec("cost", "jwt/ES256", phase), i+1,
			at.Lost(100, 10*us*us, us)))
	}
	blocks := analysis.Blocks(trials, "cost")
	mean := analysis.Summary("cpu_us_per_request", blocks, sel("jwt/HS256"))
	if low := analysis.Estimate([]float64{40, 60}).Low; mean.N != 2 || math.Abs(mean.Estimate-50) > 1e-9 || math.Abs(mean.Low-low) > 1e-9 {
		t.Errorf("a mean over blocks: %+v, want 50 from %g", mean, low)
	}
	share := analysis.Summary("lost_session_share", blocks, sel("jwt/ES256"))
	if want := 100.0 / 52_000; share.N != 52_000 || math.Abs(share.Estimate-want) > 1e-9 {
		t.Errorf("a share of all chances: %+v, want %g of 52,000", share, want)
	}
	p50 := analysis.Summary("latency_p50_us", blocks, sel("jwt/HS256"))
	if math.Abs(p50.Low-40) > 1 || math.Abs(p50.High-60) > 1 || p50.Estimate <= p50.Low || p50.Estimate >= p50.High {
		t.Errorf("a percentile from 40 to 60 µs, between the blocks: %+v", p50)
	}
	if none := analysis.Summary("speed", blocks, sel("jwt/HS256")); none.N != 0 {
		t.Errorf("of no metric: %+v", none)
	}
}
