package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// commonStep is the step at the highest of the rates, which are common to all arms.
const commonStep = "load=common"

// commonLoad is the share of one CPU that the heaviest duet should keep busy at the common rate, in percent.
const commonLoad = 60

func loadStep(percent int) string { return fmt.Sprintf("load=%d%%", percent) }

// tryingStep is the step of a calibration trial, at a rate that any machine serves.
const (
	tryingStep = "trying"
	tryingRate = 300
)

// sharedSecret is the arm that those of a public key are held against.
const sharedSecret trial.Arm = "jwt/HS256"

// fewReplicas are as many as a store core must feed for its ceiling to be far: a
// service of so many replica cores for each core of its store has no worry of it.
const fewReplicas = 16

// Cost asks what authenticating one request costs: CPU by tier over the control,
// store operations, bytes, latency; every arm, one replica, no CPU budgets.
//
// Each trial is a duet: the arm and the control side by side, loaded at the same
// moment at the same rate, so that what disturbs one disturbs the other (Bulej et
// al., ICPE 2020). Because CPU per request falls as load rises, all arms are
// measured at the same rates. The control beside itself is the A/A pair.
func Cost(p Profile) Experiment {
	tested := p.CostArms
	all := append([]trial.Arm{trial.Control}, tested...)
	var calibrate []trial.Spec
	common := fmt.Sprintf("%g/s", p.CostRate)
	if p.CostRate == 0 {
		for _, a := range all {
			calibrate = append(calibrate, costDuet(p, a,
				trial.Step{Name: "warm-up", Warmup: true, Seconds: 1, Streams: p.open(tryingRate)},
				trial.Step{Name: tryingStep, Seconds: 1, Streams: p.open(tryingRate)},
			))
		}
		common = fmt.Sprintf("that at which the heaviest pair should keep one CPU %d %% busy, from CPU per request at %d/s in a "+
			"calibration trial", commonLoad, tryingRate)
	}
	return Experiment{
		Name:     "cost",
		Question: "What does authenticating one request cost?",
		Method: fmt.Sprintf("Duets: one replica of the arm behind its nginx and one of the control behind another stand side by side and get "+
			"the same open-loop Poisson arrivals at the same moment; each pair is started afresh for every block. The common rate is %s. "+
			"CPU by tier per successful request over the control's beside it, as a share of the control's, given in microseconds at the control's "+
			"quietest level. Last comes a closed loop on both, %d requests in flight each, for the CPU of a request when the CPU has no pause: "+
			"that limits throughput.", common, inFlight),
		Blocks:    p.CostBlocks,
		Calibrate: calibrate,
		Trials:    func(done []trial.Trial) ([]trial.Spec, error) { return costTrials(p, all, done) },
		Rules:     costRules(tested),
		Figures:   costFigures(p),
		Advice:    costAdvice,
	}
}

// costDuet is an arm beside the control.
func costDuet(p Profile, a trial.Arm, steps ...trial.Step) trial.Spec {
	return duet("cost", costCell(p, a, steps...), costCell(p, trial.Control, steps...))
}

func costCell(p Profile, a trial.Arm, steps ...trial.Step) trial.CellSpec {
	return p.resident(trial.CellSpec{Cell: trial.NewCell("arm", a), System: p.system(a, 1, trial.RoundRobin, time.Hour), Steps: steps})
}

// costTrials measures every arm at the same rates.
func costTrials(p Profile, all []trial.Arm, done []trial.Trial) ([]trial.Spec, error) {
	common := p.CostRate
	if common == 0 {
		demand, err := heaviestDemand(all, done)
		if err != nil {
			return nil, err
		}
		common = float64(commonLoad) / 100 / demand
	}
	rate := func(percent int) float64 { return round2(common * float64(percent) / commonLoad) }
	atCommon := p.open(cmp.Or(p.CostRate, rate(commonLoad))) // one that is set is kept to its last digit
	steps := []trial.Step{
		{Name: "warm-up", Warmup: true, Seconds: 1.5, Streams: atCommon},
		{Name: commonStep, Seconds: p.CostStepSeconds, Streams: atCommon},
	}
	for _, l := range p.CostLoads {
		steps = append(steps, trial.Step{Name: loadStep(l), Seconds: p.CostStepSeconds, Streams: p.open(rate(l))})
	}
	steps = append(steps, trial.Step{Name: saturationStep, Seconds: p.CostStepSeconds, Streams: p.closed(inFlight)})
	var specs []trial.Spec
	for _, a := range all {
		specs = append(specs, costDuet(p, a, steps...))
	}
	return specs, nil
}

