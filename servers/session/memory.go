package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// memoryShards spreads look-ups over locks so that they scale with cores. IDs
// are hashes, so their first byte spreads evenly.
const memoryShards = 64

// Memory keeps sessions in this process: no other replica sees them and a
// restart loses them all.
type Memory struct {
	now    func() time.Time
	max    int64
	count  atomic.Int64
	shards [memoryShards]memoryShard
}

type memoryShard struct {
	mu       sync.RWMutex
	sessions map[ID]record
}

// record is a Session with its times in Unix milliseconds: 32 bytes instead
// of 80, which counts at a million sessions.
type record struct {
	subject, role              string
	created, expires, lastSeen int64
	idle                       time.Duration
}

// NewMemory returns an empty store that holds at most max sessions, after
// which Create gives [ErrFull] until some are swept or deleted.
func NewMemory(now func() time.Time, max int) *Memory {
	m := &Memory{now: now, max: int64(max)}
	for i := range m.shards {
		m.shards[i].sessions = make(map[ID]record)
	}
	return m
}

var (
	_ Store   = (*Memory)(nil)
	_ Sweeper = (*Memory)(nil)
)

func (m *Memory) shard(id ID) *memoryShard { return &m.shards[id[0]%memoryShards] }

// Create implements Store.
func (m *Memory) Create(_ context.Context, id ID, s Session) error {
	sh := m.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, exists := sh.sessions[id]; !exists {
		if m.count.Add(1) > m.max {
			m.count.Add(-1)
			return fmt.Errorf("%w: %d sessions", ErrFull, m.max)
		}
	}
	sh.sessions[id] = toRecord(s)
	return nil
}

// Find implements Store.
func (m *Memory) Find(_ context.Context, id ID) (Session, bool, error) {
	sh := m.shard(id)
	sh.mu.RLock()
	r, ok := sh.sessions[id]
	sh.mu.RUnlock()
	if !ok {
		return Session{}, false, nil
	}
	s := r.session()
	if !m.now().Before(s.Deadline()) {
		return Session{}, false, nil
	}
	return s, true, nil
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, id ID, s Session) (bool, error) {
	sh := m.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r, ok := sh.sessions[id]
	if !ok || !m.now().Before(r.session().Deadline()) {
		return false, nil
	}
	sh.sessions[id] = toRecord(s)
	return true, nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, id ID) error {
	sh := m.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.sessions[id]; ok {
		delete(sh.sessions, id)
		m.count.Add(-1)
	}
	return nil
}

// Sweep implements Sweeper. It locks one shard at a time, so a look-up waits
// for at most 1/64 of the work.
func (m *Memory) Sweep(ctx context.Context) (int, error) {
	swept := 0
	for i := range m.shards {
		if err := ctx.Err(); err != nil {
			return swept, err
		}
		swept += m.sweepShard(&m.shards[i])
	}
	return swept, nil
}

func (m *Memory) sweepShard(sh *memoryShard) int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now, before := m.now(), len(sh.sessions)
	for id, r := range sh.sessions {
		if !now.Before(r.session().Deadline()) {
			delete(sh.sessions, id)
		}
	}
	swept := before - len(sh.sessions)
	m.count.Add(-int64(swept))
	return swept
}

// Len is how many sessions are held, expired ones not yet swept included.
func (m *Memory) Len() int { return int(m.count.Load()) }

func toRecord(s Session) record {
	return record{
		subject: s.Subject, role: s.Role, idle: s.IdleTimeout,
		created: s.Created.UnixMilli(), expires: s.Expires.UnixMilli(), lastSeen: s.LastSeen.UnixMilli(),
	}
}

func (r record) session() Session {
	return Session{
		Subject: r.subject, Role: r.role, IdleTimeout: r.idle,
		Created:  time.UnixMilli(r.created).UTC(),
		Expires:  time.UnixMilli(r.expires).UTC(),
		LastSeen: time.UnixMilli(r.lastSeen).UTC(),
	}
}
