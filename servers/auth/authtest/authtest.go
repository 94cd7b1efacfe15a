// Package authtest holds the conformance suite of [auth.Authenticator].
//
// In comes a function that opens a fresh implementation; out come test
// failures that quote the part of the contract that was broken. An
// implementation joins with one line:
//
//	authtest.Run(t, func(t *testing.T) authtest.Subject { return authtest.Subject{Auth: ...} })
package authtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"authbench/servers/auth"
)

// Subject is one implementation under test, with what the suite must know of
// it. It must be configured with a lifetime of at least ten seconds, without
// leeway for clocks, and without an idle timeout under half its lifetime.
type Subject struct {
	Auth auth.Authenticator

	// Revokes says that Revoke ends a credential at once; otherwise it must
	// return errors.ErrUnsupported and leave the credential good.
	Revokes bool

	// Now is the clock that Auth reads; nil means time.Now.
	Now func() time.Time

	// Advance moves that clock forward by d; nil if it cannot be moved, and
	// then nothing that ends by itself is seen to end.
	Advance func(d time.Duration)
}

func (s Subject) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// limit bounds each check, and with it every call that a broken
// implementation might never return from.
const limit = time.Minute

// maxCredential is the most bytes that a credential may have: what a cookie
// can carry.
const maxCredential = 4096

// check is one part of the contract. It returns what was broken.
type check struct {
	name string
	run  func(ctx context.Context, s Subject) error
}

var checks = []check{
	{"RoundTrip", checkRoundTrip},
	{"Distinct", checkDistinct},
	{"Garbage", checkGarbage},
	{"Altered", checkAltered},
	{"Expiry", checkExpiry},
	{"EarlyExpiry", checkEarlyExpiry},
	{"LateExpiry", checkLateExpiry},
	{"Revoke", checkRevoke},
	{"RevokeUnknown", checkRevokeUnknown},
	{"Cancelled", checkCancelled},
	{"Concurrent", checkConcurrent},
}

// Run holds an implementation to the contract. open is called once for each
// subtest, which releases what it opened by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if err := c.run(ctx, open(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// issue issues a credential and checks what holds for all of them.
func issue(ctx context.Context, s Subject, p auth.Principal) (auth.Credential, time.Time, error) {
	c, expiry, err := s.Auth.Issue(ctx, p)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("Issue(%q): %w", p.Subject, err)
	}
	if len(c) == 0 || len(c) > maxCredential {
		return "", time.Time{}, fmt.Errorf("Issue gave a credential of %d bytes: want 1 to %d", len(c), maxCredential)
	}
	if i := strings.IndexFunc(string(c), notCookieSafe); i >= 0 {
		return "", time.Time{}, fmt.Errorf("Issue gave a credential whose byte %d (%q) fits neither header nor cookie", i, c[i])
	}
	if !expiry.After(s.now()) {
		return "", time.Time{}, fmt.Errorf("Issue gave an expiry, %v, that is not after now", expiry)
	}
	return c, expiry, nil
}

// notCookieSafe tells what RFC 6265 keeps out of a cookie's value.
func notCookieSafe(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`",;\`, r)
}

// user is the principal that most checks use.
func user(subject string) auth.Principal { return auth.Principal{Subject: subject, Role: "user"} }

// mustProve checks that c is good and speaks for p.
func mustProve(ctx context.Context, s Subject, c auth.Credential, p auth.Principal) error {
	got, err := s.Auth.Authenticate(ctx, c)
	if err != nil {
		return fmt.Errorf("Authenticate refused a good credential of %q: %w", p.Subject, err)
	}
	if got.Subject != p.Subject || got.Role != p.Role {
		return fmt.Errorf("Authenticate gave subject %q, role %q: want %q, %q", got.Subject, got.Role, p.Subject, p.Role)
	}
	return nil
}

// mustRefuse checks that c is refused as the client's failure, by an error
// that does not give the credential away.
func mustRefuse(ctx context.Context, s Subject, c auth.Credential, what string) error {
	p, err := s.Auth.Authenticate(ctx, c)
	if err == nil {
		return fmt.Errorf("%s credential: accepted", what)
	}
	if !errors.Is(err, auth.ErrUnauthenticated) {
		return fmt.Errorf("%s credential: want an error wrapping ErrUnauthenticated, got %w", what, err)
	}
	if p != (auth.Principal{}) {
		return fmt.Errorf("%s credential: refused, but with principal %v", what, p)
	}
	return quotes(err, c)
}

// quotes checks that an error does not hold a credential, since errors are
// logged. Very short ones could be there by chance.
func quotes(err error, c auth.Credential) error {
	if err != nil && len(c) >= 16 && strings.Contains(err.Error(), string(c)) {
		return errors.New("an error quotes the credential that it is about")
	}
	return nil
}
