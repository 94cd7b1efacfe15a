package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

// Steps of the experiment.
const (
	growthStep   = "growth"   // open
	capacityStep = "capacity" // open
)

// Budgets under which throughput is asked: a step lasts many quota periods.
const (
	bottleneckReplicas = 2 // that stand before a store with a budget, and have none
	bottleneckFactor   = 2 // by which that budget grows

	// bottleneckPeriods makes a step so many times as long as others, for a budget is
	// read to a period of its quota.
	bottleneckPeriods = 2

	// storePool is the number of connections to the store, of all replicas together: a
	// request takes more of a PostgreSQL the more of them are busy.
	storePool = 16
)

// Scale asks what limits an arm that is scaled out, in three ways: whether a
// request costs more CPU as replicas are added, which only hidden coordination
// would explain; whether throughput follows a shared store's budget; and what a
// model of the whole serves, built small. How many replicas a store core feeds
// follows from the trials of cost, and so do the curves of the model: demands are
// measured there, and checked here.
func Scale(p Profile) Experiment {
	var specs, calibrate []trial.Spec
	one, most := 1, p.ScaleGrowthReplicas
	for _, a := range p.ScaleArms {
		calibrate = append(calibrate, duet("scale", saturated(p, a, a, one, 0, 0), saturated(p, trial.Control, a, one, 0, 0)))
		specs = append(specs, growthDuet(p, a, one), growthDuet(p, a, most))
		for _, n := range p.ScaleReplicas {
			specs = append(specs, smallDuet(p, a, n))
		}
	}
	for _, a := range storeArms(p.ScaleArms) {
		low, high := bottleneckBudgets(p)
		calibrate = append(calibrate, bottleneckDuet(p, a, low))
		specs = append(specs, bottleneckDuet(p, a, low), bottleneckDuet(p, a, high))
	}
	return Experiment{
		Name:     "scale",
		Question: "What limits an arm that is scaled out?",
		Method: fmt.Sprintf("Duets, as in cost. Growth: arm and control with 1 and with %d replicas each, at %g requests/s for all of them. "+
			"Bottleneck: %d replicas without a budget before a store with one, and with %d times as much. Model: %s replicas of %g CPU and a "+
			"store of %g CPU. Beside these last two stands a control of as many replicas of %g CPU, and all are in a closed loop, %d requests in "+
			"flight per replica: throughput only, no capacity and no latency. Budgets are quotas of "+
			"10 ms and more in 100 ms periods, or longer ones. Demands of calibration trials predict what is measured after them.%s",
			most, p.ScaleRate, bottleneckReplicas, bottleneckFactor, anyOf(p.ScaleReplicas), p.ScaleReplicaCPU,
			p.ScaleStoreCPU, p.ScaleReplicaCPU, inFlight, scaleSearches(p)),
		Blocks:    p.ScaleBlocks,
		Calibrate: calibrate,
		Trials:    fixed(specs),
		Predict:   func(done []trial.Trial) []trial.Prediction { return scalePredictions(p, done) },
		Rules:     scaleRules(p),
		Figures:   scaleFigures(p),
		Advice:    scaleAdvice,
	}
}

// scaleSearches says how the capacity is searched for, where it is.
func scaleSearches(p Profile) string {
	if p.ScaleSearchSteps == 0 {
		return ""
	}
	return fmt.Sprintf(" Then an open-loop search for the capacity of the model with %d replicas, from a low rate up: %s.",
		slices.Max(p.ScaleReplicas), scaleSLO(p))
}

func scaleSLO(p Profile) trial.SLO { return trial.SLO{P99Milliseconds: p.ScaleP99Milliseconds} }

// scalePlace is a cell of the experiment. A budget of 0 is none.
func scalePlace(a trial.Arm, replicas int, replicaCPU, storeCPU float64) trial.Cell {
	level := func(cpus float64) any {
		if cpus == 0 {
			return "unlimited"
		}
		return cpus
	}
	return trial.NewCell("arm", a, "replicas", replicas, "replica_cpu", level(replicaCPU), "store_cpu", level(storeCPU))
}

