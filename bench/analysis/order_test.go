package analysis_test

import (
	"slices"
	"testing"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// What slows a block slows all, and must not hide that one is above another.
func TestOrderHasTies(t *testing.T) {
	var trials []trial.Trial
	for b := range 4 {
		noise := []float64{0.1, -0.1, 0.05, -0.05}[b]
		for arm, us := range map[trial.Arm]float64{"none": 50, "session/memory": 50 + 5*noise, "jwt/HS256": 54 - 10*noise,
			"jwt/RS256":     54.5 + 10*noise,
			"session/redis": 90 + 0.1*noise, "jwt/ES256": 91} {
			slow := 1 + 10*float64(b) // µs, of every arm
			trials = append(trials, at.Trial(at.Spec("cost", arm, phase), b+1, at.CPU(phase, trial.BalancerTier, slow),
				at.CPU(phase, trial.ReplicaTier, us), at.CPU(phase, trial.StoreTier, 0)))
		}
	}
	trials = append(trials, at.Trial(at.Spec("cost", "jwt/EdDSA", phase), 1, at.CPU(phase, trial.BalancerTier, 1),
		at.CPU(phase, trial.ReplicaTier, 1)))
	var cells []trial.Selector
	for _, a := range []trial.Arm{"jwt/ES256", "jwt/EdDSA", "jwt/RS256", "session/redis", "jwt/HS256", "session/memory"} {
		cells = append(cells, sel(a))
	}
	var arms []trial.Arm
	var ties []bool
	for _, p := range analysis.Order("auth_cpu_us", analysis.Blocks(trials, "cost"), cells) {
		arms, ties = append(arms, p.Of.Cell.Arm()), append(ties, p.Tie)
	}
	if want := []trial.Arm{"session/memory", "jwt/HS256", "jwt/RS256", "session/redis", "jwt/ES256"}; !slices.Equal(arms, want) {
		t.Errorf("%v, want %v", arms, want)
	}
	if want := []bool{true, false, true, false, false}; !slices.Equal(ties, want) {
		t.Errorf("ties %v of %v, want %v", ties, arms, want)
	}
	if order := analysis.Order("speed", nil, cells); order != nil {
		t.Errorf("%v by no metric", order)
	}
}
