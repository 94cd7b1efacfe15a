package e2e

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/arm"
	"authbench/servers/account"
	"authbench/servers/matrix"
)

// rounds is how often all three replicas are restarted, one after another.
const rounds = 10

// TestRollingRestart restarts every replica ten times under load by GET and
// POST: no answer is a 5xx and no connection breaks, in any arm. What a memory
// store loses is counted; no other loses any.
func TestRollingRestart(t *testing.T) {
	db := openStores(t)
	for _, arm := range matrix.Arms() {
		t.Run(arm, func(t *testing.T) { rollingRestart(newSite(t, false, db.flags(arm, t.TempDir())...), arm) })
	}
}

// tally counts what clients see.
type tally struct{ requests, posts, passwords, lost atomic.Int64 }

func rollingRestart(s *site, name string) {
	var n tally
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 6 {
		load.Go(func() { s.browse(i, &n, stop) })
		load.Go(func() { s.comeAndGo(50+i, &n, stop) })
		load.Go(func() { s.changePassword(80+i, &n, stop) })
	}
	for range rounds {
		for _, r := range s.replicas {
			if err := r.restart(); err != nil {
				s.Error(err)
			}
			s.settle(&n)
		}
	}
	close(stop)
	load.Wait()
	s.Logf("%d requests, %d of them POST, %d POST /password, over %d restarts; %d sessions lost",
		n.requests.Load(), n.posts.Load(), n.passwords.Load(), rounds*replicas, n.lost.Load())
	if n.requests.Load() < 1000 || n.posts.Load() < 200 || n.passwords.Load() < 100 {
		s.Errorf("that is no load")
	}
	if n.lost.Load() > 0 && kindOf(name).State != arm.Replica {
		s.Errorf("%d sessions lost", n.lost.Load())
	}
}

// settle waits until the load has met the replica that came back, as a real
// rolling restart waits for readiness.
func (s *site) settle(n *tally) {
	until := n.requests.Load() + 50
	for deadline := time.Now().Add(20 * time.Second); n.requests.Load() < until; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("the load has stopped")
		}
	}
}

// pace bounds the load of one client, so that the test finds its way on a
// small machine.
const pace = 4 * time.Millisecond

// every calls f at a pace until stop is closed.
func every(d time.Duration, stop <-chan struct{}, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			f()
		}
	}
}

// seen counts an answer and fails the test if it is what a restart must not show.
func (s *site) seen(what string, a answer, n *tally) {
	n.requests.Add(1)
	if strings.HasPrefix(what, "POST") {
		n.posts.Add(1)
	}
	if a.err != nil || a.status >= 500 {
		s.Errorf("%s: status %d, %v, %s", what, a.status, a.err, a.body)
	}
}

// browse asks who it is, again and again, and logs in again when it is not known.
func (s *site) browse(user int, n *tally, stop <-chan struct{}) {
	c := s.client(user)
	s.seen("POST /login", c.login(), n)
	every(pace, stop, func() {
		a := c.do("GET", "/me", "")
		s.seen("GET /me", a, n)
		if a.status == http.StatusUnauthorized {
			n.lost.Add(1)
			c.authHeader, c.cookie = "", ""
			s.seen("POST /login", c.login(), n)
		} else if a.status == http.StatusOK && !strings.Contains(a.body, c.user) {
			s.Errorf("%s is answered %s", c.user, a.body)
		}
	})
}

// comeAndGo logs in and out.
func (s *site) comeAndGo(user int, n *tally, stop <-chan struct{}) {
	c := s.client(user)
	every(5*pace, stop, func() {
		a := c.login()
		s.seen("POST /login", a, n)
		if a.status != http.StatusOK {
			s.Errorf("log-in: status %d, %s", a.status, a.body)
		}
		s.seen("POST /logout", c.do("POST", "/logout", ""), n)
		c.authHeader, c.cookie = "", ""
	})
}

// changePassword sends what nginx must not send twice. Each replica has accounts
// of its own here, so the new password is the old one: the same on all.
func (s *site) changePassword(user int, n *tally, stop <-chan struct{}) {
	c := s.client(user)
	s.seen("POST /login", c.login(), n)
	every(pace, stop, func() {
		a := c.do("POST", "/password", `{"current_password":"`+account.SeedPassword+`","new_password":"`+account.SeedPassword+`"}`)
		s.seen("POST /password", a, n)
		n.passwords.Add(1)
		if a.status != http.StatusNoContent {
			c.authHeader, c.cookie = "", ""
			s.seen("POST /login", c.login(), n)
		}
	})
}