// growthDuet is an arm beside the control, both with so many replicas behind the same balancer.
func growthDuet(p Profile, a trial.Arm, n int) trial.Spec {
	steps := []trial.Step{
		{Name: "warm-up", Warmup: true, Seconds: 1.5, Streams: p.open(p.ScaleRate)},
		{Name: growthStep, Seconds: p.ScaleStepSeconds, Streams: p.open(p.ScaleRate)},
	}
	cell := func(of trial.Arm) trial.CellSpec {
		c := trial.CellSpec{Cell: scalePlace(of, n, 0, 0), System: p.system(of, n, balancerFor(a), time.Hour), Steps: steps}
		c.System.Server[trial.SettingPool] = strconv.Itoa(max(1, storePool/n))
		return p.resident(c)
	}
	return duet("scale", cell(a), cell(trial.Control))
}

// smallDuet is the model of n replicas of a core each and one of the store, built small.
func smallDuet(p Profile, a trial.Arm, n int) trial.Spec {
	own, control := saturated(p, a, a, n, p.ScaleReplicaCPU, p.ScaleStoreCPU), smallControl(p, a, n)
	if p.ScaleSearchSteps > 0 && n == slices.Max(p.ScaleReplicas) {
		search := trial.Step{Name: capacityStep, Seconds: p.ScaleStepSeconds}
		control.Steps = append(control.Steps, search) // it stands idle
		search.Streams = p.open(0)
		search.Search = &trial.Search{Steps: p.ScaleSearchSteps, SLO: scaleSLO(p), From: 200 * float64(n), Resolution: 0.1, Repeats: 2}
		own.Steps = append(own.Steps, search)
	}
	return duet("scale", own, control)
}

// bottleneckDuet has no limit but its store's budget, and the machine.
func bottleneckDuet(p Profile, a trial.Arm, storeCPU float64) trial.Spec {
	p.ScaleStepSeconds *= bottleneckPeriods
	return duet("scale", saturated(p, a, a, bottleneckReplicas, 0, storeCPU), smallControl(p, a, bottleneckReplicas))
}

// smallControl is the control of as many small replicas as the arm beside it has,
// behind such a balancer: what it serves is the unit of what they do, so that what
// processes on one CPU do to each other's caches, and replicas of a core each would
// not, hits both.
func smallControl(p Profile, beside trial.Arm, n int) trial.CellSpec {
	return saturated(p, trial.Control, beside, n, p.ScaleReplicaCPU, 0)
}

// bottleneckBudgets are those that a store gets, in CPUs.
func bottleneckBudgets(p Profile) (low, high float64) {
	return p.ScaleStoreCPU, bottleneckFactor * p.ScaleStoreCPU
}

// saturated is a cell in a closed loop, under budgets, behind the balancer that an
// arm beside it needs. It sends a request where the fewest are, if it may: by turns
// they would all wait for the replica whose quota is spent, while the others' went
// unused.
func saturated(p Profile, a, beside trial.Arm, n int, replicaCPU, storeCPU float64) trial.CellSpec {
	b := balancerFor(beside)
	if b == trial.RoundRobin {
		b = trial.LeastConn
	}
	all := inFlight * n
	p.Connections = max(p.Connections, all)
	c := trial.CellSpec{Cell: scalePlace(a, n, replicaCPU, storeCPU), System: p.system(a, n, b, time.Hour), Steps: []trial.Step{
		{Name: "warm-up", Warmup: true, Seconds: 1, Streams: p.closed(all)}, // quota periods keep throughput from ever being steady
		{Name: saturationStep, Seconds: p.ScaleStepSeconds, Streams: p.closed(all)},
	}}
	c.System.Server[trial.SettingStoreTimeout] = (2 * time.Second).String()
	c.System.Server[trial.SettingPool] = strconv.Itoa(max(1, storePool/n))
	c.System.Budgets = map[trial.Tier]float64{}
	if replicaCPU > 0 {
		c.System.Budgets[trial.ReplicaTier] = replicaCPU
	}
	if storeCPU > 0 && arm.Of(a).Store() != "" {
		c.System.Budgets[trial.StoreTier] = storeCPU
	}
	return p.resident(c)
}

