package main

import (
	"encoding/json"
	"strings"
	"testing"

	"authbench/bench/solo"
	"authbench/bench/trial"
)

// capacityOf runs a search of few short tries, of which the machine decides how
// they come out, and checks what must hold of any.
func capacityOf(t *testing.T, args ...string) (f solo.Found, tries string) {
	t.Helper()
	stdout, stderr, code := invoke(t, append([]string{"capacity", "--json", "--for", "300ms", "--tries", "3", "--slo-p99", "5s"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		t.Fatalf("status %d, %v in %s\n%s", code, err, stdout, stderr)
	}
	if len(f.Capacity.Tries) != 3 || f.Capacity.End != trial.Undecided || code != exitFailure ||
		!strings.Contains(stderr, "authbench: the capacity cannot be told from these tries: ") {
		t.Errorf("status %d after %d tries, %s: %s", code, len(f.Capacity.Tries), f.Capacity.End, stderr)
	}
	for _, try := range f.Capacity.Tries {
		if !strings.Contains(stderr, "/s   p99 ") || !strings.Contains(stderr, string(try.Outcome)) {
			t.Errorf("no try that %s in\n%s", try.Outcome, stderr)
		}
	}
	if f.Capacity.Holds == 0 && f.Knee == nil {
		t.Skipf("this machine is too busy for any rate to hold: %s", stderr)
	}
	if f.Knee == nil || f.Knee.Generator <= 0 || len(f.Knee.Busy) == 0 || f.Knee.Rate != f.Capacity.Holds {
		t.Errorf("holds %g, knee %+v", f.Capacity.Holds, f.Knee)
	}
	return f, stderr
}

func TestCapacityOfAnyServer(t *testing.T) {
	f, said := capacityOf(t, "--target", site(t)+"/me", "--header", "Authorization: Bearer abc")
	if !strings.Contains(said, "the generator's ceiling is ") || f.Credentials != 1 || f.Knee.Tiers != nil {
		t.Errorf("%+v\n%s", f, said)
	}
}

func TestCapacityOfAnArm(t *testing.T) {
	starts(t, "nginx and Redis")
	f, said := capacityOf(t, "--arm", "session/redis", "--runtime", "native", "--replicas", "2", "--users", "200")
	if !strings.Contains(said, "session/redis, replicas: 2, balancer: round_robin\n") || f.Credentials != 200 || f.Sources != 16 {
		t.Errorf("%+v\n%s", f, said)
	}
	used := map[trial.Tier]float64{}
	for _, tier := range f.Knee.Tiers {
		used[tier.Tier] = tier.CPUs
	}
	if len(used) != 3 || used[trial.ReplicaTier] <= 0 || used[trial.StoreTier] <= 0 || used[trial.BalancerTier] <= 0 {
		t.Errorf("tiers %+v", f.Knee.Tiers)
	}
}
