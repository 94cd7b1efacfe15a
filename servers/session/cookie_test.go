package session_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authbench/servers/auth"
	"authbench/servers/auth/authtest"
	"authbench/servers/session"
	"authbench/servers/session/sessiontest"
)

func newCookie(t testing.TB, now func() time.Time) *session.Cookie {
	t.Helper()
	key, err := session.LoadCookieKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := session.NewCookie(key, session.Config{Lifetime: time.Hour, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCookieConforms(t *testing.T) {
	authtest.Run(t, func(t *testing.T) authtest.Subject {
		clock := sessiontest.NewClock()
		return authtest.Subject{Auth: newCookie(t, clock.Now), Revokes: false, Now: clock.Now, Advance: clock.Advance}
	})
}

func TestCookieIsSealed(t *testing.T) {
	a, stranger := newCookie(t, nil), newCookie(t, nil)
	c, _, err := a.Issue(t.Context(), auth.Principal{Subject: "marker-subject", Role: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(c), "marker") || len(c) > 512 {
		t.Errorf("credential %q shows what it holds, or is too long", c)
	}
	if _, err := stranger.Authenticate(t.Context(), c); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("another key opens it: error %v", err)
	}
	if err := a.Revoke(t.Context(), c); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Revoke: error %v, want ErrUnsupported", err)
	}
	if _, _, err := a.Issue(t.Context(), auth.Principal{Subject: strings.Repeat("n", 600), Role: "user"}); err == nil {
		t.Error("a session larger than can be presented was issued")
	}
	for _, cfg := range []session.Config{{IdleTimeout: time.Minute}, {Touch: session.TouchAlways}} {
		if _, err := session.NewCookie(make([]byte, session.KeyBytes), cfg); err == nil {
			t.Errorf("%+v: accepted, but cannot be kept", cfg)
		}
	}
}

func TestCookieKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	key, err := session.LoadCookieKey(dir)
	if err != nil || len(key) != session.KeyBytes || bytes.Equal(key, make([]byte, session.KeyBytes)) {
		t.Fatalf("key of %d bytes, error %v", len(key), err)
	}
	if again, err := session.LoadCookieKey(dir); err != nil || !bytes.Equal(key, again) {
		t.Errorf("a second load gives another key, error %v", err)
	}
	file := filepath.Join(dir, "session.key")
	os.Chmod(file, 0o644)
	if _, err := session.LoadCookieKey(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that all may read: error %v", err)
	}
	os.Chmod(file, 0o600)
	os.WriteFile(file, []byte("c2hvcnQ=\n"), 0o600)
	if _, err := session.LoadCookieKey(dir); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
		t.Errorf("a short key: error %v, want one that does not quote it", err)
	}
}

func FuzzCookie(f *testing.F) {
	a := newCookie(f, nil)
	good, _, err := a.Issue(f.Context(), auth.Principal{Subject: "ada", Role: "user"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add("")
	f.Add(strings.Repeat("A", 512))
	f.Fuzz(func(t *testing.T, c string) {
		p, err := a.Authenticate(t.Context(), auth.Credential(c))
		if (err == nil) != (auth.Credential(c) == good) {
			t.Errorf("%q: %+v, error %v", c, p, err)
		}
	})
}
