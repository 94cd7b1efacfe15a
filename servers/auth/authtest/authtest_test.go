package authtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"authbench/servers/auth"
)

// table is the simplest authenticator that there can be, and can be broken in
// one way at a time to see that the suite notices.
type table struct {
	mu     sync.Mutex
	now    time.Time
	issued map[auth.Credential]auth.Principal
	defect string
}

const tableLifetime = time.Minute

func (a *table) is(defect string) bool { return a.defect == defect }

func (a *table) Issue(_ context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	end := a.now.Add(tableLifetime)
	if p.Expiry.IsZero() || p.Expiry.After(end) && !a.is("takes a late expiry") || a.is("ignores an early expiry") {
		p.Expiry = end
	}
	c := auth.Credential(rand.Text())
	switch {
	case a.is("one credential for all"):
		c = "always-the-same"
	case a.is("forgets the role"):
		p.Role = "user"
	case a.is("credential with a space"):
		c += " x"
	}
	a.issued[c] = p
	if a.is("already expired") {
		return c, a.now, nil
	}
	return c, p.Expiry, nil
}

func (a *table) Authenticate(ctx context.Context, c auth.Credential) (auth.Principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.is("accepts a longer one") && len(c) > 26 {
		c = c[:26]
	}
	p, ok := a.issued[c]
	ended := !a.now.Before(p.Expiry)
	if a.is("never expires") || a.is("expires late") && a.now.Equal(p.Expiry) {
		ended = false
	}
	switch {
	case a.is("stops when cancelled") && ctx.Err() != nil && c != "":
		return auth.Principal{}, ctx.Err() // allowed: not a defect
	case a.is("blames the client when cancelled") && ctx.Err() != nil:
		return auth.Principal{}, auth.ErrUnauthenticated
	case a.is("asks a store for nothing") && ctx.Err() != nil:
		return auth.Principal{}, ctx.Err()
	case a.is("takes anyone") && c != "":
		return auth.Principal{Subject: "alice", Role: "user", Expiry: a.now.Add(time.Second)}, nil
	case ok && !ended:
		return p, nil
	case a.is("plain error"):
		return auth.Principal{}, errors.New("no")
	case a.is("quotes the credential"):
		return auth.Principal{}, fmt.Errorf("%w: %s", auth.ErrUnauthenticated, c)
	case a.is("refuses, but tells who"):
		return auth.Principal{Subject: "alice"}, auth.ErrUnauthenticated
	}
	return auth.Principal{}, auth.ErrUnauthenticated
}

func (a *table) Revoke(_ context.Context, c auth.Credential) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.issued[c]
	if a.is("cannot revoke") {
		if ok && a.now.Before(p.Expiry) {
			return errors.ErrUnsupported
		}
		return nil
	}
	if !ok && a.is("revoking the unknown fails") {
		return errors.New("no such credential")
	}
	if a.is("only says that it revokes") {
		return nil
	}
	for other, q := range a.issued {
		if other == c || a.is("revokes all of a subject") && q.Subject == p.Subject {
			delete(a.issued, other)
		}
	}
	return nil
}

func openTable(defect string) Subject {
	a := &table{now: time.Unix(1e9, 0), issued: map[auth.Credential]auth.Principal{}, defect: defect}
	return Subject{
		Auth:    a,
		Revokes: true,
		Now: func() time.Time {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.now
		},
		Advance: func(d time.Duration) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.now = a.now.Add(d)
		},
	}
}

func TestSuitePassesGood(t *testing.T) {
	Run(t, func(*testing.T) Subject { return openTable("") })
}

func TestSuitePassesGoodThatStopsWhenCancelled(t *testing.T) {
	Run(t, func(*testing.T) Subject { return openTable("stops when cancelled") })
}

func TestSuitePassesGoodThatCannotRevoke(t *testing.T) {
	Run(t, func(*testing.T) Subject {
		s := openTable("cannot revoke")
		s.Revokes = false
		return s
	})
}

func TestSuitePassesGoodWithoutClock(t *testing.T) {
	Run(t, func(*testing.T) Subject {
		s := openTable("")
		s.Advance = nil
		return s
	})
}

// TestSuiteFindsDefects breaks the table in one way at a time; the check that
// is there for it must notice.
func TestSuiteFindsDefects(t *testing.T) {
	for defect, by := range map[string]string{
		"one credential for all":           "Distinct",
		"forgets the role":                 "RoundTrip",
		"credential with a space":          "RoundTrip",
		"already expired":                  "RoundTrip",
		"accepts a longer one":             "Altered",
		"takes anyone":                     "Garbage",
		"plain error":                      "Garbage",
		"quotes the credential":            "Garbage",
		"refuses, but tells who":           "Garbage",
		"never expires":                    "Expiry",
		"expires late":                     "Expiry",
		"ignores an early expiry":          "EarlyExpiry",
		"takes a late expiry":              "LateExpiry",
		"only says that it revokes":        "Revoke",
		"revokes all of a subject":         "Revoke",
		"cannot revoke":                    "Revoke",
		"revoking the unknown fails":       "RevokeUnknown",
		"blames the client when cancelled": "Cancelled",
		"asks a store for nothing":         "Cancelled",
	} {
		found := false
		for _, c := range checks {
			if c.name == by {
				found = c.run(context.Background(), openTable(defect)) != nil
			}
		}
		if !found {
			t.Errorf("%s: %s did not notice", defect, by)
		}
	}
	for _, c := range checks {
		// A users' mix-up shows under any check that has two; here it is forced.
		if c.name == "Concurrent" && c.run(context.Background(), openTable("takes anyone")) == nil {
			t.Error("takes anyone: Concurrent did not notice")
		}
	}
}
