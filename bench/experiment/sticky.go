package experiment

import (
	"fmt"
	"strconv"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// cheapArgon2 keeps log-ins from dominating the experiments that need many of
// them and measure none. It is no setting for a real service.
const cheapArgon2 = "m=64,t=1,p=1"

// Session arms by where they keep sessions: in one replica, or in a shared store.
const (
	inMemory   trial.Arm = "session/memory"
	inRedis    trial.Arm = "session/redis"
	inPostgres trial.Arm = "session/postgres"
)

// shared are the plain session arms whose store all replicas ask.
func shared() (arms []trial.Arm) {
	for _, k := range arm.All() {
		if k.Family == arm.Session && k.State == arm.Shared && k.Plain == "" {
			arms = append(arms, k.Name)
		}
	}
	return arms
}

// Sticky asks which sessions are lost behind a balancer that spreads one user's
// requests: a memory store under every balancer, shared stores and JWT under
// round robin.
func Sticky(p Profile) Experiment {
	var specs []trial.Spec
	for _, n := range p.StickyReplicas {
		for _, b := range p.StickyBalancers {
			specs = append(specs, trial.Single("sticky", stickyCell(p, inMemory, b, n)))
		}
		for _, a := range append(shared(), sharedSecret) {
			specs = append(specs, trial.Single("sticky", stickyCell(p, a, trial.RoundRobin, n)))
		}
	}
	return Experiment{
		Name:     "sticky",
		Question: "Which sessions are lost behind a balancer?",
		Method: "k6: each user logs in once through the balancer, from an address of its own, and then calls /me with the " +
			"cookies it was given; a valid user who is answered 401 has lost the session. No one logs in again.",
		Blocks: p.StickyBlocks,
		Trials: fixed(specs),
		Rules:  stickyRules(p),
		Figures: []trial.Figure{{Name: "lost-sessions", Chart: trial.Grid, Of: trial.Selector{Step: journeyStep}, Along: "replicas",
			Title: "Under which balancer are sessions lost?",
			Caption: "Share of requests by logged-in users that were answered 401; no one logs in again. " +
				"In memory without stickiness, 1 - 1/N is expected: the share of replicas that do not hold the session. " +
				"None lost of n users bounds the share by 3/n.",
			Metrics: []trial.Shown{{Metric: "lost_session_share"}}, Expected: "expected_lost_share"}},
		Advice: stickyAdvice,
	}
}

// place is a cell of the experiment.
func place(a trial.Arm, b trial.Balancer, n int) trial.Cell {
	return trial.NewCell("arm", a, "balancer", b, "replicas", n)
}

func stickyCell(p Profile, a trial.Arm, b trial.Balancer, n int) trial.CellSpec {
	users, requests := max(1, min(lossyUsers, p.StickyRequests/leastRequests)), p.StickyRequests
	if !arm.Of(a).Loses(b) { // nothing is expected to be lost: many users bound the share, and 2 requests show that a session is kept
		users, requests = p.StickyUsers, 2*p.StickyUsers
	}
	env := map[string]string{"REQUESTS": strconv.Itoa(requests)}
	if b == trial.CookieHash {
		env["CLIENT_COOKIE"] = "1"
	}
	return journeyCell(place(a, b, n), a, n, b, time.Hour, users, seats, "sticky.js", env)
}

// lossyUsers are those of a cell where a share of each user's requests is expected
// to be lost, so that each asks often; should none be, so many still bound the
// share by 1 %. A user asks leastRequests times at least: the first request goes
// where the log-in did not, and says less than the share of many does.
const (
	lossyUsers    = 300
	leastRequests = 10
)

// seats are how many of a script's users there are at a time, each with a source
// address of its own.
const seats = 24

// journeyCell is a cell that a k6 script loads alone, whose users log in, so many
// at a time.
func journeyCell(cell trial.Cell, a trial.Arm, n int, b trial.Balancer, lifetime time.Duration, users, seats int, script string,
	env map[string]string) trial.CellSpec {
	env["SEATS"] = strconv.Itoa(seats)
	s := Profile{Users: users}.system(a, n, b, lifetime)
	s.Server[trial.SettingArgon2] = cheapArgon2
	return trial.CellSpec{Cell: cell, System: s, Steps: []trial.Step{
		{Name: journeyStep, Script: &trial.Script{File: script, Sources: seats, Env: env}},
	}}
}

// journeyStep is the one step of a trial that a k6 script makes.
const journeyStep = "journey"

// Groups of C05, and of C06: what is true of one is not of the other.
const (
	inReplicas = "sessions in a replica's memory, which lose 1 - 1/N of the requests"
	inStores   = "shared stores"
	spreading  = "memory behind a balancer without stickiness"
	sticking   = "memory behind one with it, while replicas neither die nor are added"
)

func stickyRules(p Profile) []trial.Rule {
	c05 := trial.Rule{Claim: "C05", Statement: "Behind a load balancer sessions need stickiness.", Metric: "lost_session_share",
		Contrast: trial.Count, Supports: trial.More, Margin: 0.01,
		Groups: []trial.Group{{Name: inReplicas, Supports: trial.Same, Margin: 0.02}, {Name: inStores}}}
	c06 := trial.Rule{Claim: "C06", Statement: "Many servers need session sharing.", Metric: "lost_session_share",
		Contrast: trial.Count, Supports: trial.More, Margin: 0.01,
		Groups: []trial.Group{{Name: spreading}, {Name: sticking}}}
	compare := func(group string, a trial.Arm, b trial.Balancer, n int) trial.Comparison {
		return trial.Comparison{Name: fmt.Sprintf("%s, %s, N=%d", a, b, n), A: trial.Selector{Cell: place(a, b, n), Step: journeyStep},
			Factors: append(factors(a), "balancer="+string(b), fmt.Sprintf("replicas=%d", n)), Group: group}
	}
	for _, n := range p.StickyReplicas {
		for _, b := range p.StickyBalancers {
			if b.Sticks() {
				c06.Compare = append(c06.Compare, compare(sticking, inMemory, b, n))
				continue
			}
			c06.Compare = append(c06.Compare, compare(spreading, inMemory, b, n))
			c := compare(inReplicas, inMemory, b, n)
			c.Reference = 1 - 1/float64(n)
			c05.Compare = append(c05.Compare, c)
		}
		for _, a := range shared() {
			c05.Compare = append(c05.Compare, compare(inStores, a, trial.RoundRobin, n))
		}
	}
	return finish("sticky", c05, c06)
}

var stickyAdvice = []trial.Advice{
	{Claim: "C05", Answer: trial.Supported, Side: trial.ForBoth,
		Text: "sessions behind a balancer need stickiness: without it every store measured lost some."},
	{Claim: "C05", Answer: trial.Refuted, Side: trial.ForSessions,
		Text: "your balancer has no stickiness: no store measured lost a session without it."},
	{Claim: "C05", Answer: trial.Partly, Side: trial.ForSessions,
		Text: "they are in a shared store, or the balancer is sticky. The need for stickiness: %s."},
	{Claim: "C06", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "you have a shared store: with several replicas, memory lost sessions under every balancer measured."},
	{Claim: "C06", Answer: trial.Refuted, Side: trial.ForSessions,
		Text: "several replicas keep them in memory, as long as no replica dies and none is added: until then none was lost under any " +
			"balancer measured."},
	{Claim: "C06", Answer: trial.Partly, Side: trial.ForSessions,
		Text: "they are shared, or each user's requests stay with one replica: either is enough while replicas neither die nor are added " +
			"(C08 and C09, which this run does not ask). The need for sharing: %s."},
}
