// Package session authenticates by session ID: the client keeps a random
// secret, the server keeps what it stands for.
//
// In comes the secret that a client presents ([auth.Credential]); out goes the
// principal that a [Store] holds for it. The secret itself never reaches a
// Store: it is hashed here into an [ID], so that whoever reads a store's dump
// cannot log in with it. Which Store is in use decides what an arm costs and
// what it can promise; nothing else differs between the session arms.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"authbench/servers/auth"
)

// ErrFull says that a store holds as many sessions as it may. It is a failure
// of the system, not of the client.
var ErrFull = errors.New("session store is full")

// ID is what a session is filed under: the SHA-256 of the secret that the
// client holds. It identifies a session but does not authenticate anybody.
type ID [sha256.Size]byte

// Session is what the server remembers about one log-in. Times are kept to the
// millisecond; a Store returns them in UTC, by its own clock.
type Session struct {
	Subject string
	Role    string
	Created time.Time // of the log-in
	Expires time.Time // absolute: no use of the session moves it
	// LastSeen and IdleTimeout give a second end, LastSeen + IdleTimeout. An
	// IdleTimeout of zero means that there is none.
	LastSeen    time.Time
	IdleTimeout time.Duration
}

// Deadline is when s ends if nothing touches it: the earlier of its absolute
// expiry and its idle timeout.
func (s Session) Deadline() time.Time {
	if s.IdleTimeout > 0 {
		if idle := s.LastSeen.Add(s.IdleTimeout); idle.Before(s.Expires) {
			return idle
		}
	}
	return s.Expires
}

// startingAt moves s in time so that it begins at now, a time in milliseconds.
func (s Session) startingAt(now time.Time) Session {
	shift := now.Sub(s.Created)
	s.Created, s.Expires, s.LastSeen = s.Created.Add(shift), s.Expires.Add(shift), s.LastSeen.Add(shift)
	return s
}

// Store keeps sessions. It judges by one clock: a store that replicas share by
// its database's, so that replicas whose clocks differ agree on what has ended and
// what is oldest. A session whose [Session.Deadline] has been reached is gone,
// whether or not its record has been deleted yet. Methods are safe for concurrent
// use, and end within the store's own time limit even if ctx has none. Every error
// is a failure of the system.
type Store interface {
	// Create files s under id. The caller gives an id that was never used, and
	// times by any clock: the session begins now by the store's, and its other
	// times keep their distance from Created.
	Create(ctx context.Context, id ID, s Session) error

	// Find returns the session filed under id. Expired or unknown: found is
	// false and err is nil.
	Find(ctx context.Context, id ID) (s Session, found bool, err error)

	// Update replaces the session filed under id, whose Subject stays the same.
	// It never creates: if the
	// session is unknown or expired, because it was deleted while the caller
	// worked on it, ok is false and nothing changes.
	Update(ctx context.Context, id ID, s Session) (ok bool, err error)

	// Delete ends the session filed under id. An unknown id gives nil.
	Delete(ctx context.Context, id ID) error
}

// Toucher is the optional power of a store that finds a session and writes its
// use down in one round trip.
type Toucher interface {
	// Touch is Find, and if the session's LastSeen is at least every ago (zero:
	// always) it becomes now, which moves the idle end. The session that it
	// returns is as it was or as it is then. It never creates.
	Touch(ctx context.Context, id ID, every time.Duration) (s Session, found bool, err error)
}

// BySubject is the optional power of a store that knows whose its sessions
// are. It also bounds how many one subject has: Create ends the oldest of those
// that are too many, and never the one that it files.
type BySubject interface {
	// ListSubject returns the live sessions of subject, the newest first.
	ListSubject(ctx context.Context, subject string) ([]Entry, error)

	// DeleteSubject ends the sessions of subject, all but the one filed under
	// keep; the zero ID keeps none.
	DeleteSubject(ctx context.Context, subject string, keep ID) error

	// DeleteAll ends the sessions of everybody. One that is created meanwhile
	// may end too.
	DeleteAll(ctx context.Context) error
}

// Entry is one session with what it is filed under.
type Entry struct {
	ID ID
	Session
}

// DefaultPerSubject is how many sessions one subject may have in a store that
// was told nothing else.
const DefaultPerSubject = 100

// perSubject reads a store's field of that name.
func perSubject(n int) int {
	if n < 1 {
		return DefaultPerSubject
	}
	return n
}

// Sweeper is the optional power of a store whose expired records do not go
// away by themselves.
type Sweeper interface {
	// Sweep deletes records that have expired and says how many.
	Sweep(ctx context.Context) (int, error)
}

// secretBytes is the length of a session secret: 192 random bits. A multiple
// of three, so that its base64 has no spare bits and one spelling only.
const secretBytes = 24

var secretEncoding = base64.RawURLEncoding

func newSecret() (auth.Credential, ID) {
	var secret [secretBytes]byte
	rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return auth.Credential(secretEncoding.EncodeToString(secret[:])), sha256.Sum256(secret[:])
}

// idOf gives the ID of a credential, or false if no session can have it.
func idOf(c auth.Credential) (ID, bool) {
	const encodedLen = secretBytes / 3 * 4
	if len(c) != encodedLen {
		return ID{}, false
	}
	var text [encodedLen]byte
	copy(text[:], c)
	var secret [secretBytes]byte
	// The decoder skips line breaks; the count tells those spellings apart.
	if n, err := secretEncoding.Decode(secret[:], text[:]); err != nil || n != secretBytes {
		return ID{}, false
	}
	return sha256.Sum256(secret[:]), true
}
