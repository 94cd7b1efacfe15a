// Package sessiontest is the conformance suite of [session.Store].
//
// In comes a function that opens a store whose clock (a database's own, where
// there is one) follows a given one; out come the failures of that store, by the
// clause of the contract that it breaks.
package sessiontest

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authbench/servers/session"
)

// Clock is a clock that a test moves.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	follow func(now time.Time)
}

// NewClock returns a clock that stands at the present.
func NewClock() *Clock { return &Clock{now: time.Now()} }

// Now is the time on c.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves c by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	if c.follow != nil {
		c.follow(c.now)
	}
}

// Follow tells set what the time is, now and whenever c is moved.
func (c *Clock) Follow(set func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow = set
	set(c.now)
}

// Run holds the stores that open returns against the contract. open is called
// once for each part. Its stores may share one database: IDs are random.
func Run(t *testing.T, open func(t *testing.T, clock *Clock) session.Store) {
	for _, part := range []struct {
		name string
		test func(fixture)
	}{
		{"what was created is found", created},
		{"sessions begin by the store's clock", begun},
		{"unknown is not an error", unknown},
		{"absolute expiry by the server's clock", absoluteExpiry},
		{"idle expiry by the server's clock", idleExpiry},
		{"born expired", bornExpired},
		{"update replaces", updateReplaces},
		{"update moves the deadline", updateExtends},
		{"update never creates", updateNeverCreates},
		{"update does not revive the expired", updateNeverRevives},
		{"delete ends one session only", deleteOne},
		{"delete wins over saves in flight", deleteWins},
		{"sweep takes the expired only", sweep},
		{"touch finds and moves the idle end", touchMoves},
		{"touch writes no more often than asked", touchThrottled},
		{"touch never creates and never revives", touchNeverCreates},
		{"touch loses to deletion", touchLoses},
		{"a subject's sessions are listed", listSubject},
		{"a subject's sessions end together", deleteSubject},
		{"everybody's sessions end together", deleteAll},
		{"the oldest ends where there are too many", capped},
		{"what is over takes no place", cappedByTheLiving},
		{"the oldest is who came first, whatever the clock says", cappedInOrder},
		{"log-ins at once keep the cap", cappedAtOnce},
	} {
		t.Run(part.name, func(t *testing.T) {
			clock := NewClock()
			part.test(fixture{T: t, clock: clock, store: open(t, clock)})
		})
	}
}

// fixture is one store with its clock; its methods fail the test where the
// store gives an error, since no part expects one.
type fixture struct {
	*testing.T
	clock *Clock
	store session.Store
}

func newID() (id session.ID) {
	rand.Read(id[:])
	return id
}

// session returns one that ends in an hour.
func (f fixture) session(subject string) session.Session {
	now := f.clock.Now().UTC().Truncate(time.Millisecond)
	return session.Session{Subject: subject, Role: "user", Created: now, LastSeen: now, Expires: now.Add(time.Hour)}
}

func (f fixture) create(s session.Session) session.ID {
	f.Helper()
	id := newID()
	if err := f.store.Create(f.Context(), id, s); err != nil {
		f.Fatalf("Create: %v", err)
	}
	return id
}

func (f fixture) update(id session.ID, s session.Session) bool {
	f.Helper()
	ok, err := f.store.Update(f.Context(), id, s)
	if err != nil {
		f.Fatalf("Update: %v", err)
	}
	return ok
}

func (f fixture) delete(id session.ID) {
	f.Helper()
	if err := f.store.Delete(f.Context(), id); err != nil {
		f.Fatalf("Delete: %v", err)
	}
}

