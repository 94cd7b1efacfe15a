package e2e

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"authbench/servers/account"
	"authbench/servers/matrix"
	"authbench/servers/token"
)

func logInEndsThePresented(s *site) {
	c := s.user(0)
	old := *c
	s.ended("the presented credential", c.login(), &old)
}

func logOut(s *site) {
	c := s.user(0)
	s.live("before", c)
	s.ended("after log-out", c.do("POST", "/logout", ""), c)
}

func logOutTwice(s *site) {
	c := s.user(0)
	for range 2 * replicas {
		s.want("log-out", c.do("POST", "/logout", ""), http.StatusNoContent)
	}
	s.want("log-out of nobody", s.client(0).do("POST", "/logout", ""), http.StatusNoContent)
}

func administratorEnds(s *site) {
	c := s.user(0)
	admin, other := s.beside(c, "admin"), s.beside(c, s.client(s.first+1).user)
	s.live("before", c)
	s.ended("one user's", admin.do("POST", "/admin/users/"+c.user+"/logout", ""), c)
	if s.cell != matrix.Bounded {
		s.live("another's", other)
		s.live("the administrator's", admin)
	}
	admin = s.beside(c, "admin")
	s.ended("everybody's", admin.do("POST", "/admin/logout-all", ""), other)
	s.refusedSoon("the administrator's too", admin)
}

// refusedSoon is refused, where that may take until the credential expires.
func (s *site) refusedSoon(what string, c *client) {
	s.Helper()
	s.eventually(what, func() bool { return c.do("GET", "/me", "").status == http.StatusUnauthorized })
	s.refused(what, c)
}

func roleChange(s *site) {
	c := s.user(0)
	set := func(role string) answer {
		return s.beside(c, "admin").do("PUT", "/admin/users/"+c.user+"/role", `{"role":"`+role+`"}`)
	}
	s.ended("promoted", set("admin"), c)
	s.want("log-in", c.login(), http.StatusOK)
	if a := c.do("GET", "/me", ""); !strings.Contains(a.body, `"role":"admin"`) {
		s.Errorf("promoted, and /me says %s", a.body)
	}
	s.ended("demoted", set("user"), c)
	s.want("log-in", c.login(), http.StatusOK)
	s.want("an administrator no more", c.do("POST", "/admin/logout-all", ""), http.StatusForbidden)
}

func disabledUser(s *site) {
	c := s.user(0)
	set := func(disabled string) answer {
		return s.beside(c, "admin").do("PUT", "/admin/users/"+c.user+"/disabled", `{"disabled":`+disabled+`}`)
	}
	a := set("true")
	again := s.client(s.first)
	again.route = c.route
	s.want("log-in", again.login(), http.StatusUnauthorized)
	s.ended("disabled", a, c)
	s.want("enable", set("false"), http.StatusNoContent)
	s.want("log-in", c.login(), http.StatusOK)
}

func passwordChange(s *site) {
	const next = "another long one"
	c := s.user(0)
	thief := s.beside(c, c.user)
	a := c.do("POST", "/password", `{"current_password":"`+account.SeedPassword+`","new_password":"`+next+`"}`)
	if s.cell != matrix.Bounded {
		s.live("the one that changed it", c)
	}
	s.ended("another", a, thief)
	again := s.client(s.first)
	again.route = c.route
	s.want("the old password", again.login(), http.StatusUnauthorized)
	s.want("the new password", again.loginBy(next), http.StatusOK)
}

func idleTimeout(s *site) {
	busy := s.user(0)
	idle := s.beside(busy, busy.user)
	s.eventually("the idle one ends while the busy one lives", func() bool {
		a := busy.do("GET", "/sessions", "")
		s.want("busy", a, http.StatusOK)
		return s.Failed() || strings.Count(a.body, `"handle"`) == 1
	})
	s.refused("idle", idle)
}

func absoluteTimeout(s *site) {
	c := s.user(0)
	s.live("at first", c)
	s.refusedSoon("it ends in spite of use", c)
}

// secret is the credential itself, and the name of a cookie for it.
func (s *site) secret(c *client) (name, value string) {
	if name, value, ok := strings.Cut(c.cookie, "="); ok {
		return name, value
	}
	return "token", strings.TrimPrefix(c.authHeader, "Bearer ")
}

func credentialInTheURL(s *site) {
	_, secret := s.secret(s.user(0))
	for _, name := range []string{"access_token", "token", "session", "Authorization"} {
		s.want(name+" in the URL", s.client(0).do("GET", "/me?"+name+"="+secret, ""), http.StatusUnauthorized)
	}
}

// crossSite needs the Host that the browser sent: it is compared with Origin.
func crossSite(s *site) {
	c := s.user(0)
	for _, h := range []http.Header{{"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Sec-Fetch-Site": {"cross-site"}}} {
		s.want("from another site", c.do("POST", "/logout", "", h), http.StatusForbidden)
		s.want("from another site", s.client(s.first).do("POST", "/login", "{}", h), http.StatusForbidden)
	}
	s.live("afterwards", c)
	s.want("from the own site", c.do("POST", "/logout", "", http.Header{"Origin": {s.url}}), http.StatusNoContent)
}

