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

// Sticky asks which sessions are lost behind a balancer that spreads one user's
// requests: a memory store under every balancer, shared stores and JWT under
// round robin.
func Sticky(p Profile) Experiment {
	var cells []trial.Spec
	for _, n := range p.StickyReplicas {
		for _, b := range p.StickyBalancers {
			cells = append(cells, stickySpec(p, inMemory, b, n))
		}
		for _, a := range append(shared(), sharedSecret) {
			cells = append(cells, stickySpec(p, a, trial.RoundRobin, n))
		}
	}
	return Experiment{
		Name:     "sticky",
		Question: "Which sessions are lost behind a balancer?",
		Method: "k6: each user logs in once through the balancer, from an address of its own, and then calls /me with the cookies it was given; " +
			"a valid user who is answered 401 has lost the session. No one logs in again.",
		Blocks: p.StickyBlocks,
		Cells:  fixed(cells),
		Rules:  stickyRules(p),
	}
}

// inMemory is the arm whose sessions one replica keeps.
const inMemory trial.Arm = "session/memory"

// shared are the session arms whose store all replicas ask.
func shared() (arms []trial.Arm) {
	for _, k := range arm.All() {
		if k.Family == arm.Session && k.State == arm.Shared {
			arms = append(arms, k.Name)
		}
	}
	return arms
}

func stickySpec(p Profile, a trial.Arm, b trial.Balancer, n int) trial.Spec {
	const users = 24
	requests := p.StickyRequests
	if !arm.Of(a).Loses(b) {
		requests = min(requests, 3_000) // nothing is expected to be lost: 0 of 3,000 bounds the share by 0.1 %
	}
	env := map[string]string{"USERS": strconv.Itoa(users), "REQUESTS": strconv.Itoa(requests)}
	if b == trial.CookieHash {
		env["CLIENT_COOKIE"] = "1"
	}
	return trial.Spec{
		Experiment: "sticky", Arm: a, Replicas: n, Balancer: b, Lifetime: trial.Duration(time.Hour),
		Users: users, Argon2: cheapArgon2, Pool: 16,
		Load: trial.Load{Sources: users, Script: "sticky.js", Env: env},
	}
}

func stickyRules(p Profile) []trial.Rule {
	c05 := trial.Rule{Claim: "C05", Statement: "Behind a load balancer sessions need stickiness.", Metric: "lost_session_share",
		Contrast: trial.Count, Supports: trial.More, Margin: 0.01}
	c06 := trial.Rule{Claim: "C06", Statement: "Many servers need session sharing.", Metric: "lost_session_share",
		Contrast: trial.Count, Supports: trial.More, Margin: 0.01}
	compare := func(a trial.Arm, b trial.Balancer, n int, extra ...string) trial.Comparison {
		return trial.Comparison{Name: fmt.Sprintf("%s, %s, N=%d", a, b, n),
			A: trial.Selector{Arm: a, Balancer: b, Replicas: n}, Factors: append(factors(a), extra...)}
	}
	for _, n := range p.StickyReplicas {
		count := fmt.Sprintf("replicas=%d", n)
		for _, b := range p.StickyBalancers {
			if b.Sticks() {
				continue
			}
			c05.Compare = append(c05.Compare, compare(inMemory, b, n, "balancer="+string(b), count))
		}
		for _, a := range shared() {
			c05.Compare = append(c05.Compare, compare(a, trial.RoundRobin, n, "balancer=round_robin", count))
		}
		for _, b := range p.StickyBalancers {
			c06.Compare = append(c06.Compare, compare(inMemory, b, n, "balancer="+string(b), count))
		}
	}
	return finish("sticky", c05, c06)
}
