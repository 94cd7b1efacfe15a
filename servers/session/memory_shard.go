package session

import (
	"encoding/binary"
	"iter"
	"sync"
	"sync/atomic"
)

// memoryShard is a hash table that many read while one writes: looking up takes
// no lock and writes nothing, so cores that look up at once never wait for each
// other's cache lines. Whoever changes it holds mu.
//
// It is open addressing with linear probing. A record stays in the slot where it
// was put, and a slot that was once used is never empty again in that table, so
// whoever walks from where an ID belongs to the next empty slot meets it. A table
// that is half used is replaced by a new one; who still reads the old one sees what
// was true when they began.
type memoryShard struct {
	mu    sync.Mutex
	table atomic.Pointer[memoryTable]
	live  int // sessions in the table
	used  int // slots in the table that are not empty: sessions, and those that ended
}

type memoryTable []atomic.Pointer[record] // as long as a power of two

// minTable is the length of the smallest table.
const minTable = 8

// ended is in the slots of sessions that were deleted.
var ended = new(record)

// probe yields the slots in which id may be, up to the first that is empty. IDs
// are hashes: eight of their bytes spread evenly. The first chose the shard.
func (t memoryTable) probe(id ID) iter.Seq2[int, *record] {
	return func(yield func(int, *record) bool) {
		mask := len(t) - 1
		for i := int(binary.LittleEndian.Uint64(id[1:])) & mask; ; i = (i + 1) & mask {
			if r := t[i].Load(); !yield(i, r) || r == nil {
				return
			}
		}
	}
}

// get returns the record filed under id, or nil.
func (sh *memoryShard) get(id ID) *record {
	for _, r := range sh.table.Load().probe(id) {
		if r != nil && r != ended && r.id == id {
			return r
		}
	}
	return nil
}

// put files r under its ID, in place of what was there.
func (sh *memoryShard) put(r *record) {
	t := *sh.table.Load()
	for i, old := range t.probe(r.id) {
		switch {
		case old == nil && sh.used >= len(t)/2:
			sh.rebuild()
			sh.put(r)
			return
		case old == nil:
			sh.live++
			sh.used++
		case old == ended || old.id != r.id:
			continue
		}
		t[i].Store(r)
		return
	}
}

// remove takes out the record filed under id and returns it, or nil.
func (sh *memoryShard) remove(id ID) *record {
	t := *sh.table.Load()
	for i, r := range t.probe(id) {
		if r != nil && r != ended && r.id == id {
			t[i].Store(ended)
			sh.live--
			return r
		}
	}
	return nil
}

// rebuild makes a table that is at most a quarter full, of the sessions alone.
func (sh *memoryShard) rebuild() {
	size := minTable
	for size < 4*sh.live {
		size *= 2
	}
	next := make(memoryTable, size)
	for r := range sh.all() {
		for i, there := range next.probe(r.id) {
			if there == nil {
				next[i].Store(r)
			}
		}
	}
	sh.used = sh.live
	sh.table.Store(&next)
}

// all yields the records. They may be removed meanwhile.
func (sh *memoryShard) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		t := *sh.table.Load()
		for i := range t {
			if r := t[i].Load(); r != nil && r != ended && !yield(r) {
				return
			}
		}
	}
}
