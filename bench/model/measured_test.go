package model

import (
	"strings"
	"testing"

	"authbench/bench/trial"
)

func TestMeasured(t *testing.T) {
	step := func(successes int64, cpu map[trial.Tier]float64) *trial.Measurement {
		return &trial.Measurement{Step: "s", Usage: trial.Usage{CPU: cpu}, Streams: map[string]*trial.StreamResult{
			trial.Main: {Completed: 150, Outcomes: map[string]int64{trial.Success: successes, trial.Failed: 50}}}}
	}
	all := map[trial.Tier]float64{trial.BalancerTier: 1, trial.ReplicaTier: 2, trial.StoreTier: 4, trial.GeneratorTier: 99}
	d, err := Measured(step(100, all))
	if err != nil || d != (Demand{0.01, 0.02, 0.04}) {
		t.Errorf("%+v, %v", d, err)
	}
	near(t, "whole", d.Whole(), 0.07, 1e-12)
	if b := d.Budgeted(0.5, 0.1); b.Balancer != 0.01 || b.Replica != 0.04 {
		t.Errorf("under budgets %+v", b)
	} else {
		near(t, "a store of a tenth of a core", b.Store, 0.4, 1e-12)
	}
	if d, err := Measured(step(100, map[trial.Tier]float64{trial.BalancerTier: 1, trial.ReplicaTier: 2})); err != nil || d.Store != 0 {
		t.Errorf("without a store: %+v, %v", d, err)
	}
	for want, m := range map[string]*trial.Measurement{
		"no request succeeded":               step(0, all),
		"the CPU of tier replicas was not":   step(100, map[trial.Tier]float64{trial.BalancerTier: 1}),
		"a demand of 0 s of the replica":     step(100, map[trial.Tier]float64{trial.BalancerTier: 1, trial.ReplicaTier: 0}),
		"step without: no request succeeded": {Step: "without"},
	} {
		if _, err := Measured(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
