package api

import (
	"context"
	"net/http"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/session"
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
