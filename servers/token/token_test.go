package token

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/servers/auth"
	"authbench/servers/auth/authtest"
)

const (
	testIssuer   = "https://issuer.test"
	testAudience = "https://api.test"
	testLifetime = 15 * time.Minute
)

// clock is a settable clock, safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Keys are made once a test binary: RSA keys take their time.
var testKey = sync.OnceValue(func() map[string]*key {
	keys := map[string]*key{}
	for _, alg := range Algorithms() {
		keys[alg] = freshKey(alg)
	}
	return keys
})

func freshKey(alg string) *key {
	text, err := generate(alg)
	if err != nil {
		panic(err)
	}
	k, err := parseKey(text, alg)
	if err != nil {
		panic(err)
	}
	return k
}

// open returns an authenticator that signs by alg, and its clock. change may
// be nil.
func open(t testing.TB, alg string, change func(*Config)) (*Authenticator, *clock) {
	t.Helper()
	ks, err := newKeySet(testKey()[alg])
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	cfg := Config{Issuer: testIssuer, Audience: testAudience, Lifetime: testLifetime, Now: c.Now}
	if change != nil {
		change(&cfg)
	}
	a, err := New(ks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

func issue(t testing.TB, a *Authenticator, subject string) auth.Credential {
	t.Helper()
	c, _, err := a.Issue(context.Background(), auth.Principal{Subject: subject, Role: "user"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused checks that c is refused for exactly the reason why: a test that
// only sees some refusal may be testing another check than it thinks.
func refused(t *testing.T, a *Authenticator, c auth.Credential, why error) {
	t.Helper()
	_, err := a.Authenticate(context.Background(), c)
	if !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("%v does not wrap ErrUnauthenticated", err)
	}
	if err := a.Revoke(context.Background(), c); err != nil {
		t.Errorf("revoking a refused token: %v", err)
	}
}

func accepted(t *testing.T, a *Authenticator, c auth.Credential) auth.Principal {
	t.Helper()
	p, err := a.Authenticate(context.Background(), c)
	if err != nil {
		t.Errorf("refused: %v", err)
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			a, clock := open(t, alg, nil)
			for _, subject := range []string{"alice", `"<&>\`, "Zoë 𝄞", "a\x00b\n", "\u2028"} {
				c, expiry, err := a.Issue(context.Background(), auth.Principal{Subject: subject, Role: "admin"})
				if err != nil {
					t.Fatal(err)
				}
				want := auth.Principal{Subject: subject, Role: "admin", Expiry: clock.Now().Add(testLifetime)}
				got := accepted(t, a, c)
				if got.Subject != want.Subject || got.Role != want.Role || !got.Expiry.Equal(want.Expiry) || !expiry.Equal(want.Expiry) {
					t.Errorf("got %v until %v, want %v", got, expiry, want)
				}
				if err := a.Revoke(context.Background(), c); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Revoke = %v, want ErrUnsupported", err)
				}
			}
		})
	}
}

// The full clock decides: a token made late in a second is not good for
// longer than its whole-second expiry says.
func TestExpiryToTheNanosecond(t *testing.T) {
	for _, leeway := range []time.Duration{0, 30 * time.Second} {
		a, clock := open(t, "HS256", func(cfg *Config) { cfg.Leeway = leeway })
		clock.Advance(999 * time.Millisecond)
		c, expiry, err := a.Issue(context.Background(), auth.Principal{Subject: "alice", Role: "user"})
		if err != nil {
			t.Fatal(err)
		}
		if life := expiry.Sub(clock.Now()); life > testLifetime || life <= testLifetime-time.Second {
			t.Errorf("lives %v", life)
		}
		clock.Advance(expiry.Sub(clock.Now()) + leeway - 1)
		accepted(t, a, c)
		clock.Advance(1)
		refused(t, a, c, errExpired)
	}
}

func TestIssueRefuses(t *testing.T) {
	a, clock := open(t, "HS256", nil)
	clock.Advance(500 * time.Millisecond)
	for name, p := range map[string]auth.Principal{
		"no subject":      {Role: "user"},
		"subject no text": {Subject: "\xff", Role: "user"},
		"subject too big": {Subject: strings.Repeat("a", maxToken), Role: "user"},
		"no role":         {Subject: "alice"},
		"unknown role":    {Subject: "alice", Role: "User"},
		"past expiry":     {Subject: "alice", Role: "user", Expiry: clock.Now().Add(-time.Hour)},
		"this second":     {Subject: "alice", Role: "user", Expiry: clock.Now().Add(400 * time.Millisecond)},
	} {
		if c, _, err := a.Issue(context.Background(), p); err == nil || c != "" {
			t.Errorf("%s: issued", name)
		}
	}
	// The longest subject that Issue takes is one that Authenticate takes.
	longest := 0
	for n := 2500; n < maxToken; n++ {
		c, _, err := a.Issue(context.Background(), auth.Principal{Subject: strings.Repeat("a", n), Role: "user"})
		if err != nil {
			break
		}
		accepted(t, a, c)
		longest = len(c)
	}
	if longest < maxToken-2 || longest > maxToken {
		t.Errorf("longest token has %d bytes, want about %d", longest, maxToken)
	}
}

func TestConfigRefused(t *testing.T) {
	ks, err := newKeySet(testKey()["HS256"])
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"issuer":   func(c *Config) { c.Issuer = "" },
		"audience": func(c *Config) { c.Audience = "\xff" },
		"lifetime": func(c *Config) { c.Lifetime = 1500 * time.Millisecond },
		"Lifetime": func(c *Config) { c.Lifetime = 0 },
		"leeway":   func(c *Config) { c.Leeway = 61 * time.Second },
		"Leeway":   func(c *Config) { c.Leeway = -1 },
	} {
		cfg := Config{Issuer: "i", Audience: "a", Lifetime: time.Minute}
		change(&cfg)
		if _, err := New(ks, cfg); err == nil || !strings.Contains(err.Error(), strings.ToLower(want)) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, err := New(nil, Config{Issuer: "i", Audience: "a", Lifetime: time.Minute}); err == nil {
		t.Error("no keys: accepted")
	}
}

// One allocation is the subject; the race detector drops pooled buffers now and
// then, which the limit leaves room for. A general parser needs over sixty.
func TestVerifyAllocatesLittle(t *testing.T) {
	a, _ := open(t, "HS256", nil)
	c := issue(t, a, "alice")
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := a.Authenticate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}); n > 8 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func TestConformance(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			authtest.Run(t, func(t *testing.T) authtest.Subject {
				a, clock := open(t, alg, nil)
				return authtest.Subject{Auth: a, Now: clock.Now, Advance: clock.Advance}
			})
		})
	}
}
