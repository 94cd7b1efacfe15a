package main

import (
	"context"
	"net/http"
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
		if s.arm != "session/cookie" { // whose log-out ends nothing: G05
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
			s.Errorf("a dump that lacks the session (%v), or holds its secret (%v)", !strings.Contains(dump, ada), strings.Contains(dump, h.secret()))
		}
	})
}

// dump is everything that the arm's store holds.
func (s *site) dump() (text string) {
	s.Helper()
	if s.arm == "session/redis" {
		client := redisClient(s.T)
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
// by PERSIST, the others because nothing sweeps within the test.
func TestS05_ExpiryNeedsNoDeletion(t *testing.T) {
	eachArm(t, "S05", func(s *site) {
		h := s.login(ada)
		s.wantLive("at first", h)
		if s.arm == "session/redis" {
			client := redisClient(s.T)
			for _, key := range client.Keys(s.Context(), "session*").Val() {
				client.Persist(s.Context(), key)
			}
		}
		eventually(s.T, "it ends", func() bool { return s.other().me(h).StatusCode == http.StatusUnauthorized })
		if s.arm != "session/memory" && s.arm != "session/cookie" && !strings.Contains(s.dump(), ada) {
			s.Error("the record has gone: this test shows nothing")
		}
	}, "-lifetime", "1s", "-sweep", time.Hour.String())
}
