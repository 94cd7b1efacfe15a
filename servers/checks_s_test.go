package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestS01_CredentialsAreLongAndNew(t *testing.T) {
	eachArm(t, "S01", func(s *site) {
		seen := make(map[string]bool)
		for _, m := range s.r[0].mint(`{"users":2000}`) { // a million are drawn in package session
			if seen[m.Credential] || len(m.Credential) < 32 {
				s.Fatalf("credential of %d characters, seen before: %v", len(m.Credential), seen[m.Credential])
			}
			seen[m.Credential] = true
		}
	})
}

// TestS02_OwnIDsAreNotAdopted plants IDs at a victim before they log in:
// fixation.
func TestS02_OwnIDsAreNotAdopted(t *testing.T) {
	eachArm(t, "S02", func(s *site) {
		stale := s.login(ada)
		s.r[0].logout(stale)
		name := s.r[0].config().Cookie
		plants := map[string]string{"well-formed": strings.Repeat("A", 32), "guessed": strings.Repeat("A", 31) + "B", "short": "x", "empty": ""}
		if s.revokes() { // else its log-out ends nothing: G05
			plants["stale"] = stale.secret()
		}
		for what, planted := range plants {
			h := held{cookie: name + "=" + planted}
			wantStatus(s.T, what+" before", s.r[0].me(h), http.StatusUnauthorized)
			a := s.r[0].do("POST", s.r[0].Listen+"/login", `{"username":"user-000001","password":"`+password+`"}`, h)
			if got := a.Cookies(); a.StatusCode != http.StatusOK || len(got) != 1 || got[0].Value == planted {
				s.Errorf("%s: status %d, cookies %v", what, a.StatusCode, got)
			}
			wantStatus(s.T, what+" after", s.r[0].me(h), http.StatusUnauthorized)
		}
	})
}

func TestS03_OnlyHashesAreStored(t *testing.T) {
	eachArm(t, "S03", func(s *site) {
		h := s.login(ada)
		dump := s.dump()
		if !strings.Contains(dump, ada) || strings.Contains(dump, h.secret()) {
			s.Errorf("a dump that lacks the session (%v), or holds its secret (%v)",
				!strings.Contains(dump, ada), strings.Contains(dump, h.secret()))
		}
	})
}

// dump is everything that the arm's store holds.
func (s *site) dump() (text string) {
	s.Helper()
	if s.keepsIn("redis") {
		client := s.redisClient()
		keys, err := client.Keys(s.Context(), "*").Result()
		if err != nil {
			s.Fatal(err)
		}
		for _, key := range keys {
			value, _ := client.Get(s.Context(), key).Result()
			members, _ := client.ZRange(s.Context(), key, 0, -1).Result()
			text += key + value + strings.Join(members, "")
		}
		return text
	}
	conn, err := pgx.Connect(s.Context(), s.postgres)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(context.Background())
	var b strings.Builder
	if _, err := conn.PgConn().CopyTo(s.Context(), &b, `COPY sessions TO STDOUT (FORMAT binary)`); err != nil {
		s.Fatal(err)
	}
	return b.String()
}

// TestS04_ADeletedSessionStaysDeleted logs out while requests touch the
// session, each of which writes it.
func TestS04_ADeletedSessionStaysDeleted(t *testing.T) {
	eachArm(t, "S04", func(s *site) { raceLogOut(s, 20) }, "-touch", "always")
}

func TestS06_LogOutRacingRequests(t *testing.T) {
	eachArm(t, "S06", func(s *site) { raceLogOut(s, 100) })
}

// raceLogOut logs out amid n requests on all replicas: whatever they are
// answered, none is alive after it.
func raceLogOut(s *site, n int) {
	for range 5 {
		h := s.login(ada)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if i == n/2 {
					s.other().logout(h)
					return
				}
				if a := s.r[i%len(s.r)].me(h); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusUnauthorized {
					s.Errorf("status %d, %s", a.StatusCode, a.body)
				}
			})
		}
		all.Wait()
		for _, r := range s.r {
			wantStatus(s.T, "after the race", r.me(h), http.StatusUnauthorized)
		}
	}
}

// TestS05_ExpiryNeedsNoDeletion keeps records beyond their end: those of Redis
// because it is told to write nothing, the others because nothing sweeps within
// the test.
func TestS05_ExpiryNeedsNoDeletion(t *testing.T) {
	eachArm(t, "S05", func(s *site) {
		h := s.login(ada)
		s.wantLive("at first", h)
		if s.keepsIn("redis") {
			client := s.redisClient()
			if err := client.Do(s.Context(), "CLIENT", "PAUSE", time.Minute.Milliseconds(), "WRITE").Err(); err != nil {
				s.Fatal(err)
			}
			defer client.Do(context.Background(), "CLIENT", "UNPAUSE")
		}
		eventually(s.T, "it ends", func() bool { return s.other().me(h).StatusCode == http.StatusUnauthorized })
		if len(kindNamed(s.T, s.arm).stores) > 0 && !s.holdsRecords() {
			s.Error("the record has gone: this test shows nothing")
		}
	}, "-lifetime", "2s", "-sweep", time.Hour.String())
}

// holdsRecords says whether the store still has records, be they over or not.
func (s *site) holdsRecords() bool {
	s.Helper()
	if s.keepsIn("redis") {
		return s.redisClient().DBSize(s.Context()).Val() > 0
	}
	return strings.Contains(s.dump(), ada)
}

