package analysis_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// broken is a trial whose store is gone from 1.02 to 2.5 s: of 130 requests that
// end meanwhile 13 are served. Before and after it is well, but for one request
// that fails at 2.5 to 2.6 s.
func broken(options ...at.Option) trial.Trial {
	s := at.In("outage", trial.NewCell("arm", "session/redis", "fault", "kill"), "outage")
	s.Cells[0].Steps[0].Faults = []trial.Fault{{Kind: "kill", Target: "store", At: 1, Lasts: 1.5}}
	return at.Trial(s, 1, append([]at.Option{at.Outage("outage", 130, 0.1)}, options...)...)
}

func TestOutageMetrics(t *testing.T) {
	sel := trial.Selector{Cell: trial.NewCell("arm", "session/redis"), Step: "outage"}
	tr := broken()
	main := tr.Steps[0].Streams[trial.Main]
	main.Latency[trial.Failed] = at.LogNormal(10_000, 10*time.Millisecond, 250*time.Millisecond)
	main.Series[trial.Refused] = make([]int64, 50)
	main.Series[trial.Refused][20] = 20
	main.Series[trial.Refused][40] = 30 // 10 are served at 3.0 s
	tr.Steps[0].Streams["forged"] = &trial.StreamResult{Stream: trial.Stream{Present: trial.Forged}, Completed: 40,
		Outcomes: map[string]int64{trial.Refused: 39, trial.UnauthorizedSuccess: 1}}
	b := block(t, tr)
	for name, want := range map[string]float64{
		"outage_availability":        13.0 / 150,
		"outage_refused_share":       20.0 / 150,
		"refused_after_share":        30.0 / 40,
		"unauthorized_success_share": 1.0 / 40,
		"error_time_p99_us":          250_000,
		"recovery_seconds":           0.1,
	} {
		got, err := analysis.Value(name, b, sel)
		if err != nil || math.Abs(got-want) > 0.02*want {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	if i := analysis.Pooled("outage_availability", []analysis.Block{b, b}, sel); i.N != 300 || math.Abs(i.Estimate-13.0/150) > 1e-9 ||
		i.Low <= 0 || i.High >= 0.15 {
		t.Errorf("pooled over two blocks: %+v", i)
	}
}

// The generator may begin a little after the step, and a slice that lies partly
// outside the fault is not of it.
func TestOnlySlicesWithinTheFaultCount(t *testing.T) {
	sel := trial.Selector{Cell: trial.NewCell("arm", "session/redis"), Step: "outage"}
	tr := broken()
	r := tr.Steps[0].Streams[trial.Main]
	r.Started = r.Started.Add(50 * time.Millisecond)
	for class := range r.Series {
		r.Series[class] = make([]int64, 50)
	}
	r.Series[trial.Success][9] = 1000  // 0.95 to 1.05 s: the fault shows at 1.02
	r.Series[trial.Failed][10] = 10    // 1.05 to 1.15
	r.Series[trial.Failed][23] = 10    // 2.35 to 2.45
	r.Series[trial.Success][24] = 1000 // 2.45 to 2.55: it ends at 2.5
	if got, err := analysis.Value("outage_availability", block(t, tr), sel); err != nil || got != 0 {
		t.Errorf("availability %v, %v; want 0 of 20", got, err)
	}
}

func TestAFaultThatDidNotShowIsNoFigure(t *testing.T) {
	sel := trial.Selector{Cell: trial.NewCell("arm", "session/redis"), Step: "outage"}
	tr := broken()
	tr.Steps[0].Marks[0].InEffect, tr.Steps[0].Marks[0].Why = nil, "it would not die"
	for _, name := range []string{"outage_availability", "recovery_seconds"} {
		if v, err := analysis.Value(name, block(t, tr), sel); err == nil || !strings.Contains(err.Error(), "it would not die") {
			t.Errorf("%s: %v, %v; want an error that says why", name, v, err)
		}
	}
}

// An arm without a store has nothing to break: all of the step counts.
func TestNothingToBreak(t *testing.T) {
	s := at.In("outage", trial.NewCell("arm", "session/memory", "fault", "kill"), "outage")
	b := block(t, at.Trial(s, 1, at.Outage("outage", 500, 1)))
	sel := trial.Selector{Cell: trial.NewCell("arm", "session/memory"), Step: "outage"}
	if got, err := analysis.Value("outage_availability", b, sel); err != nil || got != 1 {
		t.Errorf("availability %v, %v", got, err)
	}
	if _, err := analysis.Value("recovery_seconds", b, sel); err == nil || !strings.Contains(err.Error(), "nothing was broken") {
		t.Errorf("recovery: %v", err)
	}
}
