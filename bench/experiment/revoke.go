package experiment

import (
	"fmt"
	"time"

	"authbench/bench/trial"
)

// revokeReplicas is how many replicas must all refuse a revoked credential.
const revokeReplicas = 3

// Revoke asks how long a credential still works after log-out, on any replica.
func Revoke(p Profile) Experiment {
	var cells []trial.Spec
	for _, a := range append([]trial.Arm{inMemory}, shared()...) {
		cells = append(cells, revokeSpec(a, time.Hour, 2*time.Second))
	}
	for _, l := range p.lifetimes() {
		for _, a := range []trial.Arm{"jwt/HS256", "jwt/ES256"} {
			cells = append(cells, revokeSpec(a, l, l+2*time.Second))
		}
	}
	return Experiment{
		Name:     "revoke",
		Question: "How long does a credential work after log-out?",
		Method: "k6: users log in and out through the balancer, then call /me with the old credential on each of three replicas directly, " +
			"every 10 ms, until it is dead everywhere. The lag is the time from the log-out's answer to the last 2xx on any replica.",
		Blocks: p.RevokeBlocks,
		Cells:  fixed(cells),
		Rules:  revokeRules(p),
	}
}

func revokeSpec(a trial.Arm, lifetime, watch time.Duration) trial.Spec {
	const users = 10
	return trial.Spec{
		Experiment: "revoke", Arm: a, Replicas: revokeReplicas, Balancer: balancerFor(a), Lifetime: trial.Duration(lifetime),
		Users: users, Argon2: cheapArgon2, Pool: 16,
		Load: trial.Load{Sources: users, Script: "revoke.js", Env: map[string]string{
			"USERS": fmt.Sprint(users), "POLL": "10", "WATCH": fmt.Sprintf("%g", watch.Seconds())}},
	}
}

func revokeRules(p Profile) []trial.Rule {
	c10 := trial.Rule{Claim: "C10", Statement: "Sessions end at once.", Metric: "revocation_lag_max_seconds",
		Contrast: trial.Against, Supports: trial.Same, Margin: 0.1}
	c11 := trial.Rule{Claim: "C11", Statement: "A JWT stays valid until it expires.", Metric: "revocation_lag_share",
		Contrast: trial.Against, Supports: trial.Same, Margin: 0.05}
	for _, a := range append([]trial.Arm{inMemory}, shared()...) {
		c10.Compare = append(c10.Compare, trial.Comparison{Name: a.String(), A: trial.Selector{Arm: a}, Factors: factors(a)})
	}
	for _, l := range p.lifetimes() {
		for _, a := range []trial.Arm{"jwt/HS256", "jwt/ES256"} {
			c11.Compare = append(c11.Compare, trial.Comparison{Name: fmt.Sprintf("%s, lifetime %s", a, l),
				A: trial.Selector{Arm: a, Lifetime: trial.Duration(l)}, Reference: 1, Factors: append(factors(a), "lifetime="+l.String())})
		}
	}
	return finish("revoke", c10, c11)
}
