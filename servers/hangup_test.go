package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store/storetest"
)

// gone is a client that has sent a request and ended its half of the connection.
// net/http takes that for a client that has left, and ends the request's
// context; but this one still hears the answer.
type gone struct {
	*testing.T
	conn *net.TCPConn
	in   *bufio.Reader
}

func (r *replica) hangUp(method, path, body string, h held) *gone {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	g := &gone{r.t, conn.(*net.TCPConn), bufio.NewReader(conn)}
	req, err := http.NewRequest(method, "http://"+r.Listen+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	h.dress(req)
	if err := req.Write(conn); err != nil {
		r.t.Fatal(err)
	}
	if err := g.conn.CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
	return g
}

// silent wants no answer for some time: a replica that gives up with its client
// answers at once.
func (g *gone) silent(what string, d time.Duration) {
	g.Helper()
	g.conn.SetReadDeadline(time.Now().Add(d))
	if b, err := g.in.Peek(12); !os.IsTimeout(err) {
		g.Fatalf("%s: %q, error %v; want no answer before the store gives one", what, b, err)
	}
}

// answer reads it to its end.
func (g *gone) answer() answer {
	g.Helper()
	g.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(g.in, nil)
	if err != nil {
		g.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.Fatal(err)
	}
	return answer{Response: res, body: string(body)}
}

// lock keeps everybody else from a table, in a mode of PostgreSQL's, until the
// returned function is called. That is as slow a store as a test needs.
func (s *site) lock(table, mode string) (release func()) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.postgres)
	if err == nil {
		_, err = conn.Exec(s.Context(), `BEGIN; LOCK TABLE `+table+` IN `+mode+` MODE`)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close(s.Context()) })
	return func() {
		s.Helper()
		if _, err := conn.Exec(s.Context(), `ROLLBACK`); err != nil {
			s.Fatal(err)
		}
	}
}

// waiting wants that the requests of clients that have left wait for a table.
func (s *site) waiting(what string, all ...*gone) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.postgres)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(s.Context())
	eventually(s.T, what+": it waits for the table", func() bool {
		var waiting int
		for _, g := range all {
			g.silent(what, time.Millisecond)
		}
		if err := conn.QueryRow(s.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			s.Fatal(err)
		}
		return waiting >= len(all)
	})
	all[0].silent(what, 150*time.Millisecond)
}

// leaves is a change whose client leaves while the store works on it.
type leaves struct {
	route, body string // with USER and HANDLE, of the session that it ends
	by          string // "admin"; "other", another session of the user's; "same", the one that it ends
	seen        func(s *site, user string)
}

const brandNew = "a brand new one"

var (
	changesOfAccounts = []leaves{
		{"POST /login", `{"username":"USER","password":"` + password + `"}`, "same", nil},
		{"POST /password", `{"current_password":"` + password + `","new_password":"` + brandNew + `"}`, "other", func(s *site, user string) {
			wantStatus(s.T, "the new password", s.loginAs(s.r[0], user, brandNew), http.StatusOK)
		}},
		{"PUT /admin/users/USER/role", `{"role":"admin"}`, "admin", func(s *site, user string) {
			wantMe(s.T, s.r[0].me(s.login(user)), user, "admin", "r1")
		}},
		{"PUT /admin/users/USER/disabled", `{"disabled":true}`, "admin", func(s *site, user string) {
			wantStatus(s.T, "a disabled user", s.r[0].login(user), http.StatusUnauthorized)
		}},
		{"POST /admin/users/USER/logout", "", "admin", nil},
	}
	changesOfSessions = append(changesOfAccounts[1:len(changesOfAccounts):len(changesOfAccounts)],
		leaves{"POST /logout", "", "same", nil},
		leaves{"DELETE /sessions", "", "other", nil},
		leaves{"DELETE /sessions/HANDLE", "", "other", nil},
		leaves{"POST /admin/logout-all", "", "admin", nil})
)

// TestG21_AChangeOutlastsItsClient hangs up while the accounts' table does not
// answer, and where sessions have a table, once the account is changed and the
// sessions are to end.
func TestG21_AChangeOutlastsItsClient(t *testing.T) {
	eachArm(t, "G21", func(s *site) {
		user := 0
		run := func(table, mode string, changes []leaves) {
			for _, c := range changes {
				user++
				s.leave(table, mode, c, fmt.Sprintf("user-%06d", user))
			}
		}
		run("accounts", "ACCESS EXCLUSIVE", changesOfAccounts)
		if s.keepsIn("postgres") {
			run("sessions", "SHARE", changesOfSessions)
		}
	})
}

