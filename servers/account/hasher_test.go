package account

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestL09_WhoLeavesFreesTheirPlace lets many more clients give up in the queue
// than it has places: each finds one, since those before have left theirs.
func TestL09_WhoLeavesFreesTheirPlace(t *testing.T) {
	h := NewHasher(Params{MemoryKiB: 64, Passes: 1, Threads: 1}, 1, 1)
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.permits <- struct{}{}
	for i := range 5 {
		if _, err := h.Hash(gone, "secret"); !errors.Is(err, context.Canceled) {
			t.Errorf("client %d: error %v, want context.Canceled: it had a place", i, err)
		}
	}
	<-h.permits
	if _, err := h.Hash(t.Context(), "secret"); err != nil {
		t.Errorf("with a free processor: %v", err)
	}
}

// TestG21_AGuessInTheQueueCounts leaves the queue of hashes before a wrong
// password is compared, and asks for no more when the queue is full.
func TestG21_AGuessInTheQueueCounts(t *testing.T) {
	h := NewHasher(Params{MemoryKiB: 64, Passes: 1, Threads: 1}, 1, 1)
	s := NewMemory()
	if err := Seed(t.Context(), s, h, 1); err != nil {
		t.Fatal(err)
	}
	c := NewChecker(s, h)
	c.Failures = NewMemoryFailures(Limit{Failures: 2, Window: time.Hour}, time.Now)
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.permits <- struct{}{}
	h.waiting.Add(1)
	if _, err := c.Check(gone, "user-000000", "wrong"); !errors.Is(err, ErrBusy) {
		t.Errorf("with a full queue: error %v, want ErrBusy", err)
	}
	h.waiting.Add(-1)
	if _, err := c.Check(gone, "user-000000", "wrong"); !errors.Is(err, context.Canceled) {
		t.Errorf("in the queue: error %v, want context.Canceled", err)
	}
	<-h.permits
	if _, err := c.Check(t.Context(), "user-000000", SeedPassword); err != nil {
		t.Errorf("after one of two failures: %v", err)
	}
	// With a free processor it is hashed, and counted without its client.
	if _, err := c.Check(gone, "user-000000", "wrong"); !errors.Is(err, ErrBadCredentials) {
		t.Errorf("at once: error %v, want ErrBadCredentials", err)
	}
	var limited *LimitedError
	if _, err := c.Check(t.Context(), "user-000000", SeedPassword); !errors.As(err, &limited) {
		t.Errorf("after two of two failures: error %v, want *LimitedError", err)
	}
}
