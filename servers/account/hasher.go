package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// ErrBusy says that too many password hashes are waiting for a processor.
// Trying again a second later is sensible.
var ErrBusy = errors.New("too many log-ins at once")

// Params is the cost of an argon2id hash.
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultParams is OWASP's second choice: 19 MiB, two passes, one thread.
var DefaultParams = Params{MemoryKiB: 19456, Passes: 2, Threads: 1}

// String gives p as a PHC string has it, "m=19456,t=2,p=1".
func (p Params) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Passes, p.Threads)
}

// ParseParams reads what String writes. The bounds keep a hash from taking
// more than 1 GiB or about a minute.
func ParseParams(s string) (Params, error) {
	var p Params
	if _, err := fmt.Sscanf(s, "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Threads); err != nil || p.String() != s {
		return Params{}, fmt.Errorf("argon2 parameters %q: want the form %v", s, DefaultParams)
	}
	if p.Passes < 1 || p.Passes > 64 || p.Threads < 1 || p.MemoryKiB < 8*uint32(p.Threads) || p.MemoryKiB > 1<<20 {
		return Params{}, fmt.Errorf("argon2 parameters %q: want m of 8p to 1048576 KiB, t of 1 to 64, p of at least 1", s)
	}
	return p, nil
}

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hasher computes argon2id hashes, as many at once as it has permits. Each
// takes tens of milliseconds and megabytes, so without a bound a burst of
// log-ins would take every processor and all memory from the other requests.
type Hasher struct {
	params  Params
	permits chan struct{}
	waiting atomic.Int64
	queue   int64
}

// NewHasher returns a Hasher that works on permits hashes at a time, and lets
// queue more wait. Give it as many permits as there are processors.
func NewHasher(p Params, permits, queue int) *Hasher {
	return &Hasher{params: p, permits: make(chan struct{}, permits), queue: int64(queue)}
}

// Hash returns the hash of password under a new salt, as a PHC string.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := random(saltBytes)
	key, err := h.key(ctx, password, salt, h.params, keyBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(h.params, salt, key), nil
}

// decoy is a hash that no known password has, as costly to verify as any other:
// its key is random and not computed.
func (h *Hasher) decoy() string { return formatPHC(h.params, random(saltBytes), random(keyBytes)) }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Verify says whether phc is a hash of password. Its errors: ErrBusy, ctx's
// own, and a hash that cannot be read.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (bool, error) {
	p, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	got, err := h.key(ctx, password, salt, p, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// key holds a permit for as long as it works, also when the client has long
// gone: argon2 cannot be interrupted, and a permit given back early would let
// the next one start beside it.
func (h *Hasher) key(ctx context.Context, password string, salt []byte, p Params, n uint32) ([]byte, error) {
	select {
	case h.permits <- struct{}{}:
	default:
		if h.waiting.Add(1) > h.queue {
			h.waiting.Add(-1)
			return nil, ErrBusy
		}
		defer h.waiting.Add(-1)
		select {
		case h.permits <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-h.permits }()
	return argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, p.Threads, n), nil
}

func formatPHC(p Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$%v$%s$%s", argon2.Version, p, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func parsePHC(s string) (p Params, salt, key []byte, err error) {
	bad := func(what string) error { return fmt.Errorf("password hash: %s", what) }
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, nil, nil, bad("not of the form $argon2id$v=..$m=..,t=..,p=..$salt$hash")
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, bad("unknown version " + parts[2])
	}
	if p, err = ParseParams(parts[3]); err != nil {
		return p, nil, nil, bad(err.Error())
	}
	b64 := base64.RawStdEncoding.Strict()
	if salt, err = b64.DecodeString(parts[4]); err != nil || len(salt) < 8 {
		return p, nil, nil, bad("bad salt")
	}
	if key, err = b64.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return p, nil, nil, bad("bad hash")
	}
	return p, salt, key, nil
}
