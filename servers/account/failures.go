package account

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Failures counts failed log-ins by name. After Limit of them within Window the
// name must wait for the window's end, with the right password too: else
// guessing could go on. Successes are neither counted nor do they clear the
// count. Methods are safe for concurrent use; every error is a failure of the
// system. Check asks before the hash and counts after it, whether or not its
// client still listens, so as many guesses more can pass as there are log-ins in
// flight.
type Failures interface {
	// Wait is for how long name must not log in; zero if it may.
	Wait(ctx context.Context, name string) (time.Duration, error)

	// Count adds a failed log-in of name, which need not exist.
	Count(ctx context.Context, name string) error
}

// Limit says how many log-ins of one name may fail in which time.
type Limit struct {
	Failures int
	Window   time.Duration
}

// nameKey is what a name is counted under. It is a hash, because people type
// passwords into the wrong field, and so that all keys are equally long.
type nameKey [16]byte

func keyOf(name string) (k nameKey) {
	sum := sha256.Sum256([]byte(name))
	copy(k[:], sum[:])
	return k
}

// memoryNames is how many names MemoryFailures remembers: about 20 MB of them.
// A flood of others makes it forget the oldest, and costs a password hash each.
const memoryNames = 100_000

// MemoryFailures counts in this process: other replicas count for themselves.
type MemoryFailures struct {
	limit Limit
	now   func() time.Time

	mu     sync.Mutex
	counts map[nameKey]*list.Element // of failureCount
	order  *list.List                // by the end of the window, earliest first
}

type failureCount struct {
	key   nameKey
	n     int
	until time.Time
}

// NewMemoryFailures returns an empty count.
func NewMemoryFailures(limit Limit, now func() time.Time) *MemoryFailures {
	return &MemoryFailures{limit: limit, now: now, counts: make(map[nameKey]*list.Element), order: list.New()}
}

var _ Failures = (*MemoryFailures)(nil)

// Wait implements Failures.
func (m *MemoryFailures) Wait(_ context.Context, name string) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.counts[keyOf(name)]
	if !ok {
		return 0, nil
	}
	c := e.Value.(*failureCount)
	if left := c.until.Sub(m.now()); left > 0 && c.n >= m.limit.Failures {
		return left, nil
	}
	return 0, nil
}

// Count implements Failures.
func (m *MemoryFailures) Count(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		c := e.Value.(*failureCount)
		if now.Before(c.until) && len(m.counts) < memoryNames {
			break
		}
		delete(m.counts, c.key)
		m.order.Remove(e)
	}
	key := keyOf(name)
	if e, ok := m.counts[key]; ok {
		e.Value.(*failureCount).n++
		return nil
	}
	m.counts[key] = m.order.PushBack(&failureCount{key, 1, now.Add(m.limit.Window)})
	return nil
}
