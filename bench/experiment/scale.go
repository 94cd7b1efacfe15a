package experiment

import (
	"fmt"
	"slices"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Steps of a search for capacity.
const (
	saturationStep = "saturation" // closed loop
	capacityStep   = "capacity"   // open
)

// Scale asks whether throughput grows with replicas: N replicas of equal CPU
// budget, fixed concurrency per replica, each arm's efficiency relative to the
// control's at the same N, because quotas bend even the control's curve.
func Scale(p Profile) Experiment {
	tested := p.ScaleArms
	var specs []trial.Spec
	for _, a := range append([]trial.Arm{trial.Control}, tested...) {
		for _, n := range p.ScaleReplicas {
			specs = append(specs, trial.Single("scale", scaleCell(p, a, n)))
		}
	}
	return Experiment{
		Name:     "scale",
		Question: "Does throughput grow with the number of replicas?",
		Method: fmt.Sprintf("Replicas of %g CPU each (quota in 100 ms periods), %d requests in flight per replica, closed loop for throughput. "+
			"Efficiency is X(N) / (N X(1)), set against the control's at the same N.%s", p.ScaleReplicaCPU, scaleInFlight, scaleSearches(p)),
		Blocks:  p.ScaleBlocks,
		Trials:  fixed(specs),
		Rules:   scaleRules(p, tested),
		Figures: scaleFigures(p),
		Advice:  scaleAdvice,
	}
}

// scaleSearches says how the capacity is searched for, where it is.
func scaleSearches(p Profile) string {
	if p.ScaleSearchSteps == 0 {
		return ""
	}
	return fmt.Sprintf(" Then an open-loop search for the capacity, from a low rate up: %s.", scaleSLO(p))
}

func scaleSLO(p Profile) trial.SLO { return trial.SLO{P99Milliseconds: p.ScaleP99Milliseconds} }

// scaleInFlight is the number of requests in flight per replica. It must exceed
// what a replica serves in one quota period: otherwise all requests pile up at
// a replica that is out of quota while the others, theirs unspent, wait for
// work, and the curve shows the quota rather than the arm.
const scaleInFlight = 256

func scaleCell(p Profile, a trial.Arm, n int) trial.CellSpec {
	inFlight := scaleInFlight * n
	p.Connections = max(p.Connections, inFlight)
	steps := []trial.Step{
		{Name: "warm-up", Warmup: true, Seconds: 0.5, Streams: p.closed(inFlight)}, // quota periods keep throughput from ever being steady
		{Name: saturationStep, Seconds: p.ScaleStepSeconds, Streams: p.closed(inFlight)},
	}
	if p.ScaleSearchSteps > 0 {
		steps = append(steps, trial.Step{Name: capacityStep, Seconds: p.ScaleStepSeconds, Streams: p.open(0),
			Search: &trial.Search{Steps: p.ScaleSearchSteps, SLO: scaleSLO(p), From: 200 * float64(n), Resolution: 0.1, Repeats: 2}})
	}
	c := trial.CellSpec{Cell: trial.NewCell("arm", a, "replicas", n), System: p.system(a, n, balancerFor(a), time.Hour), Steps: steps}
	c.System.Server[trial.SettingStoreTimeout] = (2 * time.Second).String()
	c.System.Budgets = map[trial.Tier]float64{trial.ReplicaTier: p.ScaleReplicaCPU}
	if arm.Of(a).State == arm.Shared {
		c.System.Resident = p.Resident
	}
	return c
}

// balancerFor is the balancer with which an arm works behind several replicas.
func balancerFor(a trial.Arm) trial.Balancer { return arm.Of(a).Balancer() }

func scaleRules(p Profile, tested []trial.Arm) []trial.Rule {
	c03 := trial.Rule{Claim: "C03", Statement: "JWT scales better than sessions.", Metric: "efficiency_vs_control",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 0.10}
	largest := slices.Max(p.ScaleReplicas)
	at := func(a trial.Arm) trial.Selector {
		return trial.Selector{Cell: trial.NewCell("arm", a, "replicas", largest), Step: saturationStep}
	}
	for _, t := range arm.Tokens(tested) {
		for _, s := range arm.Sessions(tested) {
			c03.Compare = append(c03.Compare, trial.Comparison{
				Name: fmt.Sprintf("%s vs %s at N=%d", t, s, largest), A: at(t), B: at(s), Factors: factors(t, s),
			})
		}
	}
	return finish("scale", c03)
}

func scaleFigures(p Profile) []trial.Figure {
	saturated := trial.Selector{Step: saturationStep}
	figures := []trial.Figure{
		{Name: "scale-throughput", Chart: trial.Lines, Of: saturated, Along: "replicas", Zero: true, Levels: "replicas (N)", Values: "requests/s",
			Title: "How much more do N replicas serve?",
			Caption: fmt.Sprintf("Successful requests per second at saturation (closed loop, the same number in flight per replica), "+
				"replicas of %g CPU each. "+
				"Whiskers: 95 %% interval.", p.ScaleReplicaCPU),
			Metrics: []trial.Shown{{Metric: "throughput_per_second"}},
			Bent: &trial.Bent{Metric: "efficiency", Of: trial.NewCell("arm", trial.Control), Below: 0.9,
				Text: "absolute curves are distorted: the control itself reaches an efficiency of only"}},
		{Name: "scale-efficiency", Chart: trial.Lines, Of: saturated, NoControl: true, Along: "replicas", Reference: 1, Levels: "replicas (N)",
			Values: "efficiency relative to the control's (%)",
			Title:  "Does authentication cost scalability?",
			Caption: "Efficiency X(N) / (N X(1)) relative to the control's at the same N: at 100 % an arm scales as the server does without " +
				"authentication. Whiskers: 95 % interval.",
			Metrics: []trial.Shown{{Metric: "efficiency_vs_control"}}},
	}
	if p.ScaleSearchSteps == 0 {
		return figures
	}
	return append(figures, trial.Figure{Name: "capacity", Chart: trial.Table, Of: trial.Selector{Step: capacityStep}, Along: "replicas",
		Title:   "Which rate does an arm sustain within the latency objective?",
		Caption: fmt.Sprintf("Highest offered rate (requests/s, open loop) that held: %s.", scaleSLO(p)),
		Metrics: []trial.Shown{{Metric: "capacity_per_second"}}})
}

var scaleAdvice = []trial.Advice{
	{Claim: "C03", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "you add replicas: throughput grew better with them than with every session store measured."},
	{Claim: "C03", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "scaling out is no reason for JWT at the replica counts measured: sessions grew with the replicas as well."},
	{Claim: "C03", Answer: trial.Depends, Side: trial.ForBoth, Text: "scaling depends on store and algorithm. JWT scales better: %s."},
}
