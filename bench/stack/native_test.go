package stack

import (
	"testing"

	"authbench/bench/trial"
)

func TestEveryArmServes(t *testing.T) {
	n := newNative(t)
	for _, a := range append(trial.Arms(), trial.Arm{Auth: "jwt", Alg: "HS256", Carrier: "cookie"}, trial.Arm{Auth: "session", Store: "redis", Carrier: "header"}) {
		spec := cell(a.String(), 2, trial.Sticky)
		s := up(t, n, spec)
		if len(s.Credentials) != spec.Users {
			t.Errorf("%s: %d credentials, want %d", a, len(s.Credentials), spec.Users)
		}
		for _, c := range s.Credentials {
			if sub, err := whoami(t.Context(), s.URL, c); err != nil || sub != c.User {
				t.Fatalf("%s: %s is answered as %q, %v", a, c.User, sub, err)
			}
		}
		for _, c := range s.Components {
			cpu, err := c.CPU()
			if err != nil || cpu <= 0 || c.RSS() <= 0 || len(c.PIDs()) == 0 {
				t.Errorf("%s: %s: CPU %v s, %v; RSS %v", a, c.Name(), cpu, err, c.RSS())
			}
		}
		if err := s.Down(t.Context()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}
