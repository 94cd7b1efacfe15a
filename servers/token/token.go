// Package token authenticates by bare JWTs: signed access tokens that any
// replica verifies by itself, without asking a store.
//
// In come a set of keys ([LoadKeys]) and a [Config]; out goes an
// [Authenticator] that issues tokens and turns presented ones into principals.
// Tokens follow the JWT profile for access tokens (RFC 9068: type at+jwt; its
// client_id is left out, there are no OAuth clients here) signed by HS256,
// RS256, ES256 or EdDSA.
//
// Verification accepts what this package issues and next to nothing else:
// header and claims are closed sets, read by a strict reader of its own,
// because general JWT libraries let through duplicate and miscased claims,
// critical extensions and untyped tokens. Whatever is accepted here, golang-jwt
// accepts too, with the same meaning (a fuzz test holds them together).
//
// What a bare token cannot do is end early: [Authenticator.Revoke] says so. A
// [Revocable] can, at the price of asking a [Denylist] with every request.
//
// A [Remote] verifies tokens of another issuer instead, by a [Profile] and by keys
// that it reads from that issuer.
package token

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"authbench/servers/auth"
)

// MaxLeeway is the most that replicas' clocks may be allowed to differ.
const MaxLeeway = 60 * time.Second

// Config says what tokens are issued and accepted.
type Config struct {
	Profile  Profile       // what tokens look like; the zero value is our own
	Issuer   string        // iss, compared byte by byte; not empty
	Audience string        // aud (client_id in Cognito's), likewise; not empty
	Lifetime time.Duration // longest life of a token: whole seconds, at least one
	Leeway   time.Duration // accepted difference between clocks: 0 to MaxLeeway

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (cfg Config) validate() error {
	switch {
	case cfg.Issuer == "" || !utf8.ValidString(cfg.Issuer):
		return fmt.Errorf("token: issuer %q: want text that is not empty", cfg.Issuer)
	case cfg.Audience == "" || !utf8.ValidString(cfg.Audience):
		return fmt.Errorf("token: audience %q: want text that is not empty", cfg.Audience)
	case cfg.Lifetime < time.Second || cfg.Lifetime%time.Second != 0:
		return fmt.Errorf("token: lifetime %v: want whole seconds, at least 1s", cfg.Lifetime)
	case cfg.Leeway < 0 || cfg.Leeway > MaxLeeway:
		return fmt.Errorf("token: leeway %v: want 0s to %v", cfg.Leeway, MaxLeeway)
	}
	return nil
}

// Authenticator is the bare-JWT implementation of [auth.Authenticator]. It
// keeps no record of what it issued and is safe for concurrent use.
type Authenticator struct {
	cfg     Config
	keys    atomic.Pointer[KeySet] // replaced whole, so that verifying takes one look
	scratch sync.Pool              // of *scratch
}

var _ auth.Authenticator = (*Authenticator)(nil)

// scratch is where one verification decodes into; no part of a token is
// longer than the token.
type scratch struct {
	payload, signature [maxToken]byte
}

// New returns an authenticator that signs and verifies with keys, or says what
// is wrong with cfg.
func New(keys *KeySet, cfg Config) (*Authenticator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := cfg.Profile.fits(keys); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Authenticator{cfg: cfg, scratch: sync.Pool{New: func() any { return new(scratch) }}}
	a.keys.Store(keys)
	return a, nil
}

// set returns the keys of this moment.
func (a *Authenticator) set() *KeySet { return a.keys.Load() }

// JWKS returns the public keys of this moment, as [KeySet.JWKS] does.
func (a *Authenticator) JWKS() []byte { return a.set().JWKS() }

var errNoSigning = errors.New("token: issue: no key to sign with: put one into the key folder")

// payload is what Issue writes; parseClaims reads exactly this.
type payload struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	Role     string `json:"role"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	ID       string `json:"jti"`
	// Generation stands in revocable tokens alone.
	Generation *int64 `json:"gen,omitempty"`
}

// Issue signs a token for p. Times in a token are whole seconds, rounded down,
// so it lives up to one second less than the configured lifetime (or than
// p.Expiry allows); an expiry that leaves nothing to live is an error, as is a
// subject that does not fit.
func (a *Authenticator) Issue(_ context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	return a.issue(p, nil)
}

// issue is Issue, of a token of a generation if it is not nil.
func (a *Authenticator) issue(p auth.Principal, generation *int64) (auth.Credential, time.Time, error) {
	if a.cfg.Profile == Cognito {
		return "", time.Time{}, fmt.Errorf("token: issue: profile %s only verifies: %w", Cognito, errors.ErrUnsupported)
	}
	if p.Subject == "" || !utf8.ValidString(p.Subject) {
		return "", time.Time{}, fmt.Errorf("token: issue: subject %q: want text that is not empty", p.Subject)
	}
	if knownRole(p.Role) == "" {
		return "", time.Time{}, fmt.Errorf("token: issue: role %q: want user or admin", p.Role)
	}
	now := a.cfg.Now()
	iat := now.Unix()
	exp := iat + int64(a.cfg.Lifetime/time.Second)
	if !p.Expiry.IsZero() {
		exp = min(exp, p.Expiry.Unix())
	}
	expiry := time.Unix(exp, 0)
	if !expiry.After(now) {
		return "", time.Time{}, fmt.Errorf("token: issue: expiry %v leaves no whole second to live", p.Expiry)
	}
	text, err := json.Marshal(payload{
		Issuer:   a.cfg.Issuer,
		Audience: a.cfg.Audience,
		Subject:  p.Subject,
		Role:     p.Role,
		IssuedAt: iat,
		Expiry:   exp,
		ID:       rand.Text(), // at least 128 random bits

		Generation: generation,
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token: issue: %w", err)
	}
	signing := a.set().signing
	if signing == nil {
		return "", time.Time{}, errNoSigning
	}
	c, err := signing.seal(text)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token: issue: %w", err)
	}
	return c, expiry, nil
}

// Authenticate verifies c: first its size and shape, then its signature by the
// key that its header names, and only then its claims. It touches no store and
// no network, so every error is a refusal.
func (a *Authenticator) Authenticate(_ context.Context, c auth.Credential) (auth.Principal, error) {
	s := a.scratch.Get().(*scratch)
	defer a.scratch.Put(s)
	claims, err := a.verify(c, s)
	if err != nil {
		return auth.Principal{}, err
	}
	return claims.principal(), nil
}

// verify returns the claims of a token that is good now.
func (a *Authenticator) verify(c auth.Credential, s *scratch) (claims, error) {
	key, claims, err := a.read(c, s)
	if err != nil {
		return claims, err
	}
	now := a.cfg.Now()
	if key.ended(now) {
		return claims, errKey
	}
	return claims, claims.check(&a.cfg, now)
}

// read returns the claims of a token that one of our keys has signed, and the key,
// whatever the time is. The claims alias s.
func (a *Authenticator) read(c auth.Credential, s *scratch) (*key, claims, error) {
	parts, err := cut(string(c))
	if err != nil {
		return nil, claims{}, err
	}
	key, err := a.set().find(parts.header)
	if err != nil {
		return nil, claims{}, err
	}
	text, err := key.open(parts, s)
	if err != nil {
		return nil, claims{}, err
	}
	claims, err := a.cfg.Profile.parse(text)
	return key, claims, err
}

// Revoke cannot end a bare token before its expiry: for one that is still good
// it returns [errors.ErrUnsupported]. Any other is already refused, and gives
// nil.
func (a *Authenticator) Revoke(ctx context.Context, c auth.Credential) error {
	p, err := a.Authenticate(ctx, c)
	if err != nil {
		return nil
	}
	return fmt.Errorf("token: a bare JWT stays valid until %s: %w",
		p.Expiry.UTC().Format(time.RFC3339), errors.ErrUnsupported)
}
