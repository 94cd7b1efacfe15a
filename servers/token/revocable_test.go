package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/auth"
	"authbench/servers/auth/authtest"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

// listOn opens a denylist in a server.
func listOn(t testing.TB, server *storetest.Server, timeout time.Duration) *Denylist {
	t.Helper()
	client, err := store.OpenRedis(server.URL, store.Options{Timeout: timeout, Pool: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return NewDenylist(client, timeout, func(string, time.Duration, error) {})
}

// patient is for what is about correctness and not deadlines.
const patient = 10 * time.Second

// openRevocable returns an authenticator over list, whose clock stands still, off by
// so much from Redis'.
func openRevocable(t testing.TB, alg string, list *Denylist, off time.Duration) (*Revocable, *clock) {
	t.Helper()
	ks, err := newKeySet(testKey()[alg])
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	c.Advance(time.Since(c.Now()) + off)
	cfg := Config{Issuer: testIssuer, Audience: testAudience, Lifetime: testLifetime, Now: c.Now}
	if off != 0 {
		cfg.Leeway = MaxLeeway
	}
	r, err := NewRevocable(ks, cfg, list)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// wantEnd wants a token refused because it is revoked, or good.
func wantEnd(t *testing.T, what string, r *Revocable, c auth.Credential, ended bool) {
	t.Helper()
	_, err := r.Authenticate(context.Background(), c)
	if ended && !errors.Is(err, errRevoked) || !ended && err != nil {
		t.Errorf("%s: %v; want it revoked: %v", what, err, ended)
	}
}

func issueFor(t testing.TB, r *Revocable, subject string) auth.Credential {
	t.Helper()
	c, _, err := r.Issue(context.Background(), auth.Principal{Subject: subject, Role: "user"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRevocableConforms(t *testing.T) {
	list := listOn(t, storetest.Redis(t), patient)
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			authtest.Run(t, func(t *testing.T) authtest.Subject {
				r, clock := openRevocable(t, alg, list, 0)
				return authtest.Subject{Auth: r, Revokes: true, Now: clock.Now, Advance: clock.Advance}
			})
		})
	}
}

// A token and all of a user's or everybody's end, on every replica, and those that
// are issued afterwards are good.
func TestGenerations(t *testing.T) {
	server := storetest.Redis(t)
	list := listOn(t, server, patient)
	r1, _ := openRevocable(t, "HS256", list, 0)
	r2, _ := openRevocable(t, "HS256", listOn(t, server, patient), 0)
	for range 3 { // each over those before
		alice, kept, bob := issueFor(t, r1, "alice"), issueFor(t, r2, "alice"), issueFor(t, r1, "bob")
		must(t, r2.RevokeSubject(t.Context(), "alice", kept))
		wantEnd(t, "another of hers", r1, alice, true)
		wantEnd(t, "the one that is kept", r1, kept, false)
		wantEnd(t, "another user's", r1, bob, false)
		next := issueFor(t, r2, "alice")
		wantEnd(t, "a new one", r1, next, false)
		must(t, r1.RevokeSubject(t.Context(), "alice", next))
		wantEnd(t, "the one that was kept before", r1, kept, true)
		wantEnd(t, "the one that is kept now", r2, next, false)
		must(t, r1.RevokeSubject(t.Context(), "alice", "no token"))
		wantEnd(t, "the one that was kept, where none is", r2, next, true)
		next = issueFor(t, r2, "alice")
		must(t, r1.RevokeAll(t.Context()))
		for _, c := range []auth.Credential{next, bob} {
			wantEnd(t, "everybody's", r2, c, true)
		}
		wantEnd(t, "a new one", r1, issueFor(t, r2, "alice"), false)
		wantEnd(t, "a new one", r2, issueFor(t, r2, "bob"), false)
	}
}

// TestGenerationsGoByNoReplicasClock: replicas are 30 s ahead and behind. What was
// issued before all of a user's tokens were ended is refused, and what comes after
// is good, whichever replica issued, ended or is asked.
func TestGenerationsGoByNoReplicasClock(t *testing.T) {
	server := storetest.Redis(t)
	var all []*Revocable
	for _, off := range []time.Duration{30 * time.Second, -30 * time.Second} {
		r, _ := openRevocable(t, "HS256", listOn(t, server, patient), off)
		all = append(all, r)
	}
	for i, issues := range all {
		for j, ends := range all {
			what := fmt.Sprintf("issued by %d, ended by %d", i, j)
			before := issueFor(t, issues, "alice")
			must(t, ends.RevokeSubject(t.Context(), "alice", ""))
			after := issueFor(t, issues, "alice")
			for _, asked := range all {
				wantEnd(t, what+", before", asked, before, true)
				wantEnd(t, what+", after", asked, after, false)
			}
			must(t, ends.RevokeAll(t.Context()))
			for _, asked := range all {
				wantEnd(t, what+", all ended", asked, after, true)
			}
		}
	}
}

// TestALogOutOutlastsItsToken has replicas 25 s ahead and behind: a token has ended
// for the one or is not yet issued for the other, and still its log-out holds, for
// as long as anybody accepts it.
func TestALogOutOutlastsItsToken(t *testing.T) {
	server := storetest.Redis(t)
	list := listOn(t, server, patient)
	ahead, fast := openRevocable(t, "HS256", list, 25*time.Second)
	behind, slow := openRevocable(t, "HS256", list, -25*time.Second)
	rest := func(c auth.Credential) time.Duration {
		t.Helper()
		ttl, err := list.client.PTTL(t.Context(), deniedPrefix+string(claimsOf(t, ahead, c).jti)).Result()
		must(t, err)
		return ttl
	}

	life := func(c auth.Credential) time.Duration { return time.Unix(claimsOf(t, behind, c).exp, 0).Sub(slow.Now()) } // the longest

	ahead.cfg.Leeway, behind.cfg.Leeway = 0, 0
	future := issueFor(t, ahead, "alice")
	must(t, behind.Revoke(t.Context(), future)) // of the future there, and good at the other
	wantEnd(t, "logged out by one who finds it of the future", ahead, future, true)

	old := issueFor(t, behind, "alice")
	slow.Advance(testLifetime - time.Second)
	fast.Advance(testLifetime - time.Second)
	must(t, ahead.Revoke(t.Context(), old)) // expired there, and good at the other for a second more
	wantEnd(t, "logged out by one who finds it expired", behind, old, true)
	if got, left := rest(old), life(old); got < left {
		t.Errorf("the log-out is kept for %v, the token lives for another %v", got, left)
	}
	slow.Advance(3 * time.Minute)
	fast.Advance(3 * time.Minute)
	must(t, list.client.FlushAll(t.Context()).Err())
	must(t, behind.Revoke(t.Context(), old))
	if n, _ := list.client.DBSize(t.Context()).Result(); n != 0 {
		t.Errorf("a token that nobody accepts any more: %d entries", n)
	}

	whole := issueFor(t, behind, "alice")
	must(t, ahead.Revoke(t.Context(), whole))
	if got, left := rest(whole), life(whole); got < left {
		t.Errorf("by one who is a minute ahead: the log-out is kept for %v, the token lives for %v", got, left)
	}
	must(t, ahead.RevokeSubject(t.Context(), "alice", ""))
	if got, _ := list.client.PTTL(t.Context(), subjectPrefix+"alice").Result(); got < testLifetime+MaxLeeway-patient {
		t.Errorf("the end of a user's tokens is kept for %v, they live for up to %v", got, testLifetime+time.Minute)
	}
}

func claimsOf(t *testing.T, r *Revocable, c auth.Credential) claims {
	t.Helper()
	_, claims, err := r.read(c, new(scratch))
	must(t, err)
	return claims
}

// A Redis that came back empty has forgotten what ended; what ends from then on
// ends, also if it was issued before.
func TestALostListGoesOnAboveItsGenerations(t *testing.T) {
	list := listOn(t, storetest.Redis(t), patient)
	r, _ := openRevocable(t, "HS256", list, 0)
	for range 5 {
		must(t, r.RevokeAll(t.Context()))
	}
	c := issueFor(t, r, "alice")
	last, err := list.generation(t.Context())
	must(t, err)
	for now := time.UnixMilli(0); now.UnixMilli() <= last; { // the count is ahead of the clock by the four that came with the first
		now, err = list.client.Time(t.Context()).Result()
		must(t, err)
	}
	must(t, list.client.FlushAll(t.Context()).Err())
	wantEnd(t, "after the loss", r, c, false)
	must(t, r.RevokeSubject(t.Context(), "alice", ""))
	wantEnd(t, "ended after the loss", r, c, true)
}

// TestDenylistDown: whoever cannot be asked about is not refused, and accepted only
// where that was asked for.
func TestDenylistDown(t *testing.T) {
	server := storetest.Redis(t)
	list := listOn(t, server, 100*time.Millisecond)
	closed, _ := openRevocable(t, "HS256", list, 0)
	open, _ := openRevocable(t, "HS256", list, 0)
	open.FailOpen = true
	good := issueFor(t, closed, "alice")
	revoked := issueFor(t, closed, "alice")
	must(t, open.Revoke(t.Context(), revoked))
	wantEnd(t, "while it is up", open, revoked, true)
	for fault, begin := range map[string]func() (end func()){
		"frozen": func() func() { server.Pause(); return server.Resume },
		"killed": func() func() { server.Stop(); return server.Start },
	} {
		end := begin()
		for _, c := range []auth.Credential{good, revoked} {
			if _, err := closed.Authenticate(t.Context(), c); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("%s, fail-closed: %v; want an error that is no refusal", fault, err)
			}
			if p, err := open.Authenticate(t.Context(), c); err != nil || p.Subject != "alice" {
				t.Errorf("%s, fail-open: %v, %v", fault, p, err)
			}
		}
		if _, err := open.Authenticate(t.Context(), good+"x"); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s, fail-open: a forged token gives %v", fault, err)
		}
		for what, err := range map[string]error{"log-out": open.Revoke(t.Context(), good),
			"of a user": open.RevokeSubject(t.Context(), "alice", ""), "of all": open.RevokeAll(t.Context())} {
			if err == nil {
				t.Errorf("%s: %s: no error, and nothing has ended", fault, what)
			}
		}
		if _, _, err := open.Issue(t.Context(), auth.Principal{Subject: "alice", Role: "user"}); err == nil {
			t.Errorf("%s: issued a token of a generation that nobody knows", fault)
		}
		end()
	}
}

// A list that is full says so: no log-out is lost without a word.
func TestDenylistFull(t *testing.T) {
	list := listOn(t, storetest.Redis(t), patient)
	r, _ := openRevocable(t, "HS256", list, 0)
	c := issueFor(t, r, "alice")
	must(t, list.Ready(t.Context()))
	must(t, list.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	for what, err := range map[string]error{"log-out": r.Revoke(t.Context(), c),
		"of a user": r.RevokeSubject(t.Context(), "alice", ""), "of all": r.RevokeAll(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s: error %v; want one that says OOM", what, err)
		}
	}
	wantEnd(t, "what could not be ended", r, c, false)
	var refused *store.WritesRefusedError
	if err := list.Ready(t.Context()); !errors.As(err, &refused) {
		t.Errorf("Ready = %v", err)
	}
	must(t, list.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	must(t, list.client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	var evicts *store.EvictsError
	if err := list.Ready(t.Context()); !errors.As(err, &evicts) || evicts.Policy != "allkeys-lru" {
		t.Errorf("Ready = %v; want it to name the policy", err)
	}
}

// TestL13_OneRoundTrip counts what Redis is sent.
func TestL13_OneRoundTrip(t *testing.T) {
	list := listOn(t, storetest.Redis(t), patient)
	r, _ := openRevocable(t, "HS256", list, 0)
	good := issueFor(t, r, "alice")
	counter := &commands{}
	list.client.AddHook(counter)
	wantEnd(t, "a good one", r, good, false)
	if counter.n != 1 || counter.last != "mget" {
		t.Errorf("a good token: %d commands, the last %q; want one MGET", counter.n, counter.last)
	}
	counter.n = 0
	for _, bad := range []auth.Credential{"", "x", good + "x", good[:len(good)-2]} {
		if _, err := r.Authenticate(t.Context(), bad); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%.10q: %v", bad, err)
		}
		must(t, r.Revoke(t.Context(), bad))
	}
	if counter.n != 0 {
		t.Errorf("tokens that nobody has signed: %d commands", counter.n)
	}
}

// commands counts what is sent.
type commands struct {
	n    int
	last string
}

func (*commands) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *commands) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *commands) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n++
		c.last = cmd.Name()
		return next(ctx, cmd)
	}
}