// balancerFor is the balancer with which an arm works behind several replicas.
func balancerFor(a trial.Arm) trial.Balancer { return arm.Of(a).Balancer() }

// storeArms are those whose requests ask a store.
func storeArms(arms []trial.Arm) []trial.Arm {
	return slices.DeleteFunc(slices.Clone(arms), func(a trial.Arm) bool { return arm.Of(a).Store() == "" })
}

// scalePredictions say what trials will show by what calibration trials have shown.
func scalePredictions(p Profile, done []trial.Trial) (all []trial.Prediction) {
	// calibrated is the step of a calibration trial's cells, by the first attempt that no doubt spoils, or else the first.
	calibrated := func(c trial.Cell, step string) (t *trial.Trial, found bool) {
		for i := range done {
			if done[i].Spec.Cells[0].Cell.String() != c.String() {
				continue
			}
			_, spoiled := done[i].Spoiled(step, trial.CPUTotal)
			if t == nil {
				t = &done[i]
			}
			if !spoiled {
				return &done[i], true
			}
		}
		return t, t != nil
	}
	demand := func(t *trial.Trial, cell int, step string) (model.Demand, error) {
		m, ok := t.Step(cell, step)
		if !ok {
			return model.Demand{}, fmt.Errorf("no step %s", step)
		}
		return model.Measured(m)
	}
	// most is what the tier that is used up first allows: as requests go where the
	// fewest are, no replica stands idle while another has a queue.
	most := func(d model.Demand, replicas int) float64 {
		_, high := model.System{StoreCores: 1, InFlight: inFlight}.Bounds(d, replicas)
		return high
	}
	// predict adds what replicas will serve over what as many small ones of the control do beside them.
	predict := func(of trial.Cell, from trial.Cell, replicas int, name, formula string, serves func(own model.Demand) float64) {
		t, ok := calibrated(from, saturationStep)
		if !ok {
			return
		}
		own, err := demand(t, 0, saturationStep)
		control, cerr := demand(t, 1, saturationStep)
		if err != nil || cerr != nil {
			return
		}
		all = append(all, trial.Prediction{Experiment: "scale", Name: name, Of: trial.Selector{Cell: of, Step: saturationStep},
			Metric: "throughput_vs_control", Value: serves(own) / most(control.Budgeted(p.ScaleReplicaCPU, 1), replicas),
			Formula: formula, From: []string{t.Key}})
	}
	for _, a := range p.ScaleArms {
		for _, n := range p.ScaleReplicas {
			predict(scalePlace(a, n, p.ScaleReplicaCPU, p.ScaleStoreCPU), scalePlace(a, 1, 0, 0), n,
				fmt.Sprintf("%s, model of %s", a, plural(n, "replica")),
				"what the tier that is used up first allows, by the CPU of a request, and of the control's, without budgets",
				func(own model.Demand) float64 { return most(own.Budgeted(p.ScaleReplicaCPU, p.ScaleStoreCPU), n) })
		}
	}
	for _, a := range storeArms(p.ScaleArms) {
		low, high := bottleneckBudgets(p)
		cell := scalePlace(a, bottleneckReplicas, 0, low)
		predict(cell.With("store_cpu", high), cell, bottleneckReplicas, fmt.Sprintf("%s, store of %g CPU", a, high),
			fmt.Sprintf("%g CPU over the store's CPU of a request at %g CPU, if nothing else is a limit", high, low),
			func(own model.Demand) float64 { return high / own.Store })
	}
	return all
}

