package peers

import (
	"context"
	"crypto/rand"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"authbench/servers/account"
	"authbench/servers/session"
)

// million sessions are held to be weighed.
const million = 1_000_000

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMemorySize weighs a million sessions, each of a user of its own. The
// time is that of making them.
func BenchmarkMemorySize(b *testing.B) {
	b.Run("lib=scs", func(b *testing.B) {
		m := scs.New()
		m.Store, m.Lifetime = memstore.NewWithCleanupInterval(0), time.Hour
		weigh(b, m.Store, func(ctx context.Context, subject string) error {
			ctx, err := m.Load(ctx, "")
			if err != nil {
				return err
			}
			m.Put(ctx, "sub", subject)
			m.Put(ctx, "role", account.RoleUser)
			_, _, err = m.Commit(ctx)
			return err
		})
	})
	b.Run("lib=ours", func(b *testing.B) {
		st := session.NewMemory(time.Now, 100*million)
		a := session.New(st, session.Config{Lifetime: time.Hour})
		weigh(b, st, func(ctx context.Context, subject string) error {
			p := principal(0)
			p.Subject = subject
			_, _, err := a.Issue(ctx, p)
			return err
		})
	})
}

func weigh(b *testing.B, held any, create func(ctx context.Context, subject string) error) {
	b.Helper()
	before := heap()
	n := 0
	for b.Loop() {
		for range million {
			must(b, create(context.Background(), account.SeedName(n)))
			n++
		}
	}
	b.ReportMetric(float64(heap()-before)/float64(n), "B/session")
	runtime.KeepAlive(held)
}

// BenchmarkMemoryFind looks up sessions from all cores at once: -cpu 1,2 shows
// whether look-ups scale. It is the stores alone: ours gives a Session, scs' gives
// bytes that its manager decodes for each request.
func BenchmarkMemoryFind(b *testing.B) {
	const n = 100_000
	b.Run("lib=scs", func(b *testing.B) {
		st := memstore.NewWithCleanupInterval(0)
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = rand.Text()
			must(b, st.Commit(tokens[i], []byte(tokens[i]), time.Now().Add(time.Hour)))
		}
		// A request brings its own copy of a token. Were it the string that is in the
		// map, Go would see that by the pointer and never fetch the text to compare.
		for i := range tokens {
			tokens[i] = strings.Clone(tokens[i])
		}
		find(b, n, func(i int) bool { _, found, _ := st.Find(tokens[i]); return found })
	})
	b.Run("lib=ours", func(b *testing.B) {
		st := session.NewMemory(time.Now, n)
		ids := make([]session.ID, n)
		for i := range ids {
			rand.Read(ids[i][:])
			now := time.Now()
			must(b, st.Create(b.Context(), ids[i], session.Session{
				Subject: account.SeedName(i), Role: account.RoleUser, Created: now, LastSeen: now, Expires: now.Add(time.Hour),
			}))
		}
		find(b, n, func(i int) bool { _, found, _ := st.Find(context.Background(), ids[i]); return found })
	})
}

func find(b *testing.B, n int, look func(i int) bool) {
	b.Helper()
	b.ReportAllocs()
	var start atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(start.Add(7919))
		for pb.Next() {
			if !look(i % n) {
				b.Error("not found")
				return
			}
			i++
		}
	})
}
