package session

import (
	"context"
	"fmt"
	"time"

	"authbench/servers/auth"
)

// Config says how long sessions live.
type Config struct {
	Lifetime    time.Duration    // from log-in to the absolute end; required
	IdleTimeout time.Duration    // zero: no idle end
	Now         func() time.Time // the server's clock; nil means time.Now
}

// Authenticator implements [auth.Authenticator] over a Store.
//
// Each authenticated request costs exactly one round trip to the store. A
// credential that no session can have (empty, or not of the right form) costs
// none. It does not touch sessions: LastSeen stays at the log-in.
type Authenticator struct {
	store Store
	cfg   Config
}

// New returns an Authenticator that keeps its sessions in store.
func New(store Store, cfg Config) *Authenticator {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Authenticator{store: store, cfg: cfg}
}

var _ auth.Authenticator = (*Authenticator)(nil)

// Issue starts a session for p. The ID is always new: what a client sent
// before is never adopted.
func (a *Authenticator) Issue(ctx context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	now := a.cfg.Now().UTC().Truncate(time.Millisecond)
	expires := now.Add(a.cfg.Lifetime)
	if !p.Expiry.IsZero() && p.Expiry.Before(expires) {
		expires = p.Expiry.UTC().Truncate(time.Millisecond)
	}
	secret, id := newSecret()
	err := a.store.Create(ctx, id, Session{
		Subject:     p.Subject,
		Role:        p.Role,
		Created:     now,
		Expires:     expires,
		LastSeen:    now,
		IdleTimeout: a.cfg.IdleTimeout,
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start session: %w", err)
	}
	return secret, expires, nil
}

// Authenticate looks c up in the store.
func (a *Authenticator) Authenticate(ctx context.Context, c auth.Credential) (auth.Principal, error) {
	id, ok := idOf(c)
	if !ok {
		return auth.Principal{}, fmt.Errorf("malformed session ID: %w", auth.ErrUnauthenticated)
	}
	s, found, err := a.store.Find(ctx, id)
	if err != nil {
		return auth.Principal{}, fmt.Errorf("look up session: %w", err)
	}
	if !found {
		return auth.Principal{}, fmt.Errorf("unknown or expired session: %w", auth.ErrUnauthenticated)
	}
	return auth.Principal{Subject: s.Subject, Role: s.Role, Expiry: s.Expires}, nil
}

// Revoke deletes the session, on every replica that shares the store.
func (a *Authenticator) Revoke(ctx context.Context, c auth.Credential) error {
	id, ok := idOf(c)
	if !ok {
		return nil
	}
	if err := a.store.Delete(ctx, id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
