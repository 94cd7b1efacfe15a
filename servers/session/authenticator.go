package session

import (
	"context"
	"fmt"
	"time"

	"authbench/servers/auth"
)

// Touch says when the use of a session is written down. Each costs one round
// trip a request: a plain read, a read that writes now and then, a read that
// always writes.
type Touch string

// The policies.
const (
	TouchNever     Touch = "never"     // LastSeen stays at the log-in
	TouchThrottled Touch = "throttled" // once in Config.TouchEvery
	TouchAlways    Touch = "always"
)

// Config says how long sessions live.
type Config struct {
	Lifetime    time.Duration    // from log-in to the absolute end; required
	IdleTimeout time.Duration    // zero: no idle end
	Touch       Touch            // "" means TouchNever
	TouchEvery  time.Duration    // with TouchThrottled; a session may end idly that much early
	Now         func() time.Time // the server's clock; nil means time.Now
}

// Authenticator implements [auth.Authenticator] over a Store.
//
// Each authenticated request costs exactly one round trip to the store. A
// credential that no session can have (empty, or not of the right form) costs
// none.
type Authenticator struct {
	store     Store
	toucher   Toucher   // nil: sessions are never touched
	bySubject BySubject // nil: the store does not know whose its sessions are
	cfg       Config
}

// New returns an Authenticator that keeps its sessions in store. A touch policy
// other than TouchNever needs a store that is a Toucher.
func New(store Store, cfg Config) *Authenticator {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Authenticator{store: store, cfg: cfg}
	a.bySubject, _ = store.(BySubject)
	switch cfg.Touch {
	case TouchThrottled:
		a.toucher = store.(Toucher)
	case TouchAlways:
		a.toucher, a.cfg.TouchEvery = store.(Toucher), 0
	}
	return a
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
	s, found, err := a.find(ctx, id)
	if err != nil {
		return auth.Principal{}, fmt.Errorf("look up session: %w", err)
	}
	if !found {
		return auth.Principal{}, fmt.Errorf("unknown or expired session: %w", auth.ErrUnauthenticated)
	}
	return auth.Principal{Subject: s.Subject, Role: s.Role, Expiry: s.Expires}, nil
}

func (a *Authenticator) find(ctx context.Context, id ID) (Session, bool, error) {
	if a.toucher != nil {
		return a.toucher.Touch(ctx, id, a.cfg.TouchEvery)
	}
	return a.store.Find(ctx, id)
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