func scaleRules(p Profile) []trial.Rule {
	// Throughput is (share of its budget that the store uses) x budget / (store's CPU of a request). So where the share is 1
	// with either budget, throughput follows the budget; and what slows a request moves throughput, but not the share.
	c04 := trial.Rule{Claim: "C04", Statement: "The shared store is the bottleneck.", Metric: "store_budget_used",
		Contrast: trial.Against, Supports: trial.Same, Margin: 0.10}
	c40 := trial.Rule{Claim: "C40", Statement: "Every replica that is added makes a request dearer.", Metric: "cpu_vs_control",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 0.15, Groups: kindsOf(p.ScaleArms)}
	for _, a := range storeArms(p.ScaleArms) {
		low, high := bottleneckBudgets(p)
		c04.Groups = append(c04.Groups, trial.Group{Name: a.String()})
		for _, cpus := range []float64{low, high} {
			c04.Compare = append(c04.Compare, trial.Comparison{Name: fmt.Sprintf("%s, a store of %g CPU", a, cpus),
				A:         trial.Selector{Cell: scalePlace(a, bottleneckReplicas, 0, cpus), Step: saturationStep},
				Reference: 1, Factors: append(factors(a), fmt.Sprintf("store CPU=%g", cpus)), Group: a.String()})
		}
	}
	for _, a := range p.ScaleArms {
		at := func(n int) trial.Selector { return trial.Selector{Cell: scalePlace(a, n, 0, 0), Step: growthStep} }
		c40.Compare = append(c40.Compare, trial.Comparison{Name: fmt.Sprintf("%s, %d replicas vs 1", a, p.ScaleGrowthReplicas),
			A: at(p.ScaleGrowthReplicas), B: at(1), Factors: factors(a), Group: kindOf(a)})
	}
	if len(c04.Compare) == 0 {
		return finish("scale", c40)
	}
	return finish("scale", c04, c40)
}

// Kinds of arms by what may limit them when they are scaled out, as a verdict names them.
const (
	storeSessions = "sessions in a shared store"
	otherSessions = "sessions that ask no store"
	allTokens     = "JWT"
)

func kindOf(a trial.Arm) string {
	switch k := arm.Of(a); {
	case k.Family == arm.Token:
		return allTokens
	case k.Store() != "":
		return storeSessions
	}
	return otherSessions
}

// kindsOf are the groups of a rule that some arms fall into.
func kindsOf(arms []trial.Arm) (groups []trial.Group) {
	for _, name := range []string{allTokens, storeSessions, otherSessions} {
		if slices.ContainsFunc(arms, func(a trial.Arm) bool { return kindOf(a) == name }) {
			groups = append(groups, trial.Group{Name: name})
		}
	}
	return groups
}