func (f fixture) wantFound(id session.ID, want session.Session) {
	f.Helper()
	got, found, err := f.store.Find(f.Context(), id)
	if err != nil || !found {
		f.Fatalf("Find: found %v, error %v; want %+v", found, err, want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("Find (-want +got):\n%s", diff)
	}
}

func (f fixture) wantGone(id session.ID) {
	f.Helper()
	if s, found, err := f.store.Find(f.Context(), id); err != nil || found {
		f.Errorf("Find: %+v, found %v, error %v; want found false and no error", s, found, err)
	}
}

func created(f fixture) {
	for i, subject := range []string{"user-000001", "x", `o'Brien "\` + "\t", "Zoë 😀", strings.Repeat("n", 64)} {
		s := f.session(subject)
		s.Role = []string{"user", "admin"}[i%2]
		s.LastSeen = s.LastSeen.Add(-time.Duration(i) * time.Millisecond)
		s.IdleTimeout = time.Duration(i) * time.Minute
		f.wantFound(f.create(s), s)
	}
}

// begun creates sessions by clocks that are far from the store's: how long they
// live does not depend on it.
func begun(f fixture) {
	for _, off := range []time.Duration{-time.Hour, -30 * time.Second, 30 * time.Second, time.Hour} {
		want := f.session("user-000001")
		want.LastSeen, want.IdleTimeout = want.LastSeen.Add(-time.Second), 40*time.Minute
		s := want
		s.Created, s.LastSeen, s.Expires = s.Created.Add(off), s.LastSeen.Add(off), s.Expires.Add(off)
		f.wantFound(f.create(s), want)
	}
}

func unknown(f fixture) {
	f.create(f.session("someone"))
	f.wantGone(newID())
	f.wantGone(session.ID{})
	f.delete(newID())
}

func absoluteExpiry(f fixture) {
	s := f.session("user-000001")
	s.IdleTimeout = 2 * time.Hour // later than the absolute end: no say
	id := f.create(s)
	f.clock.Advance(time.Hour - time.Second)
	f.wantFound(id, s)
	f.clock.Advance(time.Second)
	f.wantGone(id)
}

func idleExpiry(f fixture) {
	s := f.session("user-000001")
	s.IdleTimeout = time.Minute
	id := f.create(s)
	f.clock.Advance(time.Minute - time.Second)
	f.wantFound(id, s)
	f.clock.Advance(time.Second)
	f.wantGone(id)
}

func bornExpired(f fixture) {
	s := f.session("user-000001")
	s.Expires = s.Created
	f.wantGone(f.create(s))
	s.Expires = s.Created.Add(-time.Hour)
	f.wantGone(f.create(s))
}

func updateReplaces(f fixture) {
	id, other := f.create(f.session("user-000001")), f.session("user-000002")
	otherID := f.create(other)
	s := f.session("user-000001")
	s.Role, s.LastSeen = "admin", s.LastSeen.Add(time.Second)
	if !f.update(id, s) {
		f.Error("Update of a live session: false")
	}
	f.wantFound(id, s)
	f.wantFound(otherID, other)
}

func updateExtends(f fixture) {
	s := f.session("user-000001")
	s.IdleTimeout = time.Minute
	id := f.create(s)
	for range 3 {
		f.clock.Advance(45 * time.Second)
		s.LastSeen = s.LastSeen.Add(45 * time.Second)
		if !f.update(id, s) {
			f.Fatal("Update of a live session: false")
		}
	}
	f.wantFound(id, s)
	s.Expires = s.LastSeen.Add(time.Second) // and it shortens, too
	f.update(id, s)
	f.clock.Advance(2 * time.Second)
	f.wantGone(id)
}

func updateNeverCreates(f fixture) {
	id := newID()
	if f.update(id, f.session("user-000001")) {
		f.Error("Update of an unknown session: true")
	}
	f.wantGone(id)
	id = f.create(f.session("user-000001"))
	f.delete(id)
	if f.update(id, f.session("user-000001")) {
		f.Error("Update of a deleted session: true")
	}
	f.wantGone(id)
}

func updateNeverRevives(f fixture) {
	id := f.create(f.session("user-000001"))
	f.clock.Advance(time.Hour)
	if f.update(id, f.session("user-000001")) {
		f.Error("Update of an expired session: true")
	}
	f.wantGone(id)
}

func deleteOne(f fixture) {
	s := f.session("user-000001")
	id, sibling := f.create(s), f.create(s)
	f.delete(id)
	f.wantGone(id)
	f.delete(id)
	f.wantFound(sibling, s)
}

func deleteWins(f fixture) {
	s := f.session("user-000001")
	id := f.create(s)
	var saves sync.WaitGroup
	errs := make(chan error, 32)
	for i := range cap(errs) {
		saves.Go(func() {
			// Some saves come before the deletion, some after.
			if i == cap(errs)/2 {
				errs <- f.store.Delete(context.WithoutCancel(f.Context()), id)
				return
			}
			_, err := f.store.Update(context.WithoutCancel(f.Context()), id, s)
			errs <- err
		})
	}
	saves.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			f.Errorf("racing Update or Delete: %v", err)
		}
	}
	f.wantGone(id)
}

func sweep(f fixture) {
	sweeper, ok := f.store.(session.Sweeper)
	if !ok {
		return // the store's records go away by themselves
	}
	short, long := f.session("user-000001"), f.session("user-000002")
	short.Expires = short.Created.Add(time.Minute)
	for range 10 {
		f.create(short)
	}
	id := f.create(long)
	f.clock.Advance(time.Minute)
	if n, err := sweeper.Sweep(f.Context()); err != nil || n < 10 {
		f.Errorf("Sweep: %d, error %v; want at least the 10 that expired", n, err)
	}
	if n, err := sweeper.Sweep(f.Context()); err != nil || n != 0 {
		f.Errorf("second Sweep: %d, error %v; want 0", n, err)
	}
	f.wantFound(id, long)
}
