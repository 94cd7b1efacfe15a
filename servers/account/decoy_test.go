package account

import (
	"errors"
	"testing"
)

// TestG03_UnknownUserCostsAHash takes the only permit: whoever needs a hash is
// turned away then, and that must include whoever asks for an unknown user or
// for a disabled one.
func TestG03_UnknownUserCostsAHash(t *testing.T) {
	h := NewHasher(Params{MemoryKiB: 64, Passes: 1, Threads: 1}, 1, 0)
	hash, err := h.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	s := NewMemory()
	s.Add(t.Context(), []User{{Name: "ada", Hash: hash}, {Name: "bob", Hash: hash, Disabled: true}})
	c := NewChecker(s, h)
	h.permits <- struct{}{}
	for _, name := range []string{"ada", "bob", "eve"} {
		if _, err := c.Check(t.Context(), name, "wrong"); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: error %v, want ErrBusy: no hash was computed", name, err)
		}
	}
}
