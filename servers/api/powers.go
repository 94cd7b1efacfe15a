package api

import (
	"context"

	"authbench/servers/auth"
	"authbench/servers/session"
)

// subjectRevoker is the optional power of an arm that knows whose the
// credentials are that it issued, and so can end them. An arm without it goes
// on accepting them for as long as Config.Bound.
type subjectRevoker interface {
	// RevokeSubject ends all credentials of subject but keep, on every replica
	// that the arm reaches.
	RevokeSubject(ctx context.Context, subject string, keep auth.Credential) error

	// RevokeAll ends everybody's.
	RevokeAll(ctx context.Context) error
}

// lister is the optional power of an arm that can show a user their log-ins.
type lister interface {
	List(ctx context.Context, subject string, current auth.Credential) ([]session.LogIn, error)
	RevokeHandle(ctx context.Context, subject, handle string) (found bool, err error)
}

var (
	_ subjectRevoker = (*session.Authenticator)(nil)
	_ lister         = (*session.Authenticator)(nil)
)
