package session

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"
)

// memoryShards spreads changes over locks, and the work of sweeping and of making
// a table larger into parts. IDs are hashes, so their first byte spreads evenly.
const memoryShards = 64

// Memory keeps sessions in this process: no other replica sees them and a
// restart loses them all.
//
// Look-ups take no lock, changes that of one shard. What knows subjects takes the
// lock of the subject's index first and those of shards inside it, never the other
// way round.
type Memory struct {
	// PerSubject is how many sessions one subject may have; zero means
	// DefaultPerSubject. Set it before use.
	PerSubject int

	now     func() time.Time
	seed    maphash.Seed
	max     int64
	count   atomic.Int64
	shards  [memoryShards]memoryShard
	indexes [memoryShards]memoryIndex
}

// record is a Session with what it is filed under, and with its times in Unix
// milliseconds: 96 bytes, so that at a million sessions a look-up fetches little
// memory. Nothing of a record that is in a table changes but lastSeen.
type record struct {
	id               ID
	subject, role    string
	created, expires int64
	lastSeen         atomic.Int64
	idle             time.Duration
}

// deadline is [Session.Deadline] in Unix milliseconds.
func (r *record) deadline() int64 {
	if r.idle > 0 {
		return min(r.expires, r.lastSeen.Load()+r.idle.Milliseconds())
	}
	return r.expires
}

// live says whether r's deadline is still to come.
func (r *record) live(now time.Time) bool { return now.UnixMilli() < r.deadline() }

// touch moves lastSeen to now, never back.
func (r *record) touch(now int64) {
	for {
		seen := r.lastSeen.Load()
		if now <= seen || r.lastSeen.CompareAndSwap(seen, now) {
			return
		}
	}
}

// NewMemory returns an empty store that holds at most max sessions, after
// which Create gives [ErrFull] until some are swept or deleted.
func NewMemory(now func() time.Time, max int) *Memory {
	m := &Memory{now: now, seed: maphash.MakeSeed(), max: int64(max)}
	for i := range m.shards {
		m.shards[i].table.Store(new(make(memoryTable, minTable)))
		m.indexes[i].ids = make(map[string][]ID)
	}
	return m
}

var (
	_ Store     = (*Memory)(nil)
	_ Toucher   = (*Memory)(nil)
	_ BySubject = (*Memory)(nil)
	_ Sweeper   = (*Memory)(nil)
)

func (m *Memory) shard(id ID) *memoryShard { return &m.shards[id[0]%memoryShards] }

// Create implements Store.
func (m *Memory) Create(_ context.Context, id ID, s Session) error {
	x := m.index(s.Subject)
	x.mu.Lock()
	defer x.mu.Unlock()
	ids := x.ids[s.Subject]
	if len(ids) >= perSubject(m.PerSubject) {
		ids = m.makeRoom(ids)
	}
	if err := m.put(toRecord(id, s.startingAt(m.now().Truncate(time.Millisecond)))); err != nil {
		x.set(s.Subject, ids)
		return err
	}
	if !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	x.set(s.Subject, ids)
	return nil
}

func (m *Memory) put(r *record) error {
	sh := m.shard(r.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.get(r.id) == nil {
		if m.count.Add(1) > m.max {
			m.count.Add(-1)
			return fmt.Errorf("%w: %d sessions", ErrFull, m.max)
		}
	}
	sh.put(r)
	return nil
}

// get returns the session filed under id, if it is live at now.
func (m *Memory) get(id ID, now time.Time) (*record, bool) {
	r := m.shard(id).get(id)
	return r, r != nil && r.live(now)
}

// Find implements Store.
func (m *Memory) Find(_ context.Context, id ID) (Session, bool, error) {
	r, ok := m.get(id, m.now())
	if !ok {
		return Session{}, false, nil
	}
	return r.session(), true, nil
}

// Touch implements Toucher. It takes no lock: where the session is deleted or
// replaced meanwhile, the use is written to what nobody looks up any more.
func (m *Memory) Touch(_ context.Context, id ID, every time.Duration) (Session, bool, error) {
	now := m.now()
	r, ok := m.get(id, now)
	if !ok {
		return Session{}, false, nil
	}
	if ms := now.UnixMilli(); ms-r.lastSeen.Load() >= every.Milliseconds() {
		r.touch(ms)
	}
	return r.session(), true, nil
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, id ID, s Session) (bool, error) {
	sh := m.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.get(id); r == nil || !r.live(m.now()) {
		return false, nil
	}
	sh.put(toRecord(id, s))
	return true, nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, id ID) error {
	if subject, ok := m.remove(id); ok {
		m.unlist(subject, id)
	}
	return nil
}

// remove deletes a session and returns whose it was.
func (m *Memory) remove(id ID) (subject string, ok bool) {
	sh := m.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.remove(id)
	if r == nil {
		return "", false
	}
	m.count.Add(-1)
	return r.subject, true
}

// Len is how many sessions are held, expired ones not yet swept included.
func (m *Memory) Len() int { return int(m.count.Load()) }

func toRecord(id ID, s Session) *record {
	r := &record{
		id: id, subject: s.Subject, role: s.Role, idle: s.IdleTimeout,
		created: s.Created.UnixMilli(), expires: s.Expires.UnixMilli(),
	}
	r.lastSeen.Store(s.LastSeen.UnixMilli())
	return r
}

func (r *record) session() Session {
	return Session{
		Subject: r.subject, Role: r.role, IdleTimeout: r.idle,
		Created:  time.UnixMilli(r.created).UTC(),
		Expires:  time.UnixMilli(r.expires).UTC(),
		LastSeen: time.UnixMilli(r.lastSeen.Load()).UTC(),
	}
}
