package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"
	"authbench/servers/account"
)

// TestStreams loads real arms with every kind of credential and a storm of
// log-ins at once: what should be refused is, by each arm that can, and nobody
// gets another's answer.
func TestStreams(t *testing.T) {
	db := openStores(t)
	keys := t.TempDir()
	for arm, revoked := range map[string]string{
		"session/redis":    trial.Refused,
		"session/postgres": trial.Refused,
		"session/cookie":   trial.UnauthorizedSuccess, // the client keeps it
		"jwt/HS256":        trial.UnauthorizedSuccess, // it lives until it expires
		"jwt/ES256":        trial.UnauthorizedSuccess,

		"jwt/HS256+denylist": trial.Refused,
	} {
		t.Run(arm, func(t *testing.T) {
			s := newSite(t, false, db.flags(arm, keys)...)
			short := newSite(t, false, append(db.flags(arm, keys), "-lifetime", "2s")...)
			step := load.Step{Seconds: 1, Streams: map[string]load.Aim{}}
			aim := func(s *site, first int, request string, p trial.Present) {
				target, err := load.Prepare(t.Context(), s.target(first, 10), p, 30*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				step.Streams[request+" "+string(p)] = load.Aim{Target: target, Stream: trial.Stream{Name: string(p), Request: request, Present: p,
					Connections: 4, Pacing: trial.Pacing{Mode: trial.Open, Rate: 50}}}
			}
			aim(short, 10, "GET /me", trial.Expired)
			aim(s, 20, "GET /me", trial.Forged)
			aim(s, 30, "GET /me", trial.Nobody)
			aim(s, 40, "POST /login", trial.Nobody)
			aim(s, 50, "GET /me", trial.Revoked)
			aim(s, 60, "GET /me", trial.Valid)
			g, err := load.NewGenerator(1)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			results, err := g.Run(t.Context(), step)
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"GET /me valid": trial.Success, "POST /login none": trial.Success, "GET /me revoked": revoked,
				"GET /me expired": trial.Refused, "GET /me forged": trial.Refused, "GET /me none": trial.Refused} {
				if r := results[key]; r.Offered != 50 || r.Outcomes[want] != 50 || r.Users != 10 {
					t.Errorf("%s: outcomes %v of %d, %d users; want %s; notes %q", key, r.Outcomes, r.Offered, r.Users, want, r.Notes)
				}
			}
			if n := len(results["POST /login none"].Replicas); n != replicas {
				t.Errorf("%d replicas let users in, want %d", n, replicas)
			}
		})
	}
}

// target has users first to first+n-1, who have logged in.
func (s *site) target(first, n int) trial.Target {
	target := trial.Target{URL: s.url, CheckUser: true}
	for i := range n {
		c := s.client(first + i)
		if a := c.login(); a.err != nil || a.status != http.StatusOK {
			s.Fatalf("log in: %d %s, %v", a.status, a.body, a.err)
		}
		cred := trial.Credential{User: c.user, Header: c.authHeader, Password: account.SeedPassword}
		if name, value, ok := strings.Cut(c.cookie, "="); ok {
			cred.Cookies = map[string]string{name: value}
		}
		target.Credentials = append(target.Credentials, cred)
	}
	return target
}