// heaviestDemand is the CPU-seconds per request of the arm that needs most, with
// its control, in the calibration trials: CPU time tells how many requests a CPU
// serves, and no noise can poison it as it does throughput.
func heaviestDemand(all []trial.Arm, done []trial.Trial) (float64, error) {
	demands := map[trial.Arm]float64{} // CPU-seconds per request of an arm and its control together
	for _, t := range done {
		both := 0.0
		for cell := range t.Spec.Cells {
			both += demand(t, cell, tryingStep)
		}
		a := t.Spec.Cells[0].System.Arm
		if both > 0 && (demands[a] == 0 || both < demands[a]) { // of several attempts the least: noise only adds
			demands[a] = both
		}
	}
	heaviest := 0.0
	for _, a := range all {
		if demands[a] == 0 {
			return 0, fmt.Errorf("cost: no calibration of arm %s served a request: see its trial's warnings", a)
		}
		heaviest = max(heaviest, demands[a])
	}
	return heaviest, nil
}

// demand is the CPU-seconds of all serving tiers for one successful request of a
// cell in a step; 0 where there was none.
func demand(t trial.Trial, cell int, step string) float64 {
	m, ok := t.Step(cell, step)
	if !ok {
		return 0
	}
	r, ok := m.Result("")
	if !ok || r.Outcomes[trial.Success] == 0 {
		return 0
	}
	serving := m.Usage.CPU[trial.BalancerTier] + m.Usage.CPU[trial.ReplicaTier] + m.Usage.CPU[trial.StoreTier]
	return serving / float64(r.Outcomes[trial.Success])
}

func costRules(tested []trial.Arm) []trial.Rule {
	tested = arm.Plain(tested)
	sessions, tokens := arm.Sessions(tested), arm.Tokens(tested)
	c01 := trial.Rule{Claim: "C01", Statement: "Sessions load the server, JWT is lighter.", Metric: "auth_cpu_us",
		Contrast: trial.Difference, Supports: trial.Less, Margin: 5} // 5 us is 5 % of a core at 10,000 requests a second
	c02 := trial.Rule{Claim: "C02", Statement: "Verifying a JWT needs no database.", Metric: "store_operations_per_request",
		Contrast: trial.Count, Supports: trial.Same, Margin: 0.001, Checked: true}
	c16 := trial.Rule{Claim: "C16", Statement: "Verifying with a public key costs more CPU than with a shared secret.", Metric: "auth_cpu_us",
		Contrast: trial.Difference, Supports: trial.More, Margin: 5}
	c18 := trial.Rule{Claim: "C18", Statement: "JWTs enlarge requests.", Metric: "request_bytes",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 0.05, Checked: true}
	c03 := trial.Rule{Claim: "C03", Statement: "JWT scales easily, sessions badly.", Metric: "store_cores_per_replica_core",
		Contrast: trial.Against, Supports: trial.More, Margin: 0.1 / fewReplicas, Groups: kindsOf(tested)}
	for i, g := range c03.Groups {
		if g.Name == allTokens { // no ceiling: no share of a store worth speaking of
			c03.Groups[i].Supports, c03.Groups[i].Margin = trial.Same, 0.01
		}
	}
	for _, a := range tested {
		c := trial.Comparison{Name: a.String(), A: trial.Of(a, commonStep), Factors: factors(a), Group: kindOf(a)}
		if c.Group != allTokens {
			c.Reference = 1.0 / fewReplicas
		}
		c03.Compare = append(c03.Compare, c)
	}
	c22 := trial.Rule{Claim: "C22", Statement: "PostgreSQL is too slow for sessions.", Metric: "store_cpu_vs_control",
		Contrast: trial.Ratio, Supports: trial.More, Margin: 1} // more than twice the CPU of Redis
	if slices.Contains(tested, inRedis) && slices.Contains(tested, inPostgres) {
		c22.Compare = append(c22.Compare, trial.Comparison{Name: fmt.Sprintf("%s vs %s", inPostgres, inRedis),
			A: trial.Of(inPostgres, commonStep), B: trial.Of(inRedis, commonStep), Factors: factors(inPostgres)})
	}
	for _, t := range tokens {
		for _, s := range sessions {
			c01.Compare = append(c01.Compare, trial.Comparison{
				Name: fmt.Sprintf("%s vs %s", t, s), A: trial.Of(t, commonStep), B: trial.Of(s, commonStep), Factors: factors(t, s),
			})
			c18.Compare = append(c18.Compare, trial.Comparison{
				Name: fmt.Sprintf("%s vs %s", t, s), A: trial.Of(t, commonStep), B: trial.Of(s, commonStep), Factors: factors(t, s),
			})
		}
		c02.Compare = append(c02.Compare, trial.Comparison{Name: t.String(), A: trial.Of(t, commonStep), Factors: factors(t)})
		if arm.Of(t).PublicKey() && slices.Contains(tokens, sharedSecret) {
			c16.Compare = append(c16.Compare, trial.Comparison{Name: fmt.Sprintf("%s vs %s", t, sharedSecret),
				A: trial.Of(t, commonStep), B: trial.Of(sharedSecret, commonStep), Factors: factors(t)})
		}
	}
	rules := slices.DeleteFunc([]trial.Rule{c01, c02, c03, c16, c18, c22}, func(r trial.Rule) bool { return len(r.Compare) == 0 })
	return finish("cost", rules...)
}

