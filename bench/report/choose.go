package report

import (
	"fmt"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// Sides that advice can speak for.
const (
	forSessions = "Sessions fit if"
	forTokens   = "JWT fits if"
	forBoth     = "Either way"
)

// advice is one sentence that follows from one verdict.
type advice struct {
	Side, Text, Claim string
}

// sentences hold what follows from a claim's answer. %s stands for the findings
// on which a mixed answer depends. What no measured verdict carries is not said.
var sentences = map[string]map[trial.Answer][]advice{
	"C01": {
		trial.Supported: {{Side: forTokens, Text: "CPU per authenticated request is what you pay for: every algorithm measured used less than every session store."}},
		trial.Refuted:   {{Side: forSessions, Text: "CPU per authenticated request is what you pay for: no algorithm measured used less than any session store."}},
		trial.Depends:   {{Side: forBoth, Text: "do not choose by CPU without naming store and algorithm. JWT lighter: %s."}},
	},
	"C02": {
		trial.Supported: {{Side: forTokens, Text: "requests must be checked without a store: none of the verifications measured went to one. Log-in, and any revocation you add, still do."}},
		trial.Refuted:   {{Side: forBoth, Text: "do not count on a JWT check without a store: here verifications did go to one."}},
		trial.Depends:   {{Side: forBoth, Text: "whether a JWT check goes to the store depends. Without it: %s."}},
	},
	"C03": {
		trial.Supported: {{Side: forTokens, Text: "you add replicas: throughput grew better with them than with every session store measured."}},
		trial.Refuted:   {{Side: forBoth, Text: "scaling out is no reason for JWT at the replica counts measured: sessions grew with the replicas as well."}},
		trial.Depends:   {{Side: forBoth, Text: "scaling depends on store and algorithm. JWT scales better: %s."}},
	},
	"C05": {
		trial.Supported: {{Side: forBoth, Text: "sessions behind a balancer need stickiness: without it every store measured lost some."}},
		trial.Refuted:   {{Side: forSessions, Text: "your balancer has no stickiness: no store measured lost a session without it."}},
		trial.Depends:   {{Side: forSessions, Text: "they are in a shared store, or the balancer is sticky. Sessions lost without stickiness: %s."}},
	},
	"C06": {
		trial.Supported: {{Side: forSessions, Text: "you have a shared store: with several replicas, memory lost sessions under every balancer measured."}},
		trial.Refuted:   {{Side: forSessions, Text: "you keep them in memory: several replicas lost none under any balancer measured, while no replica failed."}},
		trial.Depends:   {{Side: forSessions, Text: "they are shared, or each user's requests stay with one replica. Sessions in memory lost: %s. A replica that fails takes its sessions along."}},
	},
	"C10": {
		trial.Supported: {{Side: forSessions, Text: "log-out must take effect at once: it did on every replica, with every store measured."}},
		trial.Refuted:   {{Side: forBoth, Text: "do not count on sessions to end at once: with no store measured did they."}},
		trial.Depends:   {{Side: forSessions, Text: "log-out must take effect at once, and the store is chosen for it. At once: %s."}},
	},
	"C11": {
		trial.Supported: {{Side: forTokens, Text: "you can bear that a token works on after log-out until it expires: it did, for all the rest of its life. Its lifetime is your revocation bound; a denylist would cost store operations again."}},
		trial.Refuted:   {{Side: forTokens, Text: "log-out matters too: here a token did not outlive it up to its expiry."}},
		trial.Depends:   {{Side: forBoth, Text: "how long a token outlives log-out depends. Until it expires: %s."}},
	},
	"C16": {
		trial.Supported: {{Side: forTokens, Text: "you take HS256 where the verifiers may hold the secret: every public-key algorithm measured cost more CPU to verify. Where they may not, a public key is worth its price."}},
		trial.Refuted:   {{Side: forTokens, Text: "others verify your tokens: a public key cost no more CPU than a shared secret."}},
		trial.Depends:   {{Side: forTokens, Text: "the algorithm is chosen with its cost in mind. A public key costs more than HS256: %s."}},
	},
	"C18": {
		trial.Supported: {{Side: forSessions, Text: "bytes per request matter: every JWT measured made requests larger than every session did."}},
		trial.Refuted:   {{Side: forBoth, Text: "request size is no reason against JWT: no token measured made requests larger."}},
		trial.Depends:   {{Side: forBoth, Text: "request size depends. A JWT's is larger: %s."}},
	},
}

// choose derives advice from the verdicts that exist; an inconclusive one gives
// none but is named, so that silence is not taken for consent.
func choose(verdicts []trial.Verdict) []advice {
	var out []advice
	var open []string
	for _, v := range verdicts {
		if v.Answer == trial.Inconclusive {
			open = append(open, v.Rule.Claim)
			continue
		}
		for _, a := range sentences[v.Rule.Claim][v.Answer] {
			a.Claim = v.Rule.Claim
			if strings.Contains(a.Text, "%s") {
				a.Text = fmt.Sprintf(a.Text, dependence(v))
			}
			out = append(out, a)
		}
	}
	if len(open) > 0 {
		out = append(out, advice{Side: forBoth, Text: "this run does not settle " + strings.Join(open, ", ") + "; nothing above leans on them."})
	}
	side := []string{forSessions, forTokens, forBoth}
	slices.SortStableFunc(out, func(a, b advice) int { return slices.Index(side, a.Side) - slices.Index(side, b.Side) })
	return out
}

// dependence says with what a mixed answer is yes and with what no.
func dependence(v trial.Verdict) string {
	if _, sides, found := strings.Cut(v.DependsOn, ": yes "); found {
		return "yes " + sides
	}
	return v.DependsOn
}
