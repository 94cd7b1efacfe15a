package main

import (
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"
)

func TestDoubtsTellTheInstrumentsFaultFromTheSystems(t *testing.T) {
	lag := func(d time.Duration) *trial.Histogram {
		h := trial.NewHistogram()
		h.Record(d)
		return h
	}
	healthy := func() trial.Measurement {
		return trial.Measurement{Phase: trial.Phase{Name: "p", Mode: trial.Open}, Seconds: 2, Offered: 100, Completed: 100,
			Outcomes: map[string]int64{trial.Success: 100}, PacerLag: lag(time.Millisecond),
			Usage: trial.Usage{Seconds: 2, CPU: map[trial.Tier]float64{trial.GeneratorTier: 0.5}}}
	}
	for name, c := range map[string]struct {
		change func(*trial.Measurement)
		want   string // "" for no doubt
		fatal  bool
	}{
		"healthy":              {func(*trial.Measurement) {}, "", false},
		"rounding of ticks":    {func(m *trial.Measurement) { m.Usage.Steal = 0.02 }, "", false},
		"stolen CPU":           {func(m *trial.Measurement) { m.Usage.Steal = 0.05 }, "steal took 50 ms", true},
		"foreign work":         {func(m *trial.Measurement) { m.Usage.Foreign = 0.2 }, "foreign work took 200 ms", true},
		"late pacer":           {func(m *trial.Measurement) { m.PacerLag = lag(20 * time.Millisecond) }, "started late", true},
		"full generator":       {func(m *trial.Measurement) { m.Usage.CPU[trial.GeneratorTier] = 1.9 }, "95 % of its CPU", true},
		"full, closed loop":    {func(m *trial.Measurement) { m.Phase.Mode = trial.Closed; m.Usage.CPU[trial.GeneratorTier] = 1.9 }, "95 % of its CPU", true},
		"no success":           {func(m *trial.Measurement) { m.Outcomes = map[string]int64{trial.Failed: 100} }, "no request succeeded", true},
		"drops, pacer healthy": {func(m *trial.Measurement) { m.Dropped = 7 }, "7 of 100 requests never started", false},
		"errors":               {func(m *trial.Measurement) { m.Outcomes = map[string]int64{trial.Success: 97, trial.Failed: 3} }, "3 of 100 requests failed", false},
		"a k6 journey":         {func(m *trial.Measurement) { m.Phase.Mode = ""; m.Usage.Steal = 1 }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := healthy()
			c.change(&m)
			found := doubts([]trial.Measurement{m})
			if c.want == "" {
				if len(found) != 0 {
					t.Errorf("doubts %v, want none", found)
				}
				return
			}
			for _, d := range found {
				if strings.Contains(d.text, c.want) && d.fatal == c.fatal {
					return
				}
			}
			t.Errorf("doubts %v, want %q with fatal %v", found, c.want, c.fatal)
		})
	}
}
