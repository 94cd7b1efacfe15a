package security

import (
	"fmt"
	"net/http"
	"testing"
)

// everywhere sends a request until each replica has answered it, and wants the
// same status of all.
func (s *site) everywhere(what string, c *client, status int) {
	s.Helper()
	answered := make(map[string]bool)
	for range 30 * replicas {
		a := c.do("GET", "/me", "")
		if a.err != nil || a.status != status {
			s.Errorf("%s: status %d, %v, %s; want %d", what, a.status, a.err, a.body, status)
			return
		}
		answered[a.replica] = true
	}
	if status == http.StatusOK && len(answered) != replicas {
		s.Errorf("%s: answered by %v, want all %d", what, answered, replicas)
	}
}

// TestC05_LogOutThroughNginx to TestC10: with a shared store what ends, ends on
// every replica at once.
func TestC05_LogOutThroughNginx(t *testing.T) {
	eachShared(t, func(s *site) {
		c := s.client(1)
		c.login()
		s.everywhere("before", c, http.StatusOK)
		if a := c.do("POST", "/logout", ""); a.status != http.StatusNoContent {
			s.Errorf("log-out: status %d", a.status)
		}
		s.everywhere("after log-out", c, http.StatusUnauthorized)
	})
}

func TestC07_AdministratorThroughNginx(t *testing.T) {
	eachShared(t, func(s *site) {
		admin := s.client(0)
		admin.user = "admin"
		for i, path := range []string{"/admin/users/user-000001/logout", "/admin/logout-all"} {
			c := s.client(1)
			c.login()
			admin.cookie = ""
			admin.login()
			s.everywhere("before", c, http.StatusOK)
			if a := admin.do("POST", path, ""); a.status != http.StatusNoContent {
				s.Errorf("%s: status %d, %s", path, a.status, a.body)
			}
			s.everywhere(fmt.Sprint("after ", path), c, http.StatusUnauthorized)
			if i == 0 {
				s.everywhere("the administrator", admin, http.StatusOK)
			}
		}
	})
}

// eachShared runs a check over the arms whose store all replicas share.
func eachShared(t *testing.T, check func(s *site)) {
	for arm, flags := range arms(t) {
		if arm == "session/redis" || arm == "session/postgres" {
			t.Run(arm, func(t *testing.T) { check(newSite(t, flags)) })
		}
	}
}