func scaleFigures(p Profile) []trial.Figure {
	small := trial.Selector{Cell: trial.NewCell("replica_cpu", p.ScaleReplicaCPU, "store_cpu", p.ScaleStoreCPU), Step: saturationStep}
	modelled := &trial.Modelled{Replicas: 64, StoreCores: []int{1, 4}}
	figures := []trial.Figure{
		{Name: "scaling", Chart: trial.Model, Of: small, Along: "replicas", NoControl: true, Levels: "replicas of one core (N, logarithmic)",
			Values: "requests/s (logarithmic)", Modelled: modelled,
			Title: "How much do N replicas serve, and what ends it?",
			Caption: fmt.Sprintf("Lines: what N replicas of one core serve at most, closed, by exact mean value analysis of the CPU that a request "+
				"took in cost when the CPU had no pause; level lines: what all cores of the store allow. Rimmed points: measured with replicas and a "+
				"store of %g CPU each, as so many times what as many of the control did beside them, which the model puts on the scale of whole "+
				"cores. Whiskers: 95 %% interval over blocks.", p.ScaleReplicaCPU),
			Metrics: []trial.Shown{{Metric: "throughput_vs_control"}}},
		{Name: "crossings", Chart: trial.Crossings, Of: small, Along: "replicas", NoControl: true, Modelled: modelled,
			Title: "From how many replicas on does an arm without a store serve more?",
			Caption: "By the curves above, with 95 % intervals over blocks. Below the crossing the arm with a store serves more: its requests " +
				"take less CPU of a replica.",
			Metrics: []trial.Shown{{Metric: "throughput_vs_control"}}},
		{Name: "growth", Chart: trial.Table, Of: trial.Selector{Cell: trial.NewCell("replica_cpu", "unlimited", "store_cpu", "unlimited"),
			Step: growthStep}, Along: "replicas", NoControl: true,
			Title: "Does a request cost more as replicas are added?",
			Caption: "CPU of all tiers per request relative to the control's beside it, which has as many replicas and the same load. " +
				"Coordination between replicas would make it grow.",
			Metrics: []trial.Shown{{Metric: "cpu_vs_control"}}},
		{Name: "predictions", Chart: trial.Predictions, Of: trial.Selector{Step: saturationStep},
			Title: "Does the model predict what is measured?",
			Caption: "Each prediction was written into the run before the first trial that checks it. Throughput is so many times that of the " +
				"control beside it, which the same noise hits.",
			Metrics: []trial.Shown{{Metric: "throughput_vs_control"}}},
	}
	if len(storeArms(p.ScaleArms)) > 0 {
		figures = slices.Insert(figures, 2, trial.Figure{Name: "store-bottleneck", Chart: trial.Table,
			Of:    trial.Selector{Cell: trial.NewCell("replicas", bottleneckReplicas, "replica_cpu", "unlimited"), Step: saturationStep},
			Title: "Does throughput follow the shared store's budget?",
			Caption: fmt.Sprintf("%d replicas without a budget, closed loop. Where the store is the bottleneck it uses its whole budget, and "+
				"twice as much serves twice as many. CPUs kept busy show what else may be the limit: the system under test has few. "+
				"A store that has no pause may take less or more of a request than in cost: so many replica cores does one of its cores feed here.",
				bottleneckReplicas),
			Metrics: []trial.Shown{{Metric: "throughput_vs_control", As: "throughput over a small control's"},
				{Metric: "store_budget_used", As: "of the store's budget"},
				{Metric: "replica_cores_per_store_core", As: "replica cores for each of the store"},
				{Metric: "cores_store", As: "store"}, {Metric: "cores_replicas", As: "replicas"}, {Metric: "cores_balancer", As: "balancer"}}})
	}
	if p.ScaleSearchSteps > 0 {
		figures = append(figures, trial.Figure{Name: "capacity", Chart: trial.Table, Of: trial.Selector{Step: capacityStep}, Along: "replicas",
			Title:   "Which rate does an arm sustain within the latency objective?",
			Caption: fmt.Sprintf("Highest offered rate (requests/s, open loop) that held: %s.", scaleSLO(p)),
			Metrics: []trial.Shown{{Metric: "capacity_per_second"}}})
	}
	return figures
}

// plural is a number of things.
func plural(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}

// anyOf lists some numbers for a sentence: 1, 2 or 4.
func anyOf(ns []int) string {
	text := strconv.Itoa(ns[0])
	for i, n := range ns[1:] {
		if i == len(ns)-2 {
			text += " or " + strconv.Itoa(n)
			continue
		}
		text += ", " + strconv.Itoa(n)
	}
	return text
}

var scaleAdvice = []trial.Advice{
	{Claim: "C04", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "the store can be made as large as the load: it used up its CPU, with twice as much as well, and all else waited for it."},
	{Claim: "C04", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "a store of the size measured is not what limits: it did not use the CPU that it had."},
	{Claim: "C04", Answer: trial.Partly, Side: trial.ForSessions,
		Text: "you know what limits: the store of the size measured is the bottleneck or is not. That it is: %s."},
	{Claim: "C40", Answer: trial.Supported, Side: trial.ForBoth,
		Text: "count on dearer requests when you add replicas: every arm measured cost more with many."},
	{Claim: "C40", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "adding replicas is no reason for or against either: no arm's requests cost more with many."},
	{Claim: "C40", Answer: trial.Partly, Side: trial.ForBoth,
		Text: "what a request costs with many replicas is a question of its own. That it costs more: %s."},
}
