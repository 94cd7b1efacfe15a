package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// outageStep is the one step of a trial: before, during and after the fault.
const outageStep = "outage"

// Times of the step, in seconds. The fault lasts long enough for some hundred
// requests and ends early enough for the way back to be seen.
const (
	outageAt      = 1.0
	outageLasts   = 1.5
	outageSeconds = 5.0
	exhaustLasts  = 2.5 // of which it takes up to a second to have all of PostgreSQL's connections
)

// outageRate is low: what is asked is who is answered, not how many.
const outageRate = 100 // requests/s with valid credentials

// breakage is something that can happen to a store here; a profile names it.
type breakage struct {
	name  string
	claim string // that it is asked for
	store string // the only one that it can befall; "" is any
	fault trial.Fault
}

// outageFaults are all of them.
func outageFaults() []breakage {
	of := func(kind, target string, with map[string]string) trial.Fault {
		return trial.Fault{Kind: kind, Target: target, At: outageAt, Lasts: outageLasts, With: with}
	}
	return []breakage{
		{"kill", "C23", "", of("kill", "store", nil)},
		{"hang", "C23", "", of("hang", "store", nil)},
		{"cut", "C23", "", of("cut", "store", nil)},
		{"slow", "C23", "", of("slow", "store", map[string]string{"latency": "100ms"})},
		{"exhaust", "C23", "", trial.Fault{Kind: "exhaust", Target: "store", At: outageAt, Lasts: exhaustLasts}},
		{"restart-empty", "C24", "", of("restart", "store", map[string]string{"data": "lost"})},
		{"restart-kept", "C24", "", of("restart", "store", map[string]string{"data": "kept"})},
		{"evict", "C33", "redis", of("full", "redis", map[string]string{"policy": "allkeys-lru", "left": "50%"})},
		{"full", "C33", "redis", of("full", "redis", nil)},
	}
}

// outageFault finds one by its name. The error names all.
func outageFault(name string) (breakage, error) {
	var known []string
	for _, b := range outageFaults() {
		if b.name == name {
			return b, nil
		}
		known = append(known, b.name)
	}
	return breakage{}, fmt.Errorf("outage_faults holds %q: want %s", name, strings.Join(known, ", "))
}

// befalls says whether it is asked of an arm. What becomes of users while the
// store is gone is asked of every arm, so that it is seen who needs none; what
// becomes of what it holds, where it stands.
func (b breakage) befalls(a trial.Arm) bool {
	k := arm.Of(a)
	if b.store != "" {
		there, _ := k.Uses(b.store)
		return there
	}
	return b.claim == "C23" || len(k.Stores) > 0
}

// LinkFaults are those that act upon the link to the store, through a proxy.
var LinkFaults = []string{"slow", "cut"}

// breaksLinks says whether a proxy stands between replicas and store: in every
// arm or in none.
func (p Profile) breaksLinks() bool {
	return slices.ContainsFunc(p.OutageFaults, func(f string) bool { return slices.Contains(LinkFaults, f) })
}

// Outage asks who is still served while the store is gone, and after: it is
// killed, hangs, is slow, restarts or runs full, under a steady load of valid
// credentials, and of ones that must be refused whatever breaks.
func Outage(p Profile) Experiment {
	var specs []trial.Spec
	rules := []trial.Rule{
		{Claim: "C23", Statement: "A store outage is a total outage.", Metric: "outage_availability",
			Contrast: trial.Count, Supports: trial.Same, Margin: 0.05},
		{Claim: "C24", Statement: "A store that restarts logs everyone out.", Metric: "refused_after_share",
			Contrast: trial.Count, Supports: trial.More, Margin: 0.05},
		{Claim: "C33", Statement: "A store that runs full logs users out.", Metric: "outage_refused_share",
			Contrast: trial.Count, Supports: trial.More, Margin: 0.05},
	}
	for _, a := range p.OutageArms {
		for _, name := range p.OutageFaults {
			b, err := outageFault(name)
			if err != nil || !b.befalls(a) { // a profile's have been checked
				continue
			}
			c := outageCell(p, a, b)
			specs = append(specs, trial.Single("outage", c))
			i := slices.IndexFunc(rules, func(r trial.Rule) bool { return r.Claim == b.claim })
			rules[i].Compare = append(rules[i].Compare,
				trial.Comparison{Name: fmt.Sprintf("%s, %s", a, name), A: trial.Selector{Cell: c.Cell, Step: outageStep},
					Factors: append(factors(a), "state="+string(arm.Of(a).State), "fault="+name)})
		}
	}
	rules = slices.DeleteFunc(rules, func(r trial.Rule) bool { return len(r.Compare) == 0 })
	proxy := ""
	if p.breaksLinks() {
		proxy = ", a proxy between replica and store in every arm"
	}
	return Experiment{
		Name:     "outage",
		Question: "Who is still served while the store is gone?",
		Method: fmt.Sprintf("One replica behind nginx%s; %d requests/s with valid credentials, and a few that must be refused. "+
			"After %g s the store is broken for %g s: killed, stopped, cut off, slowed by 100 ms or out of connections; restarted, empty or "+
			"with what it held; or full, refusing writes or forgetting half of what it holds. An arm without a store has nothing to break. "+
			"Availability is the share of valid users' requests answered 2xx while the fault is in effect.",
			proxy, outageRate, outageAt, outageLasts),
		Blocks:  p.OutageBlocks,
		Trials:  fixed(specs),
		Rules:   finish("outage", rules...),
		Figures: []trial.Figure{outageTimeLine("outage", outageStep)},
		Advice:  outageAdvice,
	}
}

