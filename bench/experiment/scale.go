package experiment

import (
	"fmt"
	"slices"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Scale asks whether throughput grows with replicas: N replicas of equal CPU
// budget, fixed concurrency per replica, each arm's efficiency relative to the
// control's at the same N, because quotas bend even the control's curve.
func Scale(p Profile) Experiment {
	tested := p.ScaleArms
	var cells []trial.Spec
	for _, a := range append([]trial.Arm{trial.Control}, tested...) {
		for _, n := range p.ScaleReplicas {
			cells = append(cells, scaleSpec(p, a, n))
		}
	}
	return Experiment{
		Name:     "scale",
		Question: "Does throughput grow with the number of replicas?",
		Method: fmt.Sprintf("Replicas of %g CPU each (quota in 100 ms periods), %d requests in flight per replica, closed loop for throughput; "+
			"then open-loop steps below it for the highest rate that holds p99 <= %g ms with no error and none dropped. "+
			"Efficiency is X(N) / (N X(1)), set against the control's at the same N.", p.ScaleReplicaCPU, scaleInFlight, p.ScaleP99Milliseconds),
		Blocks:       p.ScaleBlocks,
		NeedsBudgets: true,
		Cells:        fixed(cells),
		Rules:        scaleRules(p, tested),
	}
}

// scaleInFlight is the number of requests in flight per replica. It must exceed
// what a replica serves in one quota period: otherwise all requests pile up at
// a replica that is out of quota while the others, theirs unspent, wait for
// work, and the curve shows the quota rather than the arm.
const scaleInFlight = 256

func scaleSpec(p Profile, a trial.Arm, n int) trial.Spec {
	inFlight := scaleInFlight * n
	phases := []trial.Phase{
		{Name: "warm-up", Mode: trial.Closed, Warmup: true, Seconds: 0.5, Concurrency: inFlight}, // quota periods keep throughput from ever being steady
		{Name: "saturation", Mode: trial.Closed, Seconds: p.ScalePhaseSeconds, Concurrency: inFlight},
	}
	if p.ScaleSearchSteps > 0 {
		phases = append(phases, trial.Phase{Name: "capacity", Mode: trial.Search, Seconds: p.ScalePhaseSeconds / 2, Steps: p.ScaleSearchSteps,
			Arrivals: trial.Poisson, SLO: &trial.SLO{P99Milliseconds: p.ScaleP99Milliseconds}})
	}
	s := trial.Spec{
		Experiment: "scale", Arm: a, Replicas: n, Balancer: balancerFor(a), Lifetime: trial.Duration(time.Hour),
		Users: p.Users, Pool: 16, StoreTimeout: trial.Duration(2 * time.Second), Budgets: map[trial.Tier]float64{trial.ReplicaTier: p.ScaleReplicaCPU},
		Load: trial.Load{Connections: max(p.Connections, inFlight), Sources: p.Sources, Phases: phases},
	}
	if arm.Of(a).State == arm.Shared {
		s.Resident = p.Resident
	}
	return s
}

// balancerFor is the balancer with which an arm works behind several replicas.
func balancerFor(a trial.Arm) trial.Balancer {
	if arm.Of(a).State == arm.Replica {
		return trial.Sticky
	}
	return trial.RoundRobin
}

func scaleRules(p Profile, tested []trial.Arm) []trial.Rule {
	c03 := trial.Rule{Claim: "C03", Statement: "JWT scales better than sessions.", Metric: "efficiency_vs_control",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 0.10}
	largest := slices.Max(p.ScaleReplicas)
	for _, t := range arm.Tokens(tested) {
		for _, s := range arm.Sessions(tested) {
			c03.Compare = append(c03.Compare, trial.Comparison{
				Name:    fmt.Sprintf("%s vs %s at N=%d", t, s, largest),
				A:       trial.Selector{Arm: t, Replicas: largest, Phase: "saturation"},
				B:       trial.Selector{Arm: s, Replicas: largest, Phase: "saturation"},
				Factors: factors(t, s),
			})
		}
	}
	return finish("scale", c03)
}
