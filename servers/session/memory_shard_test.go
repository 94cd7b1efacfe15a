package session

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
)

// crowded gives IDs of which many belong in the same slot.
func crowded(n int) (id ID) {
	binary.LittleEndian.PutUint64(id[1:], uint64(n%16))
	binary.LittleEndian.PutUint64(id[16:], uint64(n))
	return id
}

func newShard() *memoryShard {
	sh := &memoryShard{}
	sh.table.Store(new(make(memoryTable, minTable)))
	return sh
}

// TestMemoryShardIsAMap does the same to a shard and to a map.
func TestMemoryShardIsAMap(t *testing.T) {
	sh, want, rnd := newShard(), make(map[ID]*record), rand.New(rand.NewPCG(1, 2))
	const ids = 300
	for range 20_000 {
		id := crowded(rnd.IntN(ids))
		if rnd.IntN(2) == 0 {
			r := &record{id: id}
			sh.put(r)
			want[id] = r
		} else {
			if got := sh.remove(id); got != want[id] {
				t.Fatalf("remove gives %p, want %p", got, want[id])
			}
			delete(want, id)
		}
		if id := crowded(rnd.IntN(ids)); sh.get(id) != want[id] {
			t.Fatalf("get gives %p, want %p", sh.get(id), want[id])
		}
	}
	got := make(map[ID]*record)
	for r := range sh.all() {
		got[r.id] = r
	}
	if !maps.Equal(got, want) || sh.live != len(want) {
		t.Errorf("it holds %d records and counts %d, want %d", len(got), sh.live, len(want))
	}
	for id := range want {
		sh.remove(id)
	}
	sh.rebuild()
	if n := len(*sh.table.Load()); n != minTable {
		t.Errorf("an empty table has %d slots, want %d", n, minTable)
	}
}

// TestMemoryShardReadersLoseNothing looks up what stays while others come and go,
// through many tables.
func TestMemoryShardReadersLoseNothing(t *testing.T) {
	sh := newShard()
	const stay = 32
	for n := range stay {
		sh.put(&record{id: crowded(n)})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				for n := range stay {
					if sh.get(crowded(n)) == nil {
						t.Error("a record that stays was not found")
						return
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range 3000 {
		sh.put(&record{id: crowded(stay + n)})
		if n >= 100 {
			sh.remove(crowded(stay + n - 100))
		}
	}
	close(done)
	readers.Wait()
}