// outageTimeLine shows a step in which something breaks.
func outageTimeLine(name, step string) trial.Figure {
	return trial.Figure{Name: name, Chart: trial.TimeLine, Of: trial.Selector{Step: step}, Unit: "ms",
		Title: "Who is still served while the store is gone?",
		Caption: "What valid users were answered, second by second, as shares of the requests that ended in each tenth of a second " +
			"(the first block). White: none ended. Full strokes: the fault is seen to begin and to be over; dashed: its end is asked for. " +
			"In the table, availability is over all blocks.",
		Metrics: []trial.Shown{{Metric: "outage_availability", As: "answered 2xx during the fault"},
			{Metric: "outage_refused_share", As: "answered 401 during the fault"},
			{Metric: "refused_after_share", As: "answered 401 after it"},
			{Metric: "error_time_p99_us", As: "time to an error, p99"}, {Metric: "recovery_seconds", As: "recovery"},
			{Metric: "unauthorized_success_share", As: "wrongly accepted"}}}
}

func outageCell(p Profile, a trial.Arm, b breakage) trial.CellSpec {
	s := p.system(a, 1, trial.RoundRobin, time.Hour)
	s.Users, s.Proxied = 1000, p.breaksLinks()
	var faults []trial.Fault
	if len(arm.Of(a).Stores) > 0 {
		faults = append(faults, b.fault)
	}
	return trial.CellSpec{Cell: trial.NewCell("arm", a, "fault", b.name), System: s,
		Steps: []trial.Step{brokenStep(outageStep, a, outageRate, outageSeconds, faults...)}}
}

// brokenStep loads an arm at a rate of valid credentials while something breaks,
// and beside that shows it some that must be refused whatever breaks.
func brokenStep(name string, a trial.Arm, rate, seconds float64, faults ...trial.Fault) trial.Step {
	stream := func(name string, rate float64, present trial.Present) trial.Stream {
		return trial.Stream{Name: name, Request: "GET /me", Present: present, Connections: 32, Sources: 1,
			Pacing: trial.Pacing{Mode: trial.Open, Rate: rate}}
	}
	step := trial.Step{Name: name, Seconds: seconds, Expect: trial.Expect{Errors: true, Deaths: true, NoSuccess: true}, Faults: faults,
		Streams: []trial.Stream{stream(trial.Main, rate, trial.Valid)}}
	k := arm.Of(a)
	if k.Family != arm.Control { // which lets everybody in
		step.Streams = append(step.Streams, stream("forged", rate/5, trial.Forged))
	}
	if k.Ends == arm.AtOnce { // elsewhere a revoked credential works on, outage or not: see the experiment revoke
		step.Streams = append(step.Streams, stream("revoked", rate/5, trial.Revoked))
	}
	return step
}

var outageAdvice = []trial.Advice{
	{Claim: "C23", Answer: trial.Supported, Side: trial.ForBoth,
		Text: "whatever keeps the store up keeps your users in: while it was gone, no arm measured served anybody."},
	{Claim: "C23", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "an outage of the store alone does not lock users out: every arm measured went on serving some."},
	{Claim: "C23", Answer: trial.Depends, Side: trial.ForTokens,
		Text: "users who have logged in must be served while the store is down. Nobody was served: %s. Log-in and log-out still need it."},
	{Claim: "C24", Answer: trial.Supported, Side: trial.ForBoth,
		Text: "a restart of the store is a log-in storm to plan for: in every arm measured users had to log in again."},
	{Claim: "C24", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "a restart of the store is no event for users: nobody had to log in again in any arm measured."},
	{Claim: "C24", Answer: trial.Depends, Side: trial.ForTokens,
		Text: "users must stay logged in when the store restarts, and you would not have it keep its data. Users had to log in again: %s."},
	{Claim: "C33", Answer: trial.Supported, Side: trial.ForBoth,
		Text: "watch the store's memory: users were logged out whenever it ran full."},
	{Claim: "C33", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "a store that runs full logs nobody out who is in; new log-ins still fail where it refuses writes."},
	{Claim: "C33", Answer: trial.Depends, Side: trial.ForTokens,
		Text: "nobody watches how full the store is. Users were logged out when it was: %s. Redis with noeviction logs nobody out."},
}
