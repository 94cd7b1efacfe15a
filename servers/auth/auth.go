// Package auth holds the words that every way of authenticating shares.
//
// In comes a credential that a client presented; out goes the principal it
// proves, or one of two kinds of error: the credential is no good
// ([ErrUnauthenticated], answered 401) or the system could not tell (anything
// else, answered 503). The two are never confused: a valid user is never told
// 401 because a store is down.
package auth

import (
	"context"
	"errors"
	"time"
)

// ErrUnauthenticated says that a credential is malformed, unknown, expired or
// revoked. Implementations wrap it; callers test with errors.Is.
var ErrUnauthenticated = errors.New("unauthenticated")

// Principal is who a credential speaks for.
type Principal struct {
	Subject string    // account name, non-empty
	Role    string    // "user" or "admin"
	Expiry  time.Time // when the credential ends by itself
}

// Credential is the opaque string that a client keeps and presents: a session
// ID or a compact JWT. It is a secret: never log it.
type Credential string

// Authenticator is one way to authenticate. All methods are safe for
// concurrent use and bounded in time by their context and by the
// implementation's own store deadlines.
type Authenticator interface {
	// Issue makes a new credential for p. It fills in p.Expiry itself from the
	// configured lifetime; a non-zero p.Expiry that is earlier than that wins.
	// The returned time is the credential's actual expiry.
	Issue(ctx context.Context, p Principal) (Credential, time.Time, error)

	// Authenticate returns the principal that c proves. A bad, expired or
	// revoked credential gives an error wrapping ErrUnauthenticated; any other
	// error is a failure of the system, not of the client. An empty credential
	// is refused without any call to a store.
	Authenticate(ctx context.Context, c Credential) (Principal, error)

	// Revoke ends c at once. Unknown, expired and malformed credentials give
	// nil. An implementation that cannot revoke returns errors.ErrUnsupported,
	// and [Authenticate] goes on accepting c until it expires.
	Revoke(ctx context.Context, c Credential) error
}
