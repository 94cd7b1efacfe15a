package token

import (
	"context"
	"fmt"
	"time"

	"authbench/servers/auth"
)

// Revocable authenticates by tokens that can end before their expiry: each is
// verified as an [Authenticator] does, and then a [Denylist] is asked, in one round
// trip. It also knows whose tokens are whose, so that all of a user's, or
// everybody's, can end.
//
// It takes no bare tokens, whose generation nobody could tell, and an Authenticator
// takes none of its.
type Revocable struct {
	// FailOpen accepts tokens while the denylist does not answer, also those that
	// were revoked; otherwise the error says that nobody can tell. Set it before use.
	FailOpen bool

	*Authenticator
	list *Denylist
}

var _ auth.Authenticator = (*Revocable)(nil)

// NewRevocable is [New] for tokens that list may end. cfg's profile is our own.
func NewRevocable(keys *KeySet, cfg Config, list *Denylist) (*Revocable, error) {
	if cfg.Profile != Own {
		return nil, fmt.Errorf("token: profile %s: only tokens of our own can be revoked", cfg.Profile)
	}
	cfg.Profile = revocable
	a, err := New(keys, cfg)
	if err != nil {
		return nil, err
	}
	return &Revocable{Authenticator: a, list: list}, nil
}

// Issue signs a token of the current generation.
func (r *Revocable) Issue(ctx context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	generation, err := r.list.generation(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token: issue: %w", err)
	}
	return r.issue(p, &generation)
}

// Authenticate verifies c and, if it is good, asks the denylist. Only what the
// denylist does not answer is no refusal.
func (r *Revocable) Authenticate(ctx context.Context, c auth.Credential) (auth.Principal, error) {
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	claims, err := r.verify(c, s)
	if err != nil {
		return auth.Principal{}, err
	}
	revoked, err := r.list.revoked(ctx, claims)
	switch {
	case err != nil && !r.FailOpen:
		return auth.Principal{}, fmt.Errorf("token: %w", err)
	case err == nil && revoked:
		return auth.Principal{}, errRevoked
	}
	return claims.principal(), nil
}

// Revoke ends c on every replica that asks the denylist. This replica's clock may be
// off, so that it finds a token expired, or not yet issued, which others accept: that
// ends too.
func (r *Revocable) Revoke(ctx context.Context, c auth.Credential) error {
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	_, claims, err := r.read(c, s)
	if err != nil {
		return nil
	}
	now, anywhere := r.cfg.Now(), r.cfg
	anywhere.Leeway += MaxLeeway
	if claims.check(&anywhere, now) != nil {
		return nil
	}
	return wrapped(r.list.revoke(ctx, string(claims.jti), r.outlives(time.Unix(claims.exp, 0).Sub(now))))
}

// RevokeSubject ends the tokens of subject that there are, all but keep, which is
// one of these; an empty keep keeps none.
func (r *Revocable) RevokeSubject(ctx context.Context, subject string, keep auth.Credential) error {
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	_, claims, _ := r.read(keep, s) // no claims, if it is no token of ours: nobody has that jti
	return wrapped(r.list.revokeSubject(ctx, subject, string(claims.jti), r.outlives(r.cfg.Lifetime)))
}

// RevokeAll ends everybody's tokens.
func (r *Revocable) RevokeAll(ctx context.Context) error {
	return wrapped(r.list.revokeAll(ctx, r.outlives(r.cfg.Lifetime)))
}

// outlives is how long an entry about tokens that live for rest has to stay, so that
// also the replica whose clock is the furthest behind has found them expired.
func (r *Revocable) outlives(rest time.Duration) time.Duration {
	return rest + r.cfg.Leeway + MaxLeeway
}

func wrapped(err error) error {
	if err != nil {
		return fmt.Errorf("token: revoke: %w", err)
	}
	return nil
}
