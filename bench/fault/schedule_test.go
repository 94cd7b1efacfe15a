package fault

import (
	"errors"
	"strings"
	"testing"
	"time"

	"authbench/bench/stack"
	"authbench/bench/trial"
)

func TestTargetsThatAreNotThere(t *testing.T) {
	rt := open(t, stack.KindNative)
	memory := newSite(t, rt, "session/memory")
	memory.spec.System.Proxied = false
	memory.up(t)
	for text, want := range map[string]string{
		"kill:redis":              `there is no "redis" in session/memory: there are r1, nginx`,
		"kill:store":              `there is no "store" in session/memory`,
		"hang:r7":                 `there is no "r7"`,
		"kill:r1,data=kept":       "r1 is no store",
		"restart:nginx,data=lost": "nginx is no store",
	} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		m := Run(t.Context(), memory.Stack, []trial.Fault{f}, time.Now(), nil)[0]
		if !strings.Contains(m.Why, want) || m.InEffect != nil {
			t.Errorf("%s: %+v; want none begun and a reason with %q", text, m, want)
		}
	}
	if err := memory.Down(t.Context()); err != nil {
		t.Error(err)
	}
	unproxied := newSite(t, rt, "jwt/HS256")
	unproxied.spec.System.Proxied = false
	unproxied.up(t)
	f := trial.Fault{Kind: "slow", Target: "redis", With: map[string]string{"latency": "5ms"}}
	if m := Run(t.Context(), unproxied.Stack, []trial.Fault{f}, time.Now(), nil)[0]; !strings.Contains(m.Why, "Proxied") {
		t.Errorf("%+v; want to be told that the spec asks for no proxy", m)
	}
	// The Redis that stands beside a JWT arm can be killed, and its users notice nothing.
	kill := trial.Fault{Kind: "kill", Target: "redis", Lasts: 0.2}
	if m := Run(t.Context(), unproxied.Stack, []trial.Fault{kill}, time.Now(), nil)[0]; m.Recovered == nil || m.Why != "" {
		t.Errorf("%+v", m)
	}
	if err := unproxied.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

// What cannot be done is said before the trial.
func TestCheck(t *testing.T) {
	no := stack.Capabilities{NoProxy: "there is no way"}
	slow := trial.Fault{Kind: "slow", Target: "redis", At: 1, Lasts: 2, With: map[string]string{"latency": "5ms"}}
	kill := trial.Fault{Kind: "kill", Target: "redis", At: 2, Lasts: 2}
	for _, c := range []struct {
		faults []trial.Fault
		caps   stack.Capabilities
		want   string
	}{
		{[]trial.Fault{slow}, no, "a proxy between replicas and store: there is no way"},
		{[]trial.Fault{kill}, no, ""},
		{[]trial.Fault{slow, kill}, stack.Capabilities{}, ""},
		{[]trial.Fault{{Kind: "flood", Target: "redis"}}, no, "unknown fault"},
	} {
		err := Check(c.faults, c.caps)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v; want %q", c.faults, err, c.want)
		}
	}
}

// Marks hold the moments in their order, near where they were planned.
func TestMarksSayWhen(t *testing.T) {
	s := newSite(t, open(t, stack.KindNative), "session/redis")
	f := trial.Fault{Kind: "hang", Target: "store", At: 0.3, Lasts: 0.4}
	m := Run(t.Context(), s.Stack, []trial.Fault{f}, time.Now(), nil)[0]
	if m.Why != "" || m.Begun == nil || m.InEffect == nil || m.Ended == nil || m.Recovered == nil {
		t.Fatalf("%+v", m)
	}
	if *m.Begun < 0.3 || *m.InEffect < *m.Begun || *m.Ended < 0.7 || *m.Recovered < *m.Ended {
		t.Errorf("begun %v, in effect %v, ended %v, recovered %v; want 0.3 or later, and 0.4 s", *m.Begun, *m.InEffect, *m.Ended, *m.Recovered)
	}
	if err := errors.Join(s.Died(), s.Down(t.Context())); err != nil {
		t.Error(err)
	}
}
