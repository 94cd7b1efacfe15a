package authtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"authbench/servers/auth"
)

func checkRoundTrip(ctx context.Context, s Subject) error {
	for _, p := range []auth.Principal{
		{Subject: "alice", Role: "user"},
		{Subject: "bob", Role: "admin"},
		{Subject: `o'hara "zoë" <&>\ %s`, Role: "user"},
	} {
		c, expiry, err := issue(ctx, s, p)
		if err != nil {
			return err
		}
		if err := mustProve(ctx, s, c, p); err != nil {
			return err
		}
		got, err := s.Auth.Authenticate(ctx, c)
		if err != nil {
			return fmt.Errorf("a second Authenticate: %w", err)
		}
		// A store may keep times in coarser steps, but never for longer.
		if got.Expiry.After(expiry) || !got.Expiry.After(s.now()) {
			return fmt.Errorf("Authenticate gave expiry %v: want one after now and not after Issue's %v", got.Expiry, expiry)
		}
	}
	return nil
}

func checkDistinct(ctx context.Context, s Subject) error {
	seen := map[auth.Credential]bool{}
	for range 20 {
		c, _, err := issue(ctx, s, user("alice"))
		if err != nil {
			return err
		}
		if seen[c] {
			return errors.New("Issue gave the same credential twice")
		}
		seen[c] = true
	}
	for c := range seen {
		if err := mustProve(ctx, s, c, user("alice")); err != nil {
			return fmt.Errorf("one of several credentials: %w", err)
		}
	}
	return nil
}

// garbage is what was never issued, by what it is.
var garbage = map[string]auth.Credential{
	"empty":            "",
	"one byte":         "x",
	"a space":          " ",
	"a NUL":            "\x00",
	"two dots":         "..",
	"plain text":       "alice",
	"quotes":           `'"; --`,
	"a line end":       "a\r\nb",
	"no UTF-8":         "\xff\xfe\xfd",
	"a wildcard":       "*",
	"43 times A":       auth.Credential(strings.Repeat("A", 43)),
	"8 KiB":            auth.Credential(strings.Repeat("A", 8<<10)),
	"1 MiB":            auth.Credential(strings.Repeat("A", 1<<20)),
	"1 MiB of dots":    auth.Credential(strings.Repeat(".", 1<<20)),
	"an unsigned JWT":  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
	"a JWT of no keys": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
}

func checkGarbage(ctx context.Context, s Subject) error {
	for what, c := range garbage {
		if err := mustRefuse(ctx, s, c, what+" as"); err != nil {
			return err
		}
	}
	return nil
}

// checkAltered changes a good credential in one place at a time: every byte to
// two others, and both ends.
func checkAltered(ctx context.Context, s Subject) error {
	good, _, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	try := func(what string, c auth.Credential) error {
		return mustRefuse(ctx, s, c, what)
	}
	for i := range good {
		for _, b := range alterations(good[i]) {
			altered := good[:i] + auth.Credential(b) + good[i+1:]
			if err := try(fmt.Sprintf("altered (byte %d of %d to %q)", i, len(good), b), altered); err != nil {
				return err
			}
		}
	}
	for what, c := range map[string]auth.Credential{
		"shortened at its end":   good[:len(good)-1],
		"shortened at its start": good[1:],
		"halved":                 good[:len(good)/2],
		"doubled":                good + good,
		"upper-case":             auth.Credential(strings.ToUpper(string(good))),
	} {
		if c == good {
			continue // a credential of capitals alone
		}
		if err := try(what, c); err != nil {
			return err
		}
	}
	for _, extra := range []auth.Credential{"A", "=", "\n", "\r\n", " ", "\t", "\x00", "."} {
		if err := try(fmt.Sprintf("(with %q after it)", extra), good+extra); err != nil {
			return err
		}
		if err := try(fmt.Sprintf("(with %q before it)", extra), extra+good); err != nil {
			return err
		}
	}
	return mustProve(ctx, s, good, user("alice"))
}

// alterations gives two bytes other than b: its neighbour in base64url, which
// differs in the lowest bit that a lenient decoder drops, and another.
func alterations(b byte) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if i := strings.IndexByte(alphabet, b); i >= 0 {
		return []string{alphabet[i^1 : i^1+1], alphabet[i^32 : i^32+1]}
	}
	return []string{"A", "_"}
}

func checkExpiry(ctx context.Context, s Subject) error {
	if s.Advance == nil {
		return nil
	}
	c, expiry, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	s.Advance(expiry.Sub(s.now()))
	if err := mustRefuse(ctx, s, c, "an expired (at its very expiry)"); err != nil {
		return err
	}
	s.Advance(time.Hour)
	if err := mustRefuse(ctx, s, c, "a long expired"); err != nil {
		return err
	}
	fresh, _, err := issue(ctx, s, user("alice"))
	if err != nil {
		return fmt.Errorf("after another's expiry: %w", err)
	}
	return mustProve(ctx, s, fresh, user("alice"))
}