func costFigures(p Profile) []trial.Figure {
	common := trial.Selector{Step: commonStep}
	cost := trial.Figure{Name: "auth-cost", Chart: trial.Bars, Of: common, NoControl: true, Whole: "auth_cpu_us", Ordered: true,
		Values:  "CPU per request over the control (µs)",
		Title:   "How much CPU does authenticating one request cost, and where?",
		Caption: "CPU per successful request over the control's beside it at the same moment. Whiskers: 95 % interval of the whole.",
		Metrics: []trial.Shown{{Metric: "auth_cpu_us_replicas", As: "replicas"}, {Metric: "auth_cpu_us_store", As: "store"},
			{Metric: "auth_cpu_us_balancer", As: "balancer"}}}
	figures := []trial.Figure{
		cost,
		{Name: "latency", Chart: trial.Dots, Of: common, Unit: "ms", Log: true, Values: "latency (ms, logarithmic)",
			Title:   "How long does a request take?",
			Caption: "Median and 99th percentile of /me from the intended start, histograms merged over blocks; whiskers: lowest and highest block.",
			Metrics: []trial.Shown{{Metric: "latency_p50_us", As: "p50"}, {Metric: "latency_p99_us", As: "p99"}}},
		{Name: "store-operations", Chart: trial.Bars, Of: common, Values: "store operations per request",
			Title:   "How often does a request go to the store?",
			Caption: "Store operations per request by the store's own counters. None seen in n requests bounds the share by 3/n.",
			Metrics: []trial.Shown{{Metric: "store_operations_per_request", As: "operations per request"}}},
		{Name: "request-bytes", Chart: trial.Bars, Of: common, Values: "bytes per request",
			Title:   "How large is a request?",
			Caption: "Bytes that the client sent per request over HTTP/1.1, headers and credential included, counted at its sockets.",
			Metrics: []trial.Shown{{Metric: "request_bytes", As: "request"}}},
	}
	for i, l := range p.CostLoads {
		at := cost
		at.Name, at.Of.Step = fmt.Sprintf("auth-cost-at-%d", l), loadStep(l)
		at.Title = fmt.Sprintf("And at %d %% of that rate?", 100*l/commonLoad)
		figures = slices.Insert(figures, 1+i, at)
	}
	return figures
}

var costAdvice = []trial.Advice{
	{Claim: "C01", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "CPU per authenticated request is what you pay for: every algorithm measured used less than every session store."},
	{Claim: "C01", Answer: trial.Refuted, Side: trial.ForSessions,
		Text: "CPU per authenticated request is what you pay for: no algorithm measured used less than any session store."},
	{Claim: "C01", Answer: trial.Depends, Side: trial.ForBoth,
		Text: "do not choose by CPU without naming store and algorithm. JWT lighter: %s."},
	{Claim: "C02", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "requests must be checked without a store: none of the verifications measured went to one. Log-in, and any revocation " +
			"you add, still do."},
	{Claim: "C02", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "do not count on a JWT check without a store: here verifications did go to one."},
	{Claim: "C02", Answer: trial.Depends, Side: trial.ForBoth, Text: "whether a JWT check goes to the store depends. Without it: %s."},
	{Claim: "C03", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "you add replicas without end: no verification measured used a store, and every session store is used up by a few replica cores."},
	{Claim: "C03", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "scaling out is no reason for JWT: a core of every session store feeds many replica cores, and verifying a JWT uses a store too."},
	{Claim: "C03", Answer: trial.Partly, Side: trial.ForBoth,
		Text: "ask what your store has left before you add replicas, and whether you have a store at all. A ceiling for sessions, and none " +
			"for JWT: %s."},
	{Claim: "C16", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "you take HS256 where the verifiers may hold the secret: every public-key algorithm measured cost more CPU to verify. " +
			"Where they may not, a public key is worth its price."},
	{Claim: "C16", Answer: trial.Refuted, Side: trial.ForTokens,
		Text: "others verify your tokens: a public key cost no more CPU than a shared secret."},
	{Claim: "C16", Answer: trial.Depends, Side: trial.ForTokens,
		Text: "the algorithm is chosen with its cost in mind. A public key costs more than HS256: %s."},
	{Claim: "C18", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "bytes per request matter: every JWT measured made requests larger than every session did."},
	{Claim: "C18", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "request size is no reason against JWT: no token measured made requests larger."},
	{Claim: "C18", Answer: trial.Depends, Side: trial.ForBoth, Text: "request size depends. A JWT's is larger: %s."},
	{Claim: "C22", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "their store is Redis where it is what limits: PostgreSQL took more than twice its CPU for each request."},
	{Claim: "C22", Answer: trial.Refuted, Side: trial.ForSessions,
		Text: "PostgreSQL is there already: it took at most twice the CPU of Redis for each request."},
}
