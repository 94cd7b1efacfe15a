package account

import (
	"context"
	"errors"
	"testing"
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
