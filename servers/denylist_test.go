package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"authbench/servers/store/storetest"
)

// TestL13_ADenylistAsksOnce asks Redis itself what requests cost it.
func TestL13_ADenylistAsksOnce(t *testing.T) {
	eachArm(t, "L13", func(s *site) {
		h := s.login(ada)
		client := s.redisClient()
		client.Ping(s.Context()) // the connection's own commands come before the count
		if err := client.ConfigResetStat(s.Context()).Err(); err != nil {
			s.Fatal(err)
		}
		const n = 50
		for range n {
			wantStatus(s.T, "me", s.r[0].me(h), http.StatusOK)
			wantStatus(s.T, "me without a credential", s.r[0].me(held{}), http.StatusUnauthorized)
			wantStatus(s.T, "me with a forged one", s.r[0].me(held{bearer: h.bearer[:len(h.bearer)-4] + "AAAA"}), http.StatusUnauthorized)
		}
		stats, err := client.Info(s.Context(), "commandstats").Result()
		if err != nil {
			s.Fatal(err)
		}
		// CONFIG RESETSTAT is the other
		if !strings.Contains(stats, fmt.Sprintf("cmdstat_mget:calls=%d,", n)) || strings.Count(stats, "cmdstat_") != 2 {
			s.Errorf("after %d requests with a token:\n%s\nwant as many MGETs and nothing else", n, stats)
		}
	})
}

// TestDenylistDeclaresItsBound holds /config to what a replica does while Redis is
// down: fail-closed no token works after its log-out, fail-open each works until its
// end.
func TestDenylistDeclaresItsBound(t *testing.T) {
	for fail, want := range map[string]struct {
		bound string
		me    int
	}{"closed": {"0s", http.StatusServiceUnavailable}, "open": {"15m0s", http.StatusOK}} {
		t.Run(fail, func(t *testing.T) {
			server := storetest.Redis(t)
			r := start(t, "-auth", "jwt", "-denylist", "redis", "-denylist-fail", fail, "-redis", server.URL, "-keys", t.TempDir(),
				"-lifetime", "15m")
			c := r.config()
			if c.RevocationBound != want.bound || c.RevocationScope != "all" || c.Denylist != "redis" || c.DenylistFail != fail {
				t.Errorf("/config: bound %q, scope %q, denylist %q, fail %q; want bound %s", c.RevocationBound, c.RevocationScope, c.Denylist,
					c.DenylistFail, want.bound)
			}
			if warned := strings.Contains(r.stderr.String(), "-denylist-fail open"); warned != (fail == "open") {
				t.Errorf("a warning at start: %v", warned)
			}
			good, out := r.mustLogin(ada), r.mustLogin(ada)
			wantStatus(t, "log-out", r.logout(out), http.StatusNoContent)
			wantStatus(t, "after it", r.me(out), http.StatusUnauthorized)
			server.Stop()
			for what, h := range map[string]held{"a good one": good, "a revoked one": out} {
				a := r.me(h)
				wantStatus(t, what+" while Redis is down", a, want.me)
				if a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
					t.Errorf("%s: no Retry-After", what)
				}
			}
			wantStatus(t, "log-out while Redis is down", r.logout(good), http.StatusServiceUnavailable)
			wantStatus(t, "log-in while Redis is down", r.login(ada), http.StatusServiceUnavailable)
			wantStatus(t, "a forged one", r.me(held{bearer: good.bearer[:len(good.bearer)-4] + "AAAA"}), http.StatusUnauthorized)
		})
	}
}

// TestDenylistInAnOutage is TestOutage with tokens: frozen, killed, back again.
func TestDenylistInAnOutage(t *testing.T) {
	server := storetest.Redis(t)
	r := start(t, "-auth", "jwt", "-denylist", "redis", "-redis", server.URL, "-keys", t.TempDir())
	h := r.mustLogin(ada)
	for fault, end := range map[string]func(){"frozen": server.Resume, "killed": server.Start} {
		if fault == "frozen" {
			server.Pause()
		} else {
			server.Stop()
		}
		checkOutage(t, fault, r, h)
		end()
		eventually(t, "ready again after "+fault, func() bool {
			return r.do("GET", r.Listen+"/readyz", "", held{}).StatusCode == http.StatusOK
		})
		wantMe(t, r.me(h), ada, "user", "r1") // also of a Redis that came back empty
	}
}

// TestDenylistFull: a log-out that the list has no room for is no log-out.
func TestDenylistFull(t *testing.T) {
	server := storetest.Redis(t)
	r := start(t, "-auth", "jwt", "-denylist", "redis", "-redis", server.URL, "-keys", t.TempDir(), "-store-timeout", "10s")
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	set := func(name, value string) {
		t.Helper()
		if err := client.ConfigSet(context.Background(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h, admin := r.mustLogin(ada), r.mustLogin("admin")
	set("maxmemory", "1")
	for _, a := range []answer{r.logout(h), r.do("DELETE", r.Listen+"/sessions", "", h),
		r.do("POST", r.Listen+"/admin/users/"+ada+"/logout", "", admin), r.do("POST", r.Listen+"/admin/logout-all", "", admin)} {
		wantStatus(t, a.Request.Method+" "+a.Request.URL.Path, a, http.StatusServiceUnavailable)
		if a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
			t.Errorf("%s: headers %v", a.Request.URL.Path, a.Header)
		}
	}
	wantMe(t, r.me(h), ada, "user", "r1")
	set("maxmemory", "0")
	wantStatus(t, "with room again", r.logout(h), http.StatusNoContent)
	wantStatus(t, "after it", r.me(h), http.StatusUnauthorized)

	set("maxmemory-policy", "allkeys-lru")
	a := r.do("GET", r.Listen+"/readyz", "", held{})
	if wantStatus(t, "readyz", a, http.StatusServiceUnavailable); !strings.Contains(a.body, "redis evicts (allkeys-lru), want noeviction") {
		t.Errorf("readyz: %s", a.body)
	}
}
