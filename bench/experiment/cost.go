package experiment

import (
	"fmt"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// commonPhase is the phase at one rate that every arm can serve.
const commonPhase = "load=common"

// sharedSecret is the algorithm that public-key ones are held against.
const sharedSecret trial.Arm = "jwt/HS256"

func loadPhase(percent int) string { return fmt.Sprintf("load=%d%%", percent) }

// Cost asks what authenticating one request costs: CPU by tier over the control,
// store operations, bytes, latency; every arm, one replica, no CPU budgets.
// Because CPU per request falls as load rises, it is measured at shares of each
// arm's own capacity and at one common rate.
func Cost(p Profile) Experiment {
	tested := p.CostArms
	all := append([]trial.Arm{trial.Control}, tested...)
	var calibrate []trial.Spec
	for _, a := range all {
		calibrate = append(calibrate, costSpec(p, a, []trial.Phase{
			{Name: "warm-up", Mode: trial.Closed, Warmup: true, Seconds: 2, Concurrency: p.Connections},
			{Name: "saturation", Mode: trial.Closed, Seconds: max(p.CostPhaseSeconds, 1), Concurrency: p.Connections},
		}))
	}
	phases := []string{commonPhase}
	for _, l := range p.CostLoads {
		phases = append(phases, loadPhase(l))
	}
	return Experiment{
		Name:     "cost",
		Question: "What does authenticating one request cost?",
		Method: "One replica behind nginx; open-loop Poisson arrivals at shares of each arm's capacity (its closed-loop throughput in a calibration trial) " +
			"and at half the capacity of the slowest arm, the common rate. CPU by tier per successful request, minus the control's in the same block.",
		Blocks:    p.CostBlocks,
		Calibrate: calibrate,
		Cells: func(done []trial.Trial) ([]trial.Spec, error) {
			return costCells(p, all, done)
		},
		Rules: costRules(p, tested, phases),
	}
}

func costSpec(p Profile, a trial.Arm, phases []trial.Phase) trial.Spec {
	s := trial.Spec{
		Experiment: "cost", Arm: a, Replicas: 1, Balancer: trial.RoundRobin, Lifetime: trial.Duration(time.Hour),
		Users: p.Users, Pool: 16,
		Load: trial.Load{Connections: p.Connections, Sources: p.Sources, Phases: phases},
	}
	if arm.Of(a).State == arm.Shared {
		s.Resident = p.Resident
	}
	return s
}

// costCells derives every cell's rates from the calibration trials. The control
// runs twice in each block, under two labels: the A/A pair is the noise floor.
func costCells(p Profile, all []trial.Arm, done []trial.Trial) ([]trial.Spec, error) {
	capacity := map[trial.Arm]float64{}
	for _, t := range done {
		if m, ok := t.Phase("saturation"); ok {
			capacity[t.Spec.Arm] = max(capacity[t.Spec.Arm], m.Throughput()) // of several attempts: what disturbs one only lowers it
		}
	}
	common := 0.0
	for _, a := range all {
		c := capacity[a]
		if c <= 0 {
			return nil, fmt.Errorf("cost: no calibration of arm %s served a request: see its trial's warnings", a)
		}
		if common == 0 || c/2 < common {
			common = c / 2
		}
	}
	var cells []trial.Spec
	for _, a := range all {
		phases := []trial.Phase{
			{Name: "warm-up", Mode: trial.Open, Arrivals: trial.Poisson, Warmup: true, Seconds: 1.5, Rate: round2(capacity[a] * 0.6)},
			{Name: commonPhase, Mode: trial.Open, Arrivals: trial.Poisson, Seconds: p.CostPhaseSeconds, Rate: round2(common)},
		}
		for _, l := range p.CostLoads {
			phases = append(phases, trial.Phase{Name: loadPhase(l), Mode: trial.Open, Arrivals: trial.Poisson,
				Seconds: p.CostPhaseSeconds, Rate: round2(capacity[a] * float64(l) / 100)})
		}
		s := costSpec(p, a, phases)
		cells = append(cells, s)
		if a == trial.Control {
			s.Label = "b"
			cells = append(cells, s)
		}
	}
	return cells, nil
}

func costRules(p Profile, tested []trial.Arm, phases []string) []trial.Rule {
	sessions, tokens := arm.Sessions(tested), arm.Tokens(tested)
	c01 := trial.Rule{Claim: "C01", Statement: "Sessions load the server, JWT is lighter.", Metric: "auth_cpu_us",
		Contrast: trial.Difference, Supports: trial.Less, Margin: 5} // 5 us is 5 % of a core at 10,000 requests a second
	c02 := trial.Rule{Claim: "C02", Statement: "Verifying a JWT needs no database.", Metric: "store_operations_per_request",
		Contrast: trial.Count, Supports: trial.Same, Margin: 0.001}
	c16 := trial.Rule{Claim: "C16", Statement: "Verifying with a public key costs more CPU than with a shared secret.", Metric: "auth_cpu_us",
		Contrast: trial.Difference, Supports: trial.More, Margin: 5}
	c18 := trial.Rule{Claim: "C18", Statement: "JWTs enlarge requests.", Metric: "request_bytes",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 0.05}
	for _, t := range tokens {
		for _, s := range sessions {
			for _, ph := range phases {
				c01.Compare = append(c01.Compare, trial.Comparison{
					Name: fmt.Sprintf("%s vs %s at %s", t, s, ph),
					A:    trial.Selector{Arm: t, Phase: ph}, B: trial.Selector{Arm: s, Phase: ph},
					Factors: append(factors(t, s), ph),
				})
			}
			c18.Compare = append(c18.Compare, trial.Comparison{
				Name: fmt.Sprintf("%s vs %s", t, s),
				A:    trial.Selector{Arm: t, Phase: commonPhase}, B: trial.Selector{Arm: s, Phase: commonPhase},
				Factors: factors(t, s),
			})
		}
		c02.Compare = append(c02.Compare, trial.Comparison{Name: t.String(), A: trial.Selector{Arm: t, Phase: commonPhase}, Factors: factors(t)})
		if t.Base() != sharedSecret {
			c16.Compare = append(c16.Compare, trial.Comparison{Name: fmt.Sprintf("%s vs jwt/HS256", t),
				A: trial.Selector{Arm: t, Phase: commonPhase}, B: trial.Selector{Arm: sharedSecret, Phase: commonPhase}, Factors: factors(t)})
		}
	}
	return finish("cost", c01, c02, c16, c18)
}

// finish fills in what all rules of an experiment share. A verdict needs at
// least 3 blocks; where the profile has fewer, the rule comes out inconclusive.
func finish(name string, rules ...trial.Rule) []trial.Rule {
	for i := range rules {
		rules[i].Experiment = name
		rules[i].MinBlocks = 3
		if rules[i].Contrast == trial.Count { // pooled chances, not blocks, are its sample
			rules[i].MinBlocks = 1
		}
	}
	return rules
}
