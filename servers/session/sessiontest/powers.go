package sessiontest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"authbench/servers/session"
)

// touch is the store's optional power; ok is false where it lacks it.
func (f fixture) touch(id session.ID, every time.Duration) (s session.Session, found, ok bool) {
	f.Helper()
	toucher, ok := f.store.(session.Toucher)
	if !ok {
		return s, false, false
	}
	s, found, err := toucher.Touch(f.Context(), id, every)
	if err != nil {
		f.Fatalf("Touch: %v", err)
	}
	return s, found, true
}

func touchMoves(f fixture) {
	s := f.session("user-000001")
	s.IdleTimeout = time.Minute
	id := f.create(s)
	for range 3 {
		f.clock.Advance(45 * time.Second)
		_, found, ok := f.touch(id, 0)
		if !ok {
			return
		}
		if !found {
			f.Fatal("Touch of a live session: not found")
		}
		s.LastSeen = f.clock.Now().UTC().Truncate(time.Millisecond)
		f.wantFound(id, s)
	}
	f.clock.Advance(time.Minute)
	f.wantGone(id)
	s = f.session("user-000001") // no idle end, and the absolute one stays where it is
	id = f.create(s)
	f.clock.Advance(time.Hour - time.Second)
	if _, found, _ := f.touch(id, 0); !found {
		f.Error("Touch just before the absolute end: not found")
	}
	f.clock.Advance(time.Second)
	f.wantGone(id)
}

func touchThrottled(f fixture) {
	s := f.session("user-000001")
	s.IdleTimeout = 30 * time.Minute
	id := f.create(s)
	f.clock.Advance(59 * time.Second)
	got, found, ok := f.touch(id, time.Minute)
	if !ok {
		return
	}
	if diff := cmp.Diff(s, got); !found || diff != "" {
		f.Errorf("Touch before its time: found %v (-want +got):\n%s", found, diff)
	}
	f.wantFound(id, s)
	f.clock.Advance(time.Second)
	if _, found, _ := f.touch(id, time.Minute); !found {
		f.Error("Touch at its time: not found")
	}
	s.LastSeen = f.clock.Now().UTC().Truncate(time.Millisecond)
	f.wantFound(id, s)
}

func touchNeverCreates(f fixture) {
	id := newID()
	if _, found, _ := f.touch(id, 0); found {
		f.Error("Touch of an unknown session: found")
	}
	f.wantGone(id)
	s := f.session("user-000001")
	s.IdleTimeout = time.Minute
	id = f.create(s)
	f.clock.Advance(time.Minute)
	if _, found, _ := f.touch(id, 0); found {
		f.Error("Touch of an expired session: found")
	}
	f.wantGone(id)
}

func touchLoses(f fixture) {
	if _, ok := f.store.(session.Toucher); !ok {
		return
	}
	id := f.create(f.session("user-000001"))
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if i == 16 {
				f.delete(id)
				return
			}
			f.store.(session.Toucher).Touch(context.WithoutCancel(f.Context()), id, 0)
		})
	}
	all.Wait()
	f.wantGone(id)
}

// subject is one that no other part has.
func subject() string { return fmt.Sprintf("subject-%x", newID()) }

// several creates n sessions of subject, a second apart; the last is the newest.
func (f fixture) several(subject string, n int) (ids []session.ID) {
	for range n {
		f.clock.Advance(time.Second)
		ids = append(ids, f.create(f.session(subject)))
	}
	return ids
}

