package session

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
)

// memoryIndex holds a share of the subjects, each with the IDs of its sessions
// in the order of their creation. It never holds more than PerSubject of one,
// and none for a subject without.
type memoryIndex struct {
	mu  sync.Mutex
	ids map[string][]ID
}

func (x *memoryIndex) set(subject string, ids []ID) {
	if len(ids) == 0 {
		delete(x.ids, subject)
		return
	}
	x.ids[subject] = ids
}

func (m *Memory) index(subject string) *memoryIndex {
	return &m.indexes[maphash.String(m.seed, subject)%memoryShards]
}

// makeRoom clears a subject's IDs of the sessions that are over and, if that
// leaves no place, ends the oldest. The caller holds the index.
func (m *Memory) makeRoom(ids []ID) []ID {
	now := m.now()
	ids = slices.DeleteFunc(ids, func(id ID) bool {
		_, ok := m.get(id, now)
		if !ok {
			m.remove(id)
		}
		return !ok
	})
	for len(ids) >= perSubject(m.PerSubject) {
		m.remove(ids[0])
		ids = slices.Delete(ids, 0, 1)
	}
	return ids
}

// unlist takes the ID of a deleted session out of its subject's index.
func (m *Memory) unlist(subject string, id ID) {
	x := m.index(subject)
	x.mu.Lock()
	defer x.mu.Unlock()
	ids := x.ids[subject]
	if i := slices.Index(ids, id); i >= 0 {
		x.set(subject, slices.Delete(ids, i, i+1))
	}
}

// ListSubject implements BySubject.
func (m *Memory) ListSubject(_ context.Context, subject string) ([]Entry, error) {
	x := m.index(subject)
	x.mu.Lock()
	defer x.mu.Unlock()
	var entries []Entry
	now := m.now()
	for _, id := range slices.Backward(x.ids[subject]) {
		if r, ok := m.get(id, now); ok {
			entries = append(entries, Entry{id, r.session()})
		}
	}
	return entries, nil
}

// DeleteSubject implements BySubject.
func (m *Memory) DeleteSubject(_ context.Context, subject string, keep ID) error {
	x := m.index(subject)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.set(subject, slices.DeleteFunc(x.ids[subject], func(id ID) bool {
		if id != keep {
			m.remove(id)
		}
		return id != keep
	}))
	return nil
}

// DeleteAll implements BySubject.
func (m *Memory) DeleteAll(ctx context.Context) error {
	for i := range m.indexes {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.deleteIndex(&m.indexes[i])
	}
	return nil
}

func (m *Memory) deleteIndex(x *memoryIndex) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, ids := range x.ids {
		for _, id := range ids {
			m.remove(id)
		}
	}
	clear(x.ids)
}

// Sweep implements Sweeper. It locks one shard at a time, so a log-in or log-out
// waits for at most 1/64 of the work, and a look-up for nothing.
func (m *Memory) Sweep(ctx context.Context) (int, error) {
	swept := 0
	for i := range m.shards {
		if err := ctx.Err(); err != nil {
			return swept, err
		}
		over := m.sweepShard(&m.shards[i])
		for id, subject := range over {
			m.unlist(subject, id)
		}
		swept += len(over)
	}
	return swept, nil
}

// sweepShard deletes what is over and says whose it was.
func (m *Memory) sweepShard(sh *memoryShard) map[ID]string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now, over := m.now(), make(map[ID]string)
	for r := range sh.all() {
		if !r.live(now) {
			sh.remove(r.id)
			over[r.id] = r.subject
		}
	}
	m.count.Add(-int64(len(over)))
	return over
}
