package session

import (
	"context"
	"encoding/base64"
	"time"

	"authbench/servers/auth"
)

// LogIn is what a user may see of one of their sessions.
type LogIn struct {
	Handle   string // names the session among its user's, and opens nothing
	Created  time.Time
	LastSeen time.Time // as fresh as the touch policy keeps it
	Expires  time.Time // absolute
	Current  bool      // the one that asks
}

// handleBytes of an ID make a handle. An ID is a hash of the client's secret,
// so no part of it helps whoever wants the secret.
const handleBytes = 12

func (id ID) handle() string { return base64.RawURLEncoding.EncodeToString(id[:handleBytes]) }

// List returns the sessions of subject, the newest first. current is the
// credential that asks, and is marked.
func (a *Authenticator) List(ctx context.Context, subject string, current auth.Credential) ([]LogIn, error) {
	if a.bySubject == nil {
		return nil, unsupported("list by subject")
	}
	entries, err := a.bySubject.ListSubject(ctx, subject)
	if err != nil {
		return nil, wrapped("list sessions", err)
	}
	own, ok := idOf(current)
	logIns := make([]LogIn, len(entries))
	for i, e := range entries {
		logIns[i] = LogIn{e.ID.handle(), e.Created, e.LastSeen, e.Expires, ok && e.ID == own}
	}
	return logIns, nil
}

// RevokeHandle ends the session that List names so, if subject has it.
func (a *Authenticator) RevokeHandle(ctx context.Context, subject, handle string) (found bool, err error) {
	if a.bySubject == nil {
		return false, unsupported("list by subject")
	}
	entries, err := a.bySubject.ListSubject(ctx, subject)
	if err != nil {
		return false, wrapped("find session by handle", err)
	}
	for _, e := range entries {
		if e.ID.handle() == handle {
			return true, wrapped("end session", a.store.Delete(ctx, e.ID))
		}
	}
	return false, nil
}

// RevokeSubject ends the sessions of subject, on every replica that shares the
// store, all but keep's; an empty keep keeps none.
func (a *Authenticator) RevokeSubject(ctx context.Context, subject string, keep auth.Credential) error {
	if a.bySubject == nil {
		return unsupported("delete by subject")
	}
	id, _ := idOf(keep) // the zero ID, if it is no session's: nobody has that
	return wrapped("end sessions of a subject", a.bySubject.DeleteSubject(ctx, subject, id))
}

// RevokeAll ends the sessions of everybody.
func (a *Authenticator) RevokeAll(ctx context.Context) error {
	if a.bySubject == nil {
		return unsupported("delete all")
	}
	return wrapped("end all sessions", a.bySubject.DeleteAll(ctx))
}
