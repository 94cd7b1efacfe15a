package session

import (
	"errors"
	"testing"
	"time"

	"authbench/servers/auth"
)

// TestCookieIsBoundToItsPurpose seals a good session under the right key: it
// opens as what it was sealed for, and as nothing else.
func TestCookieIsBoundToItsPurpose(t *testing.T) {
	a, err := NewCookie(make([]byte, KeyBytes), Config{Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	value := encode(Session{Subject: "ada", Role: "user", Created: time.Now(), Expires: time.Now().Add(time.Hour)})
	open := func(purpose string) error {
		sealed := a.aead.Seal(nil, nil, value, []byte(purpose))
		_, err := a.Authenticate(t.Context(), auth.Credential(sealedEncoding.EncodeToString(sealed)))
		return err
	}
	own := string(sealedFor)
	if err := open(own); err != nil {
		t.Errorf("sealed for %q: %v", own, err)
	}
	for _, other := range []string{"", own + "0", "a reset of a password"} {
		if err := open(other); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("sealed for %q: error %v, want ErrUnauthenticated", other, err)
		}
	}
}