func twoCredentials(s *site) {
	c, thief := s.user(0), s.user(1)
	name, mine := s.secret(c)
	_, theirs := s.secret(thief)
	nobody := s.client(0)
	nobody.route = c.route
	for what, h := range map[string]http.Header{
		"two cookies":       {"Cookie": {name + "=" + mine + "; " + name + "=" + theirs}},
		"cookie and header": {"Cookie": {name + "=" + mine}, "Authorization": {"Bearer " + theirs}},
	} {
		s.want(what, nobody.do("GET", "/me", "", h), http.StatusBadRequest)
		s.want(what, nobody.do("POST", "/logout", "", h), http.StatusBadRequest)
	}
	s.live("afterwards", c)
}

// ownIDs plants one at a victim before they log in.
func ownIDs(s *site) {
	c := s.user(0)
	name, _ := s.secret(c)
	planted := s.client(s.first)
	planted.cookie, planted.route = name+"="+strings.Repeat("A", 32), c.route
	victim := *planted
	s.refused("planted, before", planted)
	s.want("log-in", victim.login(), http.StatusOK)
	if victim.cookie == planted.cookie {
		s.Error("the planted ID was adopted")
	}
	s.refused("planted, after", planted)
	s.live("the victim's", &victim)
}

// logOutRace logs out amid 100 requests, each of which writes the session: none
// brings it back.
func logOutRace(s *site) {
	c := s.user(0)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			one := *c
			if i == 50 {
				s.want("log-out", one.do("POST", "/logout", ""), http.StatusNoContent)
			} else if a := one.do("GET", "/me", ""); a.status != http.StatusOK && a.status != http.StatusUnauthorized {
				s.Errorf("status %d, %v, %s", a.status, a.err, a.body)
			}
		})
	}
	all.Wait()
	s.refused("after the race", c)
}

// rotation replaces the key under traffic, and then removes one. Tokens live for
// an hour, so that what ends them is the key.
func rotation(s *site) {
	folder := token.Folder{Dir: s.keys, Alg: kindOf(s.arm).Server["alg"]}
	timing := token.Timing{Settle: time.Second, Life: 2 * time.Second}
	old := s.user(0)
	s.live("by the first key", old)
	var stopped atomic.Bool
	var traffic sync.WaitGroup
	traffic.Go(func() {
		for !stopped.Load() && !s.Failed() {
			s.live("a token just issued", s.user(1))
		}
	})
	kid, err := folder.Rotate(s.Context(), timing)
	if err != nil {
		s.Error(err)
	}
	rotated := time.Now()
	if a := old.do("GET", "/me", ""); a.status != http.StatusOK && time.Since(rotated) < timing.Life {
		s.Errorf("the old key ends before its last token: status %d", a.status)
	}
	s.refusedSoon("by the old key, after its end", old)
	stopped.Store(true)
	traffic.Wait()

	leaked := s.user(2)
	s.live("before the removal", leaked)
	if err := folder.Remove(kid); err != nil {
		s.Fatal(err)
	}
	s.eventually("refused by all after the removal", func() bool {
		for _, r := range s.replicas {
			direct := *leaked
			if direct.url = "http://" + r.Address; direct.do("GET", "/me", "").status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})
	s.refused("after the removal", leaked)
	s.live("by another key", s.user(0))
}

func sessionsPerUser(s *site) {
	oldest := s.user(0)
	var others []*client
	for range 3 {
		others = append(others, s.beside(oldest, oldest.user))
	}
	s.refused("the oldest of four", oldest)
	for _, c := range others {
		s.live("the others", c)
	}
}

func failedLogIns(s *site) {
	c := s.user(0)
	wrong := s.client(s.first)
	wrong.route = c.route
	for range 3 {
		s.want("a failure", wrong.loginBy("wrong"), http.StatusUnauthorized)
	}
	for range replicas {
		if a := wrong.login(); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			s.Errorf("after three failures: status %d, %s", a.status, a.body)
		}
	}
	s.user(1)
}

// storeDown takes each store away in turn: what needs it is 503, what does not
// goes on, and nobody who has logged in is told otherwise.
func storeDown(s *site) {
	c := s.user(0)
	if kindOf(s.arm).Store() == "redis" {
		s.db.redis.Stop()
		s.unavailable("me without Redis", c.do("GET", "/me", ""))
		s.unavailable("log-in without Redis", s.client(s.first).login())
		s.want("nobody", s.client(0).do("GET", "/me", ""), http.StatusUnauthorized)
		s.db.redis.Start() // empty
		s.eventually("log-in", func() bool { return c.login().status == http.StatusOK })
	}
	begin := time.Now()
	s.want("log-in", c.login(), http.StatusOK)
	s.db.postgres.Stop()
	if a := c.do("GET", "/me", ""); kindOf(s.arm).Store() == "postgres" {
		s.unavailable("me", a)
	} else if time.Since(begin) < shortLife-time.Second { // else it may be over
		s.want("me", a, http.StatusOK)
	}
	s.unavailable("log-in", s.client(s.first).login())
	s.want("nobody", s.client(0).do("GET", "/me", ""), http.StatusUnauthorized)
	s.db.postgres.Start()
	s.eventually("log-in", func() bool { return s.client(s.first).login().status == http.StatusOK })
}

func (s *site) unavailable(what string, a answer) {
	s.Helper()
	if s.want(what, a, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
		s.Errorf("%s: no Retry-After", what)
	}
}
