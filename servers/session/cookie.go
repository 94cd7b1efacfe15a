package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"authbench/servers/auth"
)

// Cookie implements [auth.Authenticator] by sessions that the client keeps:
// the credential is the session itself, encrypted and authenticated under a key
// that all replicas share. It asks no store, and so it cannot end a session
// early (Revoke says so), list sessions, or see that one is in use: there is no
// idle timeout, and a role lasts until the session ends.
type Cookie struct {
	aead cipher.AEAD
	cfg  Config
}

var _ auth.Authenticator = (*Cookie)(nil)

// KeyBytes is the length of a key of NewCookie: AES-256.
const KeyBytes = 32

// maxSealed is more than a session with the longest name takes.
const maxSealed = 512

// sealedFor binds what is sealed to its purpose: nothing else that may be
// sealed with the same key can pass for a session.
var sealedFor = []byte("authbench client-side session 1")

var sealedEncoding = base64.RawURLEncoding.Strict()

// NewCookie returns an authenticator over a key of KeyBytes bytes. Of cfg,
// IdleTimeout and Touch must be unset.
func NewCookie(key []byte, cfg Config) (*Cookie, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("session cookie key of %d bytes: want %d", len(key), KeyBytes)
	}
	if cfg.IdleTimeout != 0 || cfg.Touch != "" && cfg.Touch != TouchNever {
		return nil, errors.New("a client-side session has no idle timeout and is never touched")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("session cookie key: %w", err)
	}
	// A random nonce of 96 bits is safe for 2^32 sessions under one key.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("session cookie key: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Cookie{aead: aead, cfg: cfg}, nil
}

// Issue seals a new session for p.
func (a *Cookie) Issue(_ context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	if p.Subject == "" || !utf8.ValidString(p.Subject) || len(p.Role) > 255 {
		return "", time.Time{}, fmt.Errorf("start session: subject %q, role %q: want text that is not empty", p.Subject, p.Role)
	}
	now := a.cfg.Now().UTC().Truncate(time.Millisecond)
	expires := now.Add(a.cfg.Lifetime)
	if !p.Expiry.IsZero() && p.Expiry.Before(expires) {
		expires = p.Expiry.UTC().Truncate(time.Millisecond)
	}
	value := encode(Session{Subject: p.Subject, Role: p.Role, Created: now, LastSeen: now, Expires: expires})
	sealed := a.aead.Seal(nil, nil, value, sealedFor)
	if sealedEncoding.EncodedLen(len(sealed)) > maxSealed {
		return "", time.Time{}, fmt.Errorf("start session: a subject of %d bytes does not fit", len(p.Subject))
	}
	return auth.Credential(sealedEncoding.EncodeToString(sealed)), expires, nil
}

// Authenticate opens c. Every error is a refusal.
func (a *Cookie) Authenticate(_ context.Context, c auth.Credential) (auth.Principal, error) {
	var text, sealed [maxSealed]byte
	if len(c) == 0 || len(c) > maxSealed {
		return auth.Principal{}, fmt.Errorf("sealed session of %d bytes: %w", len(c), auth.ErrUnauthenticated)
	}
	n, err := sealedEncoding.Decode(sealed[:], text[:copy(text[:], c)])
	// The decoder skips line breaks; the count tells those spellings apart.
	if err != nil || sealedEncoding.EncodedLen(n) != len(c) {
		return auth.Principal{}, fmt.Errorf("malformed sealed session: %w", auth.ErrUnauthenticated)
	}
	value, err := a.aead.Open(sealed[:0], nil, sealed[:n], sealedFor)
	if err != nil {
		return auth.Principal{}, fmt.Errorf("sealed session does not open: %w", auth.ErrUnauthenticated)
	}
	s, found, err := live(value, a.cfg.Now())
	if err != nil || !found {
		return auth.Principal{}, fmt.Errorf("sealed session is over: %w", auth.ErrUnauthenticated)
	}
	return auth.Principal{Subject: s.Subject, Role: s.Role, Expiry: s.Expires}, nil
}

// Revoke cannot end a session that the client keeps: for one that is still
// good it returns [errors.ErrUnsupported]. Any other gives nil.
func (a *Cookie) Revoke(ctx context.Context, c auth.Credential) error {
	p, err := a.Authenticate(ctx, c)
	if err != nil {
		return nil
	}
	return fmt.Errorf("a client-side session stays valid until %s: %w", p.Expiry.UTC().Format(time.RFC3339), errors.ErrUnsupported)
}