// TestS07_ReplicasClocksMayDiffer has replicas 30 s ahead and behind. Sessions
// live for less than that, so whoever judged by a replica's clock would end one
// that has just begun, or keep one for ever. Tokens have a leeway for clocks, and
// it is their log-outs that must not go by them.
func TestS07_ReplicasClocksMayDiffer(t *testing.T) {
	eachCell(t, "S07", func(t *testing.T, arm, cell string) {
		flags := strings.Fields("-lifetime 20s -sweep 1s -sessions-per-user 2 -touch always -idle-timeout 15s")
		checks := map[string]func(*site){"cap": capByOneClock, "index": indexByOneClock, "use": useByOneClock, "guesses": guessesByOneClock}
		if kindNamed(t, arm).flags["auth"] == "jwt" {
			flags = []string{"-leeway", "60s"}
			checks = map[string]func(*site){"log-outs": logOutsByNoClock, "guesses": guessesByOneClock}
		}
		flags = append(flags, "-login-failures", "3", "-login-window", "20s")
		for what, check := range checks {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, arm, cell)
				s.r = nil
				for _, off := range []time.Duration{30 * time.Second, 0, -10 * time.Second, -30 * time.Second} {
					s.r = append(s.r, startOff(t, off, slices.Concat(s.flags, flags, []string{"-replica", off.String()})...))
				}
				check(s)
			})
		}
	})
}

// capByOneClock logs in at every replica in turn, from the one that is most ahead
// on: each time the oldest session ends, and never the new one.
func capByOneClock(s *site) {
	var all []held
	for range 2 {
		for _, r := range s.r {
			all = append(all, r.mustLogin(ada))
			for i, h := range all {
				want := http.StatusUnauthorized
				if i >= len(all)-2 {
					want = http.StatusOK
				}
				wantStatus(s.T, fmt.Sprintf("session %d of %d, two are permitted", i+1, len(all)), s.other().me(h), want)
			}
		}
	}
}

// indexByOneClock logs in at one replica after another and then out by an
// administrator, who must find every session.
func indexByOneClock(s *site) {
	for _, first := range s.r {
		for _, second := range s.r {
			one := first.mustLogin(ada)
			two := second.mustLogin(ada)
			s.wantLive("the first", one)
			s.wantLive("the second", two)
			for _, r := range s.r {
				if got := r.sessions(two); len(got) != 2 || !got[0].Current {
					s.Errorf("%d sessions are listed, want two, the newest first: %+v", len(got), got)
				}
			}
			wantStatus(s.T, "log-out by an administrator", s.send("POST", "/admin/users/user-000001/logout", "", s.login("admin")),
				http.StatusNoContent)
			for _, r := range s.r {
				wantStatus(s.T, "the first, afterwards", r.me(one), http.StatusUnauthorized)
				wantStatus(s.T, "the second, afterwards", r.me(two), http.StatusUnauthorized)
			}
		}
	}
}

// logOutsByNoClock logs in at each replica and out at each other, all of a user's
// tokens and everybody's: every one that there was ends, and the next is good.
func logOutsByNoClock(s *site) {
	for _, issues := range s.r {
		for _, ends := range s.r {
			before, admin := issues.mustLogin(ada), ends.mustLogin("admin")
			out := ends.do("POST", ends.Listen+"/admin/users/"+ada+"/logout", "", admin)
			wantStatus(s.T, "log-out by an administrator", out, http.StatusNoContent)
			after := issues.mustLogin(ada)
			for _, r := range s.r {
				wantStatus(s.T, "from before", r.me(before), http.StatusUnauthorized)
				wantStatus(s.T, "from after", r.me(after), http.StatusOK)
			}
			wantStatus(s.T, "log-out of all", ends.do("POST", ends.Listen+"/admin/logout-all", "", admin), http.StatusNoContent)
			own := issues.mustLogin(ada)
			wantStatus(s.T, "log-out", ends.logout(own), http.StatusNoContent)
			for _, r := range s.r {
				wantStatus(s.T, "from before all were logged out", r.me(after), http.StatusUnauthorized)
				wantStatus(s.T, "logged out", r.me(own), http.StatusUnauthorized)
			}
		}
	}
}

// useByOneClock uses sessions everywhere for a while in which every replica has
// swept: they live, and then end at one time everywhere, whoever used them.
func useByOneClock(s *site) {
	begin := time.Now()
	h := s.r[len(s.r)-1].mustLogin(ada)
	eventually(s.T, "some sweeps are over", func() bool {
		s.wantLive("in use", h)
		return time.Since(begin) > 3*time.Second
	})
	for _, session := range s.r[0].sessions(h) {
		if life := session.Expires.Sub(session.Created); life != 20*time.Second {
			s.Errorf("a session of %v, want 20 s", life)
		}
		if off := session.Created.Sub(begin); off.Abs() > 5*time.Second {
			s.Errorf("it began %v from now, by the clock of a replica", off)
		}
	}
}

// guessesByOneClock counts wrong passwords at every replica in one window.
func guessesByOneClock(s *site) {
	for i := range 3 {
		wantStatus(s.T, "a wrong password", s.loginAs(s.r[i], ada, "wrong"), http.StatusUnauthorized)
	}
	for _, r := range s.r {
		a := r.login(ada)
		wantStatus(s.T, "the right one, after three of three", a, http.StatusTooManyRequests)
		if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 20 {
			s.Errorf("Retry-After %q, want up to 20 s", a.Header.Get("Retry-After"))
		}
	}
}
