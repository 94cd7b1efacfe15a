package campaign

import (
	"slices"
	"strings"
	"testing"

	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// Whatever claims a run is narrowed to, it can answer them and draw what it
// announces, and it measures nothing besides.
func TestARunNarrowedToAClaimAnswersIt(t *testing.T) {
	for _, p := range experiment.Profiles() {
		whole := map[string]int{}
		var claims []string
		for _, e := range experiment.All(p) {
			specs := (&Campaign{}).Jobs(e)
			whole[e.Name] = len(specs)
			for _, r := range e.Rules {
				claims = append(claims, r.Claim)
			}
		}
		for _, claim := range claims {
			es, err := experiment.Narrow(experiment.All(p), []string{claim})
			if err != nil {
				t.Fatal(err)
			}
			c := newCampaign(t, es...) // checks it
			if len(c.Run.Rules) != 1 || c.Run.Rules[0].Claim != claim || len(es) != 1 {
				t.Errorf("%s, %s: %d experiments, rules %v", p.Name, claim, len(es), c.Run.Rules)
			}
			for _, e := range es {
				if n := len(c.Jobs(e)); n == 0 || n > whole[e.Name] {
					t.Errorf("%s, %s: %d trials of %d", p.Name, claim, n, whole[e.Name])
				}
			}
		}
	}
}

func TestNarrowLeavesOutWhatAClaimHasNoUseFor(t *testing.T) {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		t.Fatal(err)
	}
	for claim, want := range map[string]struct {
		experiment string
		cells      []string // every trial's first cell holds one of them, and each is there
		calibrates bool
	}{
		"C10": {"revoke", []string{"session/memory", "session/redis", "session/postgres"}, false},
		"C16": {"cost", []string{"arm=none", "jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA"}, true}, // with the A/A pair
		"C02": {"cost", []string{"jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA"}, true},             // counts are exact
		"C40": {"scale", []string{"replica_cpu=unlimited store_cpu=unlimited"}, false},
		"C04": {"scale", []string{"replicas=2 replica_cpu=unlimited store_cpu=0.05", "replicas=2 replica_cpu=unlimited store_cpu=0.1"}, true},
	} {
		es, err := experiment.Narrow(experiment.All(p), []string{claim})
		if err != nil || len(es) != 1 || es[0].Name != want.experiment {
			t.Fatalf("%s: %v, %v", claim, es, err)
		}
		found := map[string]bool{}
		calibrates := false
		for _, j := range (&Campaign{}).Jobs(es[0]) {
			if j.Block == 0 {
				calibrates = true
				continue
			}
			cell := j.Spec.Cells[0].Cell.String()
			i := slices.IndexFunc(want.cells, func(w string) bool { return strings.Contains(cell, w) })
			if i < 0 {
				t.Errorf("%s does not need %s", claim, cell)
				continue
			}
			found[want.cells[i]] = true
		}
		if len(found) != len(want.cells) || calibrates != want.calibrates {
			t.Errorf("%s: found %v of %v, calibrates: %v", claim, found, want.cells, calibrates)
		}
	}
}

func TestNarrowRefusesAClaimThatNobodyAsks(t *testing.T) {
	all := []experiment.Experiment{{Name: "one", Rules: []trial.Rule{{Claim: "C18"}}}}
	if _, err := experiment.Narrow(all, []string{"C18", "C99"}); err == nil || err.Error() != `unknown claim "C99": want one of C18` {
		t.Errorf("%v", err)
	}
	if same, err := experiment.Narrow(all, nil); err != nil || len(same) != 1 {
		t.Errorf("no claims: %v, %v", same, err)
	}
}