// leave makes a change and leaves, and wants all that the change was to do.
func (s *site) leave(table, mode string, c leaves, user string) {
	s.Helper()
	old := s.login(user)
	by := old
	switch c.by {
	case "other":
		by = s.login(user)
	case "admin":
		by = s.login("admin")
	}
	handle := ""
	if strings.Contains(c.route, "HANDLE") {
		for _, l := range s.sessions(old) {
			if l.Current {
				handle = l.Handle
			}
		}
	}
	fill := strings.NewReplacer("USER", user, "HANDLE", handle)
	method, path, _ := strings.Cut(fill.Replace(c.route), " ")
	what := c.route + " while " + table + " wait"
	release := s.lock(table, mode)
	g := s.other().hangUp(method, path, fill.Replace(c.body), by)
	s.waiting(what, g)
	release()
	a := g.answer()
	if s.revokes() {
		s.wantEnded(what, a, old)
	} else if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusNoContent {
		s.Errorf("%s: status %d, %s", what, a.StatusCode, a.body)
	}
	if c.seen != nil {
		c.seen(s, user)
	}
}

// revokes says whether the arm can end a credential before its time.
func (s *site) revokes() bool { return s.r[0].config().RevocationBound == "0s" }

// TestG21_LogOutOutlastsItsClient logs out and closes the connection at once,
// again and again: where a log-out does not wait for its store, the moment
// cannot be chosen.
func TestG21_LogOutOutlastsItsClient(t *testing.T) {
	eachArm(t, "G21", func(s *site) {
		const n = 150
		all := s.r[0].mint(fmt.Sprintf(`{"users":%d,"first":100}`, n))
		for _, m := range all {
			s.other().hangUp("POST", "/logout", "", m.held()).conn.Close()
		}
		if !s.revokes() {
			return
		}
		eventually(s.T, "every session has ended", func() bool {
			for len(all) > 0 && s.r[0].me(all[0].held()).StatusCode == http.StatusUnauthorized {
				all = all[1:]
			}
			return len(all) == 0
		})
	})
}

// TestG21_EveryGuessCounts guesses a password and hangs up: whoever could do so
// without being counted could go on for ever.
func TestG21_EveryGuessCounts(t *testing.T) {
	eachArm(t, "G21", func(s *site) {
		for user, guess := range map[string]leaves{
			ada: {route: "POST /login", body: `{"username":"` + ada + `","password":"wrong"}`},
			bob: {route: "POST /password", body: `{"current_password":"wrong","new_password":"a brand new one"}`},
		} {
			h := s.login(user)
			method, path, _ := strings.Cut(guess.route, " ")
			release := s.lock("accounts", "ACCESS EXCLUSIVE")
			var guesses []*gone
			for range 3 {
				guesses = append(guesses, s.other().hangUp(method, path, guess.body, h))
			}
			s.waiting(guess.route, guesses...)
			release()
			for _, g := range guesses {
				// 503 is whoever left the queue for a hash: counted, and not judged.
				if a := g.answer(); !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable},
					a.StatusCode) {
					s.Errorf("%s: status %d, %s", guess.route, a.StatusCode, a.body)
				}
			}
			for _, r := range s.r {
				wantStatus(s.T, guess.route+" three times, then the right password", s.loginAs(r, user, password), http.StatusTooManyRequests)
			}
		}
	}, "-login-failures", "3")
}

// TestG21_AFailedChangeIsLogged: nobody else hears of it.
func TestG21_AFailedChangeIsLogged(t *testing.T) {
	server := storetest.Postgres(t)
	r := start(t, "-auth", "session", "-store", "postgres", "-postgres", server.URL)
	h := r.mustLogin(ada)
	server.Pause()
	defer server.Resume()
	for range 3 { // the same again in the same second is counted, and others are not kept from the log by it
		wantStatus(t, "ready", r.do("GET", r.Listen+"/readyz", "", held{}), http.StatusServiceUnavailable)
	}
	r.hangUp("POST", "/logout", "", h).conn.Close()
	eventually(t, "it is logged", func() bool { return strings.Contains(r.stderr.String(), `"msg":"log out"`) })
}

// TestG21_ADrainAwaitsChanges stops a replica whose client has left a change to
// it.
func TestG21_ADrainAwaitsChanges(t *testing.T) {
	s := newSite(t, "session/postgres", required, "-drain-idle", "10ms")
	h, admin := s.login(ada), s.login("admin")
	release := s.lock("sessions", "SHARE")
	g := s.r[0].hangUp("PUT", "/admin/users/"+ada+"/disabled", `{"disabled":true}`, admin)
	s.waiting("disable", g)
	g.conn.Close()
	s.r[0].stop()
	refused := func(address string) func() bool {
		return func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
			}
			return err != nil
		}
	}
	eventually(t, "the public listener is closed", refused(s.r[0].Listen))
	release()
	eventually(t, "the replica has stopped", refused(s.r[0].Private))
	wantStatus(t, "the disabled user's session", s.r[1].me(h), http.StatusUnauthorized)
	wantStatus(t, "the disabled user's log-in", s.r[1].login(ada), http.StatusUnauthorized)
}
