package fault

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/trial"
)

func TestParseReadsWhatTextWrites(t *testing.T) {
	for text, want := range map[string]trial.Fault{
		"kill:redis":           {Kind: "kill", Target: "redis"},
		"hang:r2@1.5s+500ms":   {Kind: "hang", Target: "r2", At: 1.5, Lasts: 0.5},
		"restart:store@2s+0s":  {Kind: "restart", Target: "store", At: 2},
		"kill:redis,data=kept": {Kind: "kill", Target: "redis", With: map[string]string{"data": "kept"}},
		"full:redis,left=20%,policy=allkeys-lru": {Kind: "full", Target: "redis",
			With: map[string]string{"policy": "allkeys-lru", "left": "20%"}},
		"clock:r3,shift=-5m":    {Kind: "clock", Target: "r3", With: map[string]string{"shift": "-5m"}},
		"deploy:replicas@3s+4s": {Kind: "deploy", Target: "replicas", At: 3, Lasts: 4},
		"cut:store,how=silence": {Kind: "cut", Target: "store", With: map[string]string{"how": "silence"}},
		"slow:postgres@5s+10s,bandwidth=20,jitter=2ms,latency=10ms": {Kind: "slow", Target: "postgres", At: 5, Lasts: 10,
			With: map[string]string{"latency": "10ms", "jitter": "2ms", "bandwidth": "20"}},
	} {
		got, err := Parse(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", text, err, d)
		}
		again, err := Parse(Text(got))
		if d := cmp.Diff(want, again); err != nil || d != "" {
			t.Errorf("%s was written as %s: %v\n%s", text, Text(got), err, d)
		}
	}
}

func TestWhatIsNoFaultIsToldWhatIsAllowed(t *testing.T) {
	var names []string
	for _, k := range All() {
		names = append(names, k.Name)
	}
	all := "want " + strings.Join(names, ", ")
	for text, want := range map[string]string{
		"":                                  all,
		"burn:redis":                        `unknown fault "burn": ` + all,
		"kill":                              "no target",
		"kill:":                             "of which component",
		"kill:redis@5":                      "no time such as 5s+10s",
		"kill:redis@5s+x":                   "no time such as 5s+10s",
		"kill:redis@-1s+2s":                 "want 0 or more",
		"kill:redis,":                       "is no setting",
		"kill:redis,data=":                  "data=: want kept, lost",
		"kill:redis,data=disk":              "data=disk: want kept, lost",
		"kill:redis,data=kept,data=lost":    "is there twice",
		"kill:redis,latency=1ms":            `unknown setting "latency": want data`,
		"hang:redis,latency=1ms":            `unknown setting "latency": it has none`,
		"slow:redis":                        "how slow? want latency",
		"slow:redis,latency=100":            "latency=100: want whole milliseconds",
		"slow:redis,latency=100us":          "latency=100us: want whole milliseconds",
		"slow:redis,bandwidth=0":            "1 or more",
		"slow:redis,latency=1ms,jitter=2ms": "want less than the latency",
		"cut:redis,how=softly":              "how=softly: want reset, silence",
		"cut:r1":                            "fault cut:r1: it acts on a store",
		"kill:keys":                         "fault kill:keys: it acts on a store (redis, ",
		"kill:r01":                          "it acts on",
		"rotate:r1":                         "fault rotate:r1: it acts on keys",
		"full:redis,left=10%":               "left goes with policy=allkeys-lru",
		"full:redis,policy=allkeys-lru,left=100%": "left=100%: want 0% to 99%",
		"full:redis,policy=lru":                   "policy=lru: want noeviction, allkeys-lru",
		"clock:r1":                                "how wrong? want shift",
		"clock:r1,shift=0s":                       "how wrong? want shift",
	} {
		if f, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, f, err, want)
		}
	}
}

// What a system has not is said before it is started.
func TestWhatASystemHasNotCannotBeBroken(t *testing.T) {
	for _, c := range []struct {
		fault, want string // none: it fits
		arm         trial.Arm
	}{
		{"kill:redis", "", "session/redis"},
		{"kill:redis", "", "jwt/HS256"}, // stands there, though nobody asks it
		{"kill:store", "", "jwt/HS256"},
		{"kill:postgres", "session/redis with 2 replicas has no postgres: it has nginx, r1, r2, redis", "session/redis"},
		{"kill:store", "session/memory with 2 replicas has no store: it has nginx, r1, r2", "session/memory"},
		{"hang:r2", "", "session/memory"},
		{"hang:r3", "has no r3: it has nginx, r1, r2, redis", "session/redis"},
		{"add:r3", "", "session/redis"},
		{"add:r2", "of 2 replicas the next is r3", "session/redis"},
		{"full:store", "", "session/redis"},
		{"full:store", "it acts on redis only", "session/postgres"},
		{"rotate:keys", "", "jwt/ES256"},
		{"rotate:keys", "session/cookie has no signing keys: a JWT arm has", "session/cookie"},
		{"wrongkey:r1", "", "session/cookie"},
		{"wrongkey:r1", "session/redis has no keys", "session/redis"},
		{"deploy:replicas", "", "none"},
	} {
		f, err := Parse(c.fault)
		if err != nil {
			t.Fatal(err)
		}
		err = Fits(f, trial.System{Arm: c.arm, Replicas: 2})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s of %s: %v; want %q", c.fault, c.arm, err, c.want)
		}
	}
}