// Neither kind takes the other's tokens, though one key signs both.
func TestRevocableAndBareAreKeptApart(t *testing.T) {
	list := listOn(t, storetest.Redis(t), patient)
	r, _ := openRevocable(t, "HS256", list, 0)
	bare, _ := open(t, "HS256", nil)
	c := issueFor(t, r, "alice")
	refused(t, bare, c, errClaims)
	if _, err := r.Authenticate(t.Context(), issue(t, bare, "alice")); !errors.Is(err, errClaims) {
		t.Errorf("a bare token: %v", err)
	}
	if _, err := NewRevocable(bare.set(), Config{Profile: Cognito, Issuer: "i", Audience: "a", Lifetime: time.Minute}, list); err == nil {
		t.Error("revocable tokens of another issuer")
	}
	honest, k := claimsOf(t, r, c), r.set().signing
	payload := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","role":"user","iat":%d,"exp":%d,"jti":"1","gen":0}`,
		testIssuer, testAudience, honest.iat, honest.exp)
	wantEnd(t, "forged by our own key", r, forge(t, k, goodHeader(k), payload), false)
	for _, wrong := range []string{`,"gen":"0"`, `,"gen":-1`, `,"gen":null`, `,"gen":0,"gen":0`, `,"Gen":0`, `,"gen":1.0`, ``,
		`,"gen":0,"x":1`} {
		c := forge(t, k, goodHeader(k), strings.Replace(payload, `,"gen":0`, wrong, 1))
		if _, err := r.Authenticate(t.Context(), c); !errors.Is(err, errClaims) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
