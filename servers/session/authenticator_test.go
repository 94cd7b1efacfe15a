package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"authbench/servers/auth"
	"authbench/servers/session"
)

// counting is a store that counts calls and may be made to fail.
type counting struct {
	session.Store
	calls int
	err   error
}

func (c *counting) Find(ctx context.Context, id session.ID) (session.Session, bool, error) {
	c.calls++
	if c.err != nil {
		return session.Session{}, false, c.err
	}
	return c.Store.Find(ctx, id)
}

func (c *counting) Delete(ctx context.Context, id session.ID) error {
	c.calls++
	return c.Store.Delete(ctx, id)
}

func TestStoreCallsPerRequest(t *testing.T) {
	store := &counting{Store: session.NewMemory(time.Now, 10)}
	a := session.New(store, session.Config{Lifetime: time.Hour})
	c, _, err := a.Issue(t.Context(), auth.Principal{Subject: "user-000001", Role: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(t.Context(), c); err != nil || store.calls != 1 {
		t.Errorf("a live session: error %v, %d store calls; want 1", err, store.calls)
	}
	store.calls = 0
	for _, bad := range []auth.Credential{
		"", "x", c[1:], c + "A", c[:31] + "\n", c[:31] + "=", c[:31] + "+", c[:30] + "\r\n",
		auth.Credential(strings.Repeat("A", 1<<20)), auth.Credential(strings.Repeat("\n", 32)),
	} {
		if _, err := a.Authenticate(t.Context(), bad); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("Authenticate(%.40q): error %v, want ErrUnauthenticated", bad, err)
		}
		if err := a.Revoke(t.Context(), bad); err != nil {
			t.Errorf("Revoke(%.40q): %v", bad, err)
		}
	}
	if store.calls != 0 {
		t.Errorf("malformed credentials: %d store calls, want none", store.calls)
	}
}

func TestStoreFailureIsNotARefusal(t *testing.T) {
	down := errors.New("store is down")
	a := session.New(&counting{err: down}, session.Config{Lifetime: time.Hour})
	_, err := a.Authenticate(t.Context(), auth.Credential(strings.Repeat("A", 32)))
	if !errors.Is(err, down) || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("error %v; want the store's, and not ErrUnauthenticated", err)
	}
}

func TestS01_SecretsAreNew(t *testing.T) {
	m := session.NewMemory(time.Now, 2_000_000)
	m.PerSubject = 10 // they need not all live at once
	a := session.New(m, session.Config{Lifetime: time.Hour})
	seen := make(map[auth.Credential]bool)
	for range 1_000_000 {
		c, _, err := a.Issue(t.Context(), auth.Principal{Subject: "user-000001"})
		if err != nil || seen[c] || len(c) != 32 {
			t.Fatalf("secret %q: error %v, seen before %v", c, err, seen[c])
		}
		seen[c] = true
	}
}
