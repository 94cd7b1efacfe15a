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
)

// outageRate is low: what is asked is who is answered, not how many.
const outageRate = 100 // requests/s with valid credentials

// outageFaults are what can happen to a store here; a profile names them by kind.
func outageFaults() []trial.Fault {
	return []trial.Fault{
		{Kind: "kill", Target: "store", At: outageAt, Lasts: outageLasts},
		{Kind: "hang", Target: "store", At: outageAt, Lasts: outageLasts},
		{Kind: "cut", Target: "store", At: outageAt, Lasts: outageLasts},
		{Kind: "slow", Target: "store", At: outageAt, Lasts: outageLasts, With: map[string]string{"latency": "100ms"}},
	}
}

// outageFault finds one by its kind. The error names all.
func outageFault(kind string) (trial.Fault, error) {
	var known []string
	for _, f := range outageFaults() {
		if f.Kind == kind {
			return f, nil
		}
		known = append(known, f.Kind)
	}
	return trial.Fault{}, fmt.Errorf("outage_faults holds %q: want %s", kind, strings.Join(known, ", "))
}

// LinkFaults are those that act upon the link to the store, through a proxy.
var LinkFaults = []string{"slow", "cut"}

// breaksLinks says whether a proxy stands between replicas and store: in every
// arm or in none.
func (p Profile) breaksLinks() bool {
	return slices.ContainsFunc(p.OutageFaults, func(f string) bool { return slices.Contains(LinkFaults, f) })
}

// Outage asks who is still served while the store is gone: it is killed, hangs
// or is slow for a while, under a steady load of valid credentials, and of ones
// that must be refused whatever breaks.
func Outage(p Profile) Experiment {
	var specs []trial.Spec
	c23 := trial.Rule{Claim: "C23", Statement: "A store outage is a total outage.", Metric: "outage_availability",
		Contrast: trial.Count, Supports: trial.Same, Margin: 0.05}
	for _, a := range p.OutageArms {
		for _, name := range p.OutageFaults {
			c := outageCell(p, a, name)
			specs = append(specs, trial.Single("outage", c))
			c23.Compare = append(c23.Compare,
				trial.Comparison{Name: fmt.Sprintf("%s, %s", a, name), A: trial.Selector{Cell: c.Cell, Step: outageStep},
					Factors: append(factors(a), "state="+string(arm.Of(a).State), "fault="+name)})
		}
	}
	proxy := ""
	if p.breaksLinks() {
		proxy = ", a proxy between replica and store in every arm"
	}
	return Experiment{
		Name:     "outage",
		Question: "Who is still served while the store is gone?",
		Method: fmt.Sprintf("One replica behind nginx%s; %d requests/s with valid credentials, and a few that must be refused. "+
			"After %g s the store is broken for %g s: killed, stopped, cut off or slowed by 100 ms. An arm without a store has nothing to break. "+
			"Availability is the share of valid users' requests answered 2xx while the fault is in effect.",
			proxy, outageRate, outageAt, outageLasts),
		Blocks:  p.OutageBlocks,
		Trials:  fixed(specs),
		Rules:   finish("outage", c23),
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
			{Metric: "error_time_p99_us", As: "time to an error, p99"}, {Metric: "recovery_seconds", As: "recovery"},
			{Metric: "unauthorized_success_share", As: "wrongly accepted"}}}
}

func outageCell(p Profile, a trial.Arm, name string) trial.CellSpec {
	s := p.system(a, 1, trial.RoundRobin, time.Hour)
	s.Users, s.Proxied = 1000, p.breaksLinks()
	var faults []trial.Fault
	if f, err := outageFault(name); err == nil && len(arm.Of(a).Stores) > 0 { // a profile's have been checked
		faults = append(faults, f)
	}
	return trial.CellSpec{Cell: trial.NewCell("arm", a, "fault", name), System: s,
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
}
