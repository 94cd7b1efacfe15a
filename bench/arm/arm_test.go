package arm_test

import (
	"strings"
	"testing"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

func TestLookup(t *testing.T) {
	for _, name := range []trial.Arm{"none", "session/memory", "session/redis", "session/cookie", "session/postgres+header", "jwt/HS256",
		"jwt/EdDSA+cookie"} {
		k, err := arm.Lookup(name)
		if err != nil || k.Name != name {
			t.Errorf("Lookup(%q) = %v, %v", name, k.Name, err)
		}
	}
	if k := arm.Of("jwt/HS256+cookie"); k.Carrier != arm.Cookie || k.Server["credential"] != "cookie" || k.Server["alg"] != "HS256" {
		t.Errorf("%+v", k)
	}
	if k := arm.Of("jwt/HS256"); k.Server["credential"] != "" {
		t.Error("a variant changed the catalogue")
	}
	for _, name := range []trial.Arm{"", "jwt", "jwt/none", "session/HS256", "jwt/redis", "none+cookie", "jwt/HS256+url", "none/x",
		"session/redis/x"} {
		if k, err := arm.Lookup(name); err == nil || !strings.Contains(err.Error(), "session/postgres") {
			t.Errorf("Lookup(%q) = %v, %v; want an error that names what is allowed", name, k, err)
		}
	}
}

// What is said of an arm hangs together: where its state lives, which store is
// asked for it, when it ends.
func TestTheCatalogueHangsTogether(t *testing.T) {
	seen, colours := map[trial.Arm]bool{}, map[uint32]trial.Arm{}
	for _, k := range arm.All() {
		if seen[k.Name] {
			t.Errorf("%s stands there twice", k.Name)
		}
		seen[k.Name] = true
		if by := colours[k.Colour]; by != "" {
			t.Errorf("%s has the colour of %s", k.Name, by)
		}
		colours[k.Colour] = k.Name
		if k.Name.Base() != k.Name {
			t.Errorf("%s ends with what says how a credential travels", k.Name)
		}
		if asks := k.State == arm.Shared || k.State == arm.Split; asks != (k.Store() != "") {
			t.Errorf("%s: state %s, but the store asked is %q", k.Name, k.State, k.Store())
		}
		if k.Server["auth"] != string(k.Family) || !strings.HasPrefix(string(k.Name), string(k.Family)) {
			t.Errorf("%s: family %s, started with -auth %s", k.Name, k.Family, k.Server["auth"])
		}
		if (k.Family == arm.Control) != (k.Carrier == arm.None) || k.Family != arm.Control && (len(k.Factors) == 0 || k.Ends == "") {
			t.Errorf("%+v", k)
		}
		if plain := arm.Of(k.Plain); k.Plain != "" && (plain.Family != k.Family || plain.Plain != "" || len(k.Factors) <= len(plain.Factors)) {
			t.Errorf("%s adds something to %s: %+v", k.Name, k.Plain, plain)
		}
		if (k.State == arm.Client) != (k.Ends == arm.AtExpiry) {
			t.Errorf("%s: state %s ends %s", k.Name, k.State, k.Ends)
		}
	}
}

// An arm is asked for what it is and not for its name: more than one may sign by
// the same algorithm.
// Behind its balancer an arm whose replicas each keep their own state sticks.
func TestBalancer(t *testing.T) {
	for _, k := range arm.All() {
		if got := k.Balancer(); got.Sticks() != (k.State == arm.Replica) {
			t.Errorf("%s, whose state lives %s, stands behind %s", k.Name, k.State, got)
		}
	}
}

func TestPublicKey(t *testing.T) {
	for factor, want := range map[string]bool{
		"algorithm=HS256": false, "algorithm=HS512": false, "algorithm=RS256": true, "algorithm=EdDSA": true, "store=redis": false,
	} {
		k := arm.Kind{Name: "jwt/HS256+double", Factors: []string{"claims=double", factor}}
		if k.PublicKey() != want {
			t.Errorf("%s is of a public key: %v", factor, !want)
		}
	}
}
