package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/session"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

// meddling changes the account between the password check and the answer, as
// an administrator may at any moment.
type meddling struct {
	*session.Authenticator
	meddle func()
	issued auth.Credential
}

func (m *meddling) Issue(ctx context.Context, p auth.Principal) (auth.Credential, time.Time, error) {
	m.meddle()
	c, end, err := m.Authenticator.Issue(ctx, p)
	m.issued = c
	return c, end, err
}

// TestLogInRacingAChange changes an account in the middle of a log-in: what
// ended the user's sessions did not know of the one that is being made.
func TestLogInRacingAChange(t *testing.T) {
	for what, change := range map[string]func(c *account.Checker) error{
		"disabled": func(c *account.Checker) error { _, err := c.SetDisabled(t.Context(), "ada", true); return err },
		"promoted": func(c *account.Checker) error { _, err := c.SetRole(t.Context(), "ada", account.RoleAdmin); return err },
		"password": func(c *account.Checker) error {
			return c.ChangePassword(t.Context(), "ada", "secret", "a long new one")
		},
	} {
		t.Run(what, func(t *testing.T) {
			m := &meddling{}
			a := newTestAPI(t, func(c *Config) {
				m.Authenticator = c.Auth.(*session.Authenticator)
				m.meddle = func() {
					if err := change(c.Accounts); err != nil {
						t.Error(err)
					}
				}
				c.Auth = m
			})
			r := logIn(a)
			wantProblem(t, r, http.StatusUnauthorized)
			if len(r.Cookies()) != 0 || m.issued == "" {
				t.Errorf("cookies %v, issued %v", r.Cookies(), m.issued != "")
			}
			wantProblem(t, do(a, "GET", "/me", "", "Cookie", "__Host-session="+string(m.issued)), http.StatusUnauthorized)
		})
	}
}

// TestG21_TheTakeBackOutlastsItsClient hangs up in the middle of a log-in that
// is to be taken back: nobody has the credential then, but whoever reads what
// was sent does.
func TestG21_TheTakeBackOutlastsItsClient(t *testing.T) {
	client, err := store.OpenRedis(storetest.Redis(t).URL, store.Options{Timeout: 5 * time.Second, Pool: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, hangUp := context.WithCancel(t.Context())
	m := &meddling{Authenticator: session.New(session.NewRedis(client, 5*time.Second), session.Config{Lifetime: time.Hour})}
	a := newTestAPI(t, func(c *Config) {
		m.meddle = func() {
			if _, err := c.Accounts.SetDisabled(t.Context(), "ada", true); err != nil {
				t.Error(err)
			}
			hangUp()
		}
		c.Auth = m
	})
	r := httptest.NewRequestWithContext(ctx, "POST", "/login", strings.NewReader(`{"username":"ada","password":"secret"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	wantProblem(t, w.Result(), http.StatusUnauthorized)
	if m.issued == "" {
		t.Fatal("no credential was issued, so there was none to take back")
	}
	wantProblem(t, do(a, "GET", "/me", "", "Cookie", "__Host-session="+string(m.issued)), http.StatusUnauthorized)
}
