package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
	"authbench/servers/matrix"
)

// shortLife is the lifetime where a check waits for a bound, life where it waits
// for the end of a session that the server could also end otherwise.
const (
	shortLife = 3 * time.Second
	life      = 5 * time.Second
)

// check is a line of the matrix for which it matters that there are several
// replicas, and a proxy before them.
type check struct {
	id  string
	run func(*site)
}

func checks() []check {
	return []check{
		{"G04", logInEndsThePresented}, {"G05", logOut}, {"G06", logOutTwice}, {"G07", administratorEnds},
		{"G08", roleChange}, {"G09", disabledUser}, {"G10", passwordChange}, {"G11", idleTimeout}, {"G12", absoluteTimeout},
		{"G13", credentialInTheURL}, {"G16", crossSite}, {"G17", twoCredentials},
		{"S02", ownIDs}, {"S04", logOutRace}, {"S06", logOutRace}, {"J12", rotation},
		{"L07", sessionsPerUser}, {"L10", failedLogIns},
		{"G20", storeDown}, // the last, since it takes the stores from everybody
	}
}

// TestThroughNginx runs each check through nginx with three replicas, in every
// arm in which SECURITY.md says that it holds. With a memory store nginx is
// sticky, since no other replica knows a session.
func TestThroughNginx(t *testing.T) {
	db := openStores(t)
	rows, err := matrix.Read("../../servers/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	cells := make(map[string]matrix.Row)
	for _, r := range rows {
		cells[r.ID] = r
	}
	for i, arm := range matrix.Arms() {
		t.Run(arm, func(t *testing.T) {
			sites := db.sites(t, arm, fmt.Sprint("arm_", i), cells["G05"].Cells[arm] == matrix.Bounded)
			all := checks()
			last := len(all) - 1
			run := func(t *testing.T, n int) {
				c := all[n]
				if !cells[c.id].Holds(arm) {
					return
				}
				t.Run(c.id, func(t *testing.T) {
					s := *sites(c.id)
					s.T, s.arm, s.cell, s.first, s.db = t, arm, cells[c.id].Cells[arm], 3*n, db
					if s.cell == matrix.Bounded || c.id == "G11" || c.id == "G12" || c.id == "J12" {
						t.Parallel() // it waits most of the time
					}
					c.run(&s)
				})
			}
			t.Run("all", func(t *testing.T) {
				for n := range last {
					run(t, n)
				}
			})
			run(t, last)
		})
	}
}

// TestTheBenchHasEveryArm holds the bench's catalogue to the matrix, which the
// servers' tests hold to the servers' own list: it has the same arms, and started
// by its flags each is the one of that name.
func TestTheBenchHasEveryArm(t *testing.T) {
	var names []string
	for _, k := range arm.All() {
		if k.Name != trial.Control {
			names = append(names, string(k.Name))
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(matrix.Arms()))) {
		t.Errorf("bench/arm has %v, servers/SECURITY.md %v", names, matrix.Arms())
	}
	skipShort(t)
	db := openStores(t)
	for _, name := range names {
		if got := db.started(t, name); got != name {
			t.Errorf("the flags that bench/arm has for %s start %s", name, got)
		}
	}
}

// started is the arm that a replica calls itself which the bench's flags start.
func (db stores) started(t *testing.T, name string) string {
	t.Helper()
	r := &replica{Name: "r1", args: append(db.flags(name, t.TempDir()), "-listen", "127.0.0.1:0")}
	if err := r.start(); err != nil {
		t.Error(err)
		return ""
	}
	defer func() { r.cmd.Process.Kill(); <-r.exited }()
	res, err := http.Get("http://" + r.private + "/config")
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	var says struct{ Arm string }
	if err := json.NewDecoder(res.Body).Decode(&says); err != nil {
		t.Error(err)
	}
	return says.Arm
}

// sites starts what the checks of an arm need, and returns the one for a check.
func (db stores) sites(t *testing.T, name, database string, clientSide bool) func(id string) *site {
	k := kindOf(name)
	sticky := k.State == arm.Replica
	accounts := []string{"-accounts", "postgres", "-postgres", db.postgres.Database(database)}
	flags := append(db.flags(name, t.TempDir()), accounts...)
	if clientSide {
		flags = append(flags, "-lifetime", shortLife.String())
	} else {
		flags = append(flags, "-touch", "always", "-sessions-per-user", "3")
	}
	common := newSite(t, sticky, append(flags, "-login-failures", "3")...)
	timed, keys := common, common
	if !clientSide {
		timed = newSite(t, sticky, append(flags, "-idle-timeout", "1500ms", "-lifetime", life.String())...)
	}
	if k.Family == arm.Token {
		folder := t.TempDir()
		keys = newSite(t, sticky, append(db.flags(name, folder), "-keys-poll", "20ms")...)
		keys.keys = folder
	}
	return func(id string) *site {
		switch id {
		case "G11", "G12":
			return timed
		case "J12":
			return keys
		}
		return common
	}
}

// user logs in one of the check's own users.
func (s *site) user(n int) *client {
	s.Helper()
	c := s.client(s.first + n)
	s.want("log-in", c.login(), http.StatusOK)
	return c
}

// beside logs in another client at the replica that c goes to, where it goes to
// only one.
func (s *site) beside(c *client, user string) *client {
	s.Helper()
	other := s.client(0)
	other.user, other.route = user, c.route
	s.want("log-in", other.login(), http.StatusOK)
	return other
}

func (s *site) want(what string, a answer, status int) {
	s.Helper()
	if a.err != nil || a.status != status {
		s.Errorf("%s: status %d, %v, %s; want %d", what, a.status, a.err, a.body, status)
	}
}

// live wants a credential good on every replica that could know it.
func (s *site) live(what string, c *client) {
	s.Helper()
	answered := make(map[string]bool)
	all := replicas
	if s.sticky {
		all = 1
	}
	for range 30 * replicas {
		a := c.do("GET", "/me", "")
		s.want(what, a, http.StatusOK)
		if answered[a.replica] = true; s.Failed() || len(answered) == all {
			return
		}
	}
	s.Errorf("%s: answered by %v, want all %d", what, answered, all)
}

// refused wants a credential refused through nginx and by every replica.
func (s *site) refused(what string, c *client) {
	s.Helper()
	for range replicas {
		s.want(what, c.do("GET", "/me", ""), http.StatusUnauthorized)
	}
	for _, r := range s.replicas {
		direct := *c
		direct.url = "http://" + r.Address
		s.want(what+", at "+r.Name, direct.do("GET", "/me", ""), http.StatusUnauthorized)
	}
}

// ended wants a credential refused everywhere after the answer a: at once, or
// within the bound that it declares.
func (s *site) ended(what string, a answer, c *client) {
	s.Helper()
	if a.err != nil || a.status != http.StatusNoContent && a.status != http.StatusOK {
		s.Fatalf("%s: status %d, %v, %s", what, a.status, a.err, a.body)
	}
	bound := a.header.Get("X-Revocation-Bound")
	if s.cell == matrix.Bounded {
		if n, err := strconv.Atoi(bound); a.status == http.StatusNoContent && (err != nil || n < 0 || n > int(shortLife/time.Second)) {
			s.Errorf("%s: X-Revocation-Bound %q, want seconds up to %v", what, bound, shortLife)
		}
		s.eventually(what+": refused after the bound", func() bool { return c.do("GET", "/me", "").status == http.StatusUnauthorized })
	} else if bound != "" {
		s.Errorf("%s: X-Revocation-Bound %q where credentials end at once", what, bound)
	}
	s.refused(what, c)
}

// eventually polls for a condition that must come true.
func (s *site) eventually(what string, ok func() bool) {
	s.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			s.Fatalf("not within 20 s: %s", what)
		}
	}
}