// checkEarlyExpiry asks for half of the lifetime and must get that or less.
func checkEarlyExpiry(ctx context.Context, s Subject) error {
	_, full, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	p := user("alice")
	p.Expiry = s.now().Add(full.Sub(s.now()) / 2)
	c, expiry, err := issue(ctx, s, p)
	if err != nil {
		return err
	}
	if expiry.After(p.Expiry) {
		return fmt.Errorf("Issue gave expiry %v: the principal's own, %v, is earlier and wins", expiry, p.Expiry)
	}
	if early := p.Expiry.Sub(expiry); early > time.Second {
		return fmt.Errorf("Issue gave an expiry %v before the one asked for: want at most a second", early)
	}
	got, err := s.Auth.Authenticate(ctx, c)
	if err != nil {
		return fmt.Errorf("Authenticate refused a credential with an early expiry: %w", err)
	}
	if got.Expiry.After(expiry) {
		return fmt.Errorf("Authenticate gave expiry %v: Issue said %v", got.Expiry, expiry)
	}
	if s.Advance == nil {
		return nil
	}
	s.Advance(expiry.Sub(s.now()))
	return mustRefuse(ctx, s, c, "an expired (early)")
}

// checkLateExpiry asks for more than the lifetime and must not get it.
func checkLateExpiry(ctx context.Context, s Subject) error {
	p := user("alice")
	p.Expiry = s.now().Add(100 * 365 * 24 * time.Hour)
	_, late, err := issue(ctx, s, p)
	if err != nil {
		return err
	}
	_, full, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	// full was issued after late, so nothing but a longer life puts late behind
	// it; a second is for expiries in whole seconds.
	if late.After(full.Add(time.Second)) {
		return fmt.Errorf("Issue gave expiry %v: the configured lifetime ends at %v", late, full)
	}
	return nil
}

func checkRevoke(ctx context.Context, s Subject) error {
	c, _, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	other, _, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	err = s.Auth.Revoke(ctx, c)
	if err := quotes(err, c); err != nil {
		return err
	}
	if !s.Revokes {
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("Revoke = %v: what cannot revoke returns errors.ErrUnsupported", err)
		}
		return mustProve(ctx, s, c, user("alice"))
	}
	if err != nil {
		return fmt.Errorf("Revoke: %w", err)
	}
	if err := mustRefuse(ctx, s, c, "a revoked"); err != nil {
		return err
	}
	if err := s.Auth.Revoke(ctx, c); err != nil {
		return fmt.Errorf("a second Revoke: %w", err)
	}
	if err := mustRefuse(ctx, s, c, "a twice revoked"); err != nil {
		return err
	}
	if err := mustProve(ctx, s, other, user("alice")); err != nil {
		return fmt.Errorf("after another credential's Revoke: %w", err)
	}
	return nil
}

func checkRevokeUnknown(ctx context.Context, s Subject) error {
	good, expiry, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	for what, c := range garbage {
		if err := s.Auth.Revoke(ctx, c); err != nil {
			return fmt.Errorf("Revoke of %s = %w: want nil", what, err)
		}
	}
	if err := s.Auth.Revoke(ctx, good[:len(good)-1]+auth.Credential(alterations(good[len(good)-1])[1])); err != nil {
		return fmt.Errorf("Revoke of an altered credential = %w: want nil", err)
	}
	if err := mustProve(ctx, s, good, user("alice")); err != nil {
		return fmt.Errorf("after Revoke of others: %w", err)
	}
	if s.Advance == nil {
		return nil
	}
	s.Advance(expiry.Sub(s.now()))
	if err := s.Auth.Revoke(ctx, good); err != nil {
		return fmt.Errorf("Revoke of an expired credential = %w: want nil", err)
	}
	return nil
}

// checkCancelled gives up before asking. Who needs no store may answer all the
// same, but nobody may take it for the client's failure.
func checkCancelled(ctx context.Context, s Subject) error {
	c, _, err := issue(ctx, s, user("alice"))
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if p, err := s.Auth.Authenticate(cancelled, c); errors.Is(err, auth.ErrUnauthenticated) {
		return fmt.Errorf("a cancelled context made a good credential unauthenticated: %w", err)
	} else if err == nil && p.Subject != "alice" {
		return fmt.Errorf("a cancelled context gave subject %q", p.Subject)
	}
	if err := mustRefuse(cancelled, s, "", "an empty (and a cancelled context, which must not matter)"); err != nil {
		return err
	}
	return mustProve(ctx, s, c, user("alice"))
}

// checkConcurrent has many users at once, each of whom must stay themselves.
// Run it under the race detector, too.
func checkConcurrent(ctx context.Context, s Subject) error {
	const users, rounds = 16, 10
	errs := make([]error, users)
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			p := user(fmt.Sprintf("user-%d", i))
			for range rounds {
				if errs[i] = oneLife(ctx, s, p); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// oneLife takes a credential from its issue to its end.
func oneLife(ctx context.Context, s Subject, p auth.Principal) error {
	c, _, err := issue(ctx, s, p)
	if err != nil {
		return err
	}
	for range 3 {
		if err := mustProve(ctx, s, c, p); err != nil {
			return err
		}
	}
	if !s.Revokes {
		return nil
	}
	if err := s.Auth.Revoke(ctx, c); err != nil {
		return fmt.Errorf("Revoke: %w", err)
	}
	return mustRefuse(ctx, s, c, "a revoked")
}
