package experiment

import (
	"fmt"
	"strconv"
	"time"

	"authbench/bench/trial"
)

// revokeReplicas is how many replicas must all refuse a revoked credential.
const revokeReplicas = 3

// revokeTokens are the token arms of the experiment: how a token is signed
// changes nothing of when it ends.
var revokeTokens = []trial.Arm{"jwt/HS256", "jwt/ES256"}

// Revoke asks how long a credential still works after log-out, on any replica.
func Revoke(p Profile) Experiment {
	var specs []trial.Spec
	for _, a := range revokeSessions() {
		specs = append(specs, trial.Single("revoke", sessionCell(p, a)))
	}
	for _, l := range p.lifetimes() {
		for _, a := range revokeTokens {
			specs = append(specs, trial.Single("revoke", revokeCell(a, l, l+2*time.Second, revokeTokenUsers, revokeTokenUsers, 10)))
		}
	}
	return Experiment{
		Name:     "revoke",
		Question: "How long does a credential work after log-out?",
		Method: "k6: users log in and out through the balancer, then call /me with the old credential on each of three replicas directly, " +
			"every 10 ms, or 200 ms where users are many, until it is dead everywhere. A user is let in by any 2xx to a request that began " +
			"after the log-out's answer; the lag is the time from that answer to the last 2xx on any replica.",
		Blocks: p.RevokeBlocks,
		Trials: fixed(specs),
		Rules:  revokeRules(p),
		Figures: []trial.Figure{{Name: "revocation-lag", Chart: trial.Dots, Of: trial.Selector{Step: journeyStep}, Zero: true,
			Values: "seconds after log-out",
			Title:  "How long do replicas accept a credential after log-out?",
			Caption: "Longest time from the answer to a log-out to the last 2xx on any replica. The stroke marks what was left of a JWT's life " +
				"at log-out: a token that nobody can revoke lives on for as long. Whiskers: 95 % interval.",
			Metrics: []trial.Shown{{Metric: "revocation_lag_max_seconds", As: "longest lag"},
				{Metric: "let_in_user_share", As: "users let in", Aside: true},
				{Metric: "revocation_lag_share", As: "lag / rest of life", Aside: true}},
			Expected: "life_left_seconds"}},
		Advice: revokeAdvice,
	}
}

func revokeSessions() []trial.Arm { return append([]trial.Arm{inMemory}, shared()...) }

// Users of a session arm sit some at a time, and poll at an interval that one CPU
// can keep. There are 420 of them in all blocks unless a profile says otherwise:
// none let in of 300 bounds the share by 1 %, and of 420 where Holm's correction
// holds three arms to it.
const (
	revokeSeats = 80
	revokePoll  = 200 // ms
)

// revokeTokenUsers are how many of a token arm do in each block: each lives until
// it expires, and that is a time, not a share of users.
const revokeTokenUsers = 10

func sessionCell(p Profile, a trial.Arm) trial.CellSpec {
	users := (p.RevokeUsers + p.RevokeBlocks - 1) / max(1, p.RevokeBlocks)
	return revokeCell(a, time.Hour, 2*time.Second, users, min(users, revokeSeats), revokePoll)
}

func revokeCell(a trial.Arm, lifetime, watch time.Duration, users, seats, poll int) trial.CellSpec {
	return journeyCell(trial.NewCell("arm", a, "lifetime", lifetime), a, revokeReplicas, balancerFor(a), lifetime, users, seats, "revoke.js",
		map[string]string{"POLL": strconv.Itoa(poll), "WATCH": fmt.Sprintf("%g", watch.Seconds())})
}

func revokeRules(p Profile) []trial.Rule {
	c10 := trial.Rule{Claim: "C10", Statement: "Sessions end at once.", Metric: "let_in_user_share",
		Contrast: trial.Count, Supports: trial.Same, Margin: 0.01}
	c11 := trial.Rule{Claim: "C11", Statement: "A JWT stays valid until it expires.", Metric: "revocation_lag_share",
		Contrast: trial.Against, Supports: trial.Same, Margin: 0.05}
	for _, a := range revokeSessions() {
		c10.Compare = append(c10.Compare, trial.Comparison{Name: a.String(), A: trial.Of(a, journeyStep), Factors: factors(a)})
	}
	for _, l := range p.lifetimes() {
		for _, a := range revokeTokens {
			c11.Compare = append(c11.Compare, trial.Comparison{Name: fmt.Sprintf("%s, lifetime %s", a, l),
				A:         trial.Selector{Cell: trial.NewCell("arm", a, "lifetime", l), Step: journeyStep},
				Reference: 1, Factors: append(factors(a), "lifetime="+l.String())})
		}
	}
	return finish("revoke", c10, c11)
}

var revokeAdvice = []trial.Advice{
	{Claim: "C10", Answer: trial.Supported, Side: trial.ForSessions,
		Text: "log-out must take effect at once: it did on every replica, with every store measured."},
	{Claim: "C10", Answer: trial.Refuted, Side: trial.ForBoth,
		Text: "do not count on sessions to end at once: they did not, with any store measured."},
	{Claim: "C10", Answer: trial.Depends, Side: trial.ForSessions,
		Text: "log-out must take effect at once, and the store is chosen for it. At once: %s."},
	{Claim: "C11", Answer: trial.Supported, Side: trial.ForTokens,
		Text: "you can bear that a token works on after log-out until it expires: it did, for all the rest of its life. " +
			"Its lifetime is your revocation bound; a denylist would cost store operations again."},
	{Claim: "C11", Answer: trial.Refuted, Side: trial.ForTokens,
		Text: "log-out matters too: here a token did not outlive it up to its expiry."},
	{Claim: "C11", Answer: trial.Depends, Side: trial.ForBoth, Text: "how long a token outlives log-out depends. Until it expires: %s."},
}
