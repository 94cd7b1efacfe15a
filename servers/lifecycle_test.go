package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbench/servers/store/storetest"
)

// TestRedisIsUsedAgainAtOnce fails more dials than the pool is large, after
// which go-redis by itself would look for the server once a second only.
func TestRedisIsUsedAgainAtOnce(t *testing.T) {
	server := storetest.Redis(t)
	r := start(t, "-auth", "session", "-store", "redis", "-redis", server.URL, "-pool", "4", "-store-timeout", "5s")
	for range 3 {
		h := r.mustLogin(ada)
		server.Stop()
		for range 20 {
			wantStatus(t, "while it is down", r.me(h), http.StatusServiceUnavailable)
		}
		server.Start()
		// The very first request, at once: it came back empty.
		wantStatus(t, "when it is back", r.me(h), http.StatusUnauthorized)
	}
}

// TestReadinessPolicy takes the store away from both policies.
func TestReadinessPolicy(t *testing.T) {
	server := storetest.Redis(t)
	flags := []string{"-auth", "session", "-store", "redis", "-redis", server.URL, "-readiness"}
	byStore, always := start(t, append(flags, "store")...), start(t, append(flags, "always")...)
	ready := func(r *replica) answer { return r.do("GET", r.Listen+"/readyz", "", held{}) }
	wantStatus(t, "store, up", ready(byStore), http.StatusOK)
	wantStatus(t, "always, up", ready(always), http.StatusOK)
	server.Stop()
	wantStatus(t, "store, down", ready(byStore), http.StatusServiceUnavailable)
	wantStatus(t, "always, down", ready(always), http.StatusOK)
	if got := always.config().Readiness; got != "always" {
		t.Errorf("/config: readiness %q", got)
	}
}

// TestOneRoundTripForEachTouch asks the stores themselves what a request costs
// them under each policy.
func TestOneRoundTripForEachTouch(t *testing.T) {
	for _, touch := range []string{"never", "throttled", "always"} {
		t.Run("redis "+touch, func(t *testing.T) {
			s := newSite(t, "session/redis", required, "-touch", touch)
			h, client := s.login(ada), s.redisClient()
			s.wantLive("the script is known", h)
			client.Ping(t.Context())
			if err := client.ConfigResetStat(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			const n = 20
			for range n {
				wantStatus(t, "me", s.r[0].me(h), http.StatusOK)
			}
			stats := client.Info(t.Context(), "commandstats").Val()
			want := fmt.Sprintf("cmdstat_evalsha:calls=%d,", n) // what a script does within counts as well
			if touch == "never" {
				want = fmt.Sprintf("cmdstat_get:calls=%d,", n)
			}
			if !strings.Contains(stats, want) || touch == "never" && strings.Contains(stats, "evalsha") {
				t.Errorf("after %d requests:\n%s\nwant %s", n, stats, want)
			}
			if set := fmt.Sprintf("cmdstat_set:calls=%d,", n); strings.Contains(stats, set) != (touch == "always") {
				t.Errorf("touch %s:\n%s", touch, stats)
			}
		})
		t.Run("postgres "+touch, func(t *testing.T) {
			s := newSite(t, "session/postgres", required, "-touch", touch)
			h := s.login(ada)
			before := storeCalls(s.r[0])
			const n = 20
			for range n {
				wantStatus(t, "me", s.r[0].me(h), http.StatusOK)
			}
			if got := storeCalls(s.r[0]) - before; got != n {
				t.Errorf("%d store calls for %d requests", got, n)
			}
		})
	}
}

// storeCalls is the sum of a replica's own counters of calls to its sessions.
func storeCalls(r *replica) (sum int) {
	r.t.Helper()
	for line := range strings.Lines(r.do("GET", r.Private+"/metrics", "", held{}).body) {
		if strings.HasPrefix(line, `authbench_store_calls_total{`) && strings.Contains(line, `store="sessions"`) {
			var n int
			fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n)
			sum += n
		}
	}
	return sum
}

// TestOwnSessions lists a user's sessions and ends them by their handles, which
// open nothing.
func TestOwnSessions(t *testing.T) {
	for _, arm := range []string{"session/memory", "session/redis", "session/postgres"} {
		t.Run(arm, func(t *testing.T) {
			s := newSite(t, arm, required)
			first, second, stranger := s.login(ada), s.login(ada), s.login(bob)
			list := s.sessions(second)
			if len(list) != 2 || list[0].Current == list[1].Current || list[0].Handle == list[1].Handle {
				t.Fatalf("sessions: %+v", list)
			}
			other := list[0]
			if other.Current {
				other = list[1]
			}
			for _, c := range []held{{bearer: other.Handle}, {cookie: "__Host-session=" + other.Handle}} {
				wantStatus(t, "a handle as credential", s.r[0].me(c), http.StatusUnauthorized)
			}
			wantStatus(t, "by a stranger", s.send("DELETE", "/sessions/"+other.Handle, "", stranger), http.StatusNotFound)
			s.wantLive("it is not theirs", first)
			wantStatus(t, "by its own user", s.send("DELETE", "/sessions/"+other.Handle, "", second), http.StatusNoContent)
			for _, r := range s.r {
				wantStatus(t, "ended by handle", r.me(first), http.StatusUnauthorized)
			}
			s.wantLive("the other", second)
			s.wantEnded("all of them", s.send("DELETE", "/sessions", "", second), second)
			s.wantLive("a stranger's", stranger)
		})
	}
	for _, arm := range []string{"session/cookie", "jwt/ES256"} {
		t.Run(arm, func(t *testing.T) {
			s := newSite(t, arm, bounded)
			h := s.login(ada)
			wantProblem(t, s.send("GET", "/sessions", "", h), http.StatusNotFound)
			s.wantEnded("all of them", s.send("DELETE", "/sessions", "", h), h)
		})
	}
}

type listed struct {
	Handle           string
	Created, Expires time.Time
	Current          bool
}

func (s *site) sessions(h held) []listed { s.Helper(); return s.other().sessions(h) }

func (r *replica) sessions(h held) []listed {
	r.t.Helper()
	var list struct{ Sessions []listed }
	a := r.do("GET", r.Listen+"/sessions", "", h)
	wantStatus(r.t, "list", a, http.StatusOK)
	decode(r.t, a.body, &list)
	return list.Sessions
}
