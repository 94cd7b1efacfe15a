package fault

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/trial"
)

func TestParseReadsWhatTextWrites(t *testing.T) {
	for text, want := range map[string]trial.Fault{
		"kill:redis":            {Kind: "kill", Target: "redis"},
		"hang:r2@1.5s+500ms":    {Kind: "hang", Target: "r2", At: 1.5, Lasts: 0.5},
		"restart:store@2s+0s":   {Kind: "restart", Target: "store", At: 2},
		"kill:redis,data=kept":  {Kind: "kill", Target: "redis", With: map[string]string{"data": "kept"}},
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
	} {
		if f, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, f, err, want)
		}
	}
}