// list returns the IDs of a subject's sessions, oldest first.
func (f fixture) list(subject string) (ids []session.ID) {
	f.Helper()
	entries, err := f.store.(session.BySubject).ListSubject(f.Context(), subject)
	if err != nil {
		f.Fatalf("ListSubject: %v", err)
	}
	for _, e := range slices.Backward(entries) {
		if e.Subject != subject || e.Created.IsZero() {
			f.Errorf("ListSubject(%q) has %+v", subject, e)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func (f fixture) wantList(subject string, want []session.ID) {
	f.Helper()
	if got := f.list(subject); !slices.Equal(got, want) {
		f.Errorf("ListSubject: %d sessions, want %d in their order", len(got), len(want))
	}
}

func (f fixture) hasBySubject() bool { _, ok := f.store.(session.BySubject); return ok }

func listSubject(f fixture) {
	if !f.hasBySubject() {
		return
	}
	ada, bob := subject(), subject()+`o'"b`
	f.wantList(ada, nil)
	ids, others := f.several(ada, 4), f.several(bob, 1)
	f.wantList(ada, ids)
	f.wantList(bob, others)
	f.delete(ids[1])
	short := f.session(ada)
	short.Expires = short.Created.Add(time.Minute)
	f.create(short)
	idle := f.session(ada)
	idle.IdleTimeout = time.Minute
	f.create(idle)
	f.clock.Advance(time.Minute)
	f.wantList(ada, []session.ID{ids[0], ids[2], ids[3]})
}

func deleteSubject(f fixture) {
	if !f.hasBySubject() {
		return
	}
	s := f.store.(session.BySubject)
	ada, bob := subject(), subject()
	ids, others := f.several(ada, 4), f.several(bob, 2)
	if err := s.DeleteSubject(f.Context(), ada, ids[2]); err != nil {
		f.Fatalf("DeleteSubject: %v", err)
	}
	f.wantList(ada, ids[2:3])
	f.wantGone(ids[0])
	f.wantFound(others[0], must(f, others[0]))
	for range 2 {
		if err := s.DeleteSubject(f.Context(), ada, session.ID{}); err != nil {
			f.Fatalf("DeleteSubject: %v", err)
		}
		f.wantList(ada, nil)
		f.wantGone(ids[2])
	}
	f.wantList(bob, others)
}

func must(f fixture, id session.ID) session.Session {
	f.Helper()
	s, found, err := f.store.Find(f.Context(), id)
	if !found || err != nil {
		f.Fatalf("Find: found %v, error %v", found, err)
	}
	return s
}

func deleteAll(f fixture) {
	if !f.hasBySubject() {
		return
	}
	var ids []session.ID
	for range 20 {
		ids = append(ids, f.several(subject(), 2)...)
	}
	if err := f.store.(session.BySubject).DeleteAll(f.Context()); err != nil {
		f.Fatalf("DeleteAll: %v", err)
	}
	for _, id := range ids {
		f.wantGone(id)
	}
	ada := subject()
	f.wantList(ada, nil)
	f.wantList(ada, f.several(ada, 1))
}

func capped(f fixture) {
	if !f.hasBySubject() {
		return
	}
	ada, bob := subject(), subject()
	other := f.several(bob, 1)
	ids := f.several(ada, session.DefaultPerSubject+3)
	f.wantList(ada, ids[3:])
	for _, id := range ids[:3] {
		f.wantGone(id)
	}
	f.wantList(bob, other)
}

// cappedInOrder sets the clock back between log-ins: the new session stays.
func cappedInOrder(f fixture) {
	if !f.hasBySubject() {
		return
	}
	ada := subject()
	ids := f.several(ada, session.DefaultPerSubject)
	for range 3 {
		f.clock.Advance(-10 * time.Minute)
		ids = append(ids, f.create(f.session(ada)))
	}
	f.wantList(ada, ids[3:])
}

// cappedByTheLiving fills the places with sessions that then end: a log-out's
// place and an expired one's are free again, and none of the living goes.
func cappedByTheLiving(f fixture) {
	if !f.hasBySubject() {
		return
	}
	ada := subject()
	long := f.several(ada, 2)
	for range session.DefaultPerSubject - 2 {
		s := f.session(ada)
		s.Expires = s.Created.Add(time.Minute)
		f.create(s)
	}
	f.clock.Advance(time.Minute)
	fresh := f.several(ada, 10)
	f.wantList(ada, append(slices.Clone(long), fresh...))
	f.delete(fresh[0])
	more := f.several(ada, session.DefaultPerSubject-11)
	f.wantList(ada, append(append(slices.Clone(long), fresh[1:]...), more...))
}

func cappedAtOnce(f fixture) {
	if !f.hasBySubject() {
		return
	}
	ada := subject()
	f.several(ada, session.DefaultPerSubject-5)
	s := f.session(ada)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if err := f.store.Create(context.WithoutCancel(f.Context()), newID(), s); err != nil {
				f.Errorf("Create: %v", err)
			}
		})
	}
	all.Wait()
	if n := len(f.list(ada)); n != session.DefaultPerSubject {
		f.Errorf("%d sessions, want %d", n, session.DefaultPerSubject)
	}
}
