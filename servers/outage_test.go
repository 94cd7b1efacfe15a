package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/store/storetest"
)

// patience is how long an answer may take while a store is down: far above
// the deadline of 250 ms, since the machine may be busy, and far below what
// clients without one wait for.
const patience = 3 * time.Second

// TestOutage kills and freezes each store under a replica.
func TestOutage(t *testing.T) {
	for store, in := range map[string]struct {
		open    func(testing.TB) *storetest.Server
		flag    string
		forgets bool // a crash empties it
	}{
		"redis":             {storetest.Redis, "-redis", true},
		"postgres":          {storetest.Postgres, "-postgres", false},
		"postgres-unlogged": {storetest.Postgres, "-postgres", true},
	} {
		t.Run(store, func(t *testing.T) {
			server := in.open(t)
			r := start(t, "-auth", "session", "-store", store, in.flag, server.URL)
			h := r.mustLogin("user-000001")
			for fault, end := range map[string]func(){"frozen": server.Resume, "killed": server.Start} {
				if fault == "frozen" {
					server.Pause()
				} else {
					server.Stop()
				}
				checkOutage(t, fault, r, h)
				end()
				eventually(t, "ready again after "+fault, func() bool {
					return r.do("GET", r.Listen+"/readyz", "", held{}).StatusCode == http.StatusOK
				})
				if in.forgets && fault == "killed" {
					wantStatus(t, "a store that came back empty", r.me(h), http.StatusUnauthorized)
					h = r.mustLogin("user-000001")
				}
				wantMe(t, r.me(h), "user-000001", "user", "r1")
			}
		})
	}
}

func checkOutage(t *testing.T, fault string, r *replica, h held) {
	t.Helper()
	for what, a := range map[string]answer{"me": r.me(h), "login": r.login("user-000001"), "logout": r.logout(h),
		"readyz": r.do("GET", r.Listen+"/readyz", "", held{})} {
		wantStatus(t, fault+": "+what, a, http.StatusServiceUnavailable)
		if a.Header.Get("Retry-After") == "" || a.took > patience || len(a.Cookies()) != 0 {
			t.Errorf("%s: %s after %v: headers %v; want Retry-After, no cookie, within %v", fault, what, a.took, a.Header, patience)
		}
	}
	wantStatus(t, fault+": no credential", r.me(held{}), http.StatusUnauthorized)
	wantStatus(t, fault+": malformed credential", r.me(held{cookie: "__Host-session=x"}), http.StatusUnauthorized)
	wantStatus(t, fault+": healthz", r.do("GET", r.Listen+"/healthz", "", held{}), http.StatusOK)
}

// TestPostgresRestart breaks every pooled connection at once: the requests
// that get one try again and nobody notices.
func TestPostgresRestart(t *testing.T) {
	server := storetest.Postgres(t)
	r := start(t, "-auth", "session", "-store", "postgres", "-postgres", server.URL, "-pool", "8", "-store-timeout", "10s")
	h := r.mustLogin("user-000001")
	for range 3 {
		both(r, h, 32) // opens the pool
		server.Stop()
		server.Start()
		for _, a := range both(r, h, 32) {
			wantMe(t, a, "user-000001", "user", "r1")
		}
	}
}

// both sends n requests at once.
func both(r *replica, h held, n int) []answer {
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = r.me(h) })
	}
	all.Wait()
	return answers
}

// TestTokensOutliveTheDatabase: only log-in needs it.
func TestTokensOutliveTheDatabase(t *testing.T) {
	server := storetest.Postgres(t)
	r := start(t, "-auth", "jwt", "-keys", t.TempDir(), "-accounts", "postgres", "-postgres", server.URL)
	h := r.mustLogin("user-000001")
	server.Stop()
	wantMe(t, r.me(h), "user-000001", "user", "r1")
	wantStatus(t, "log-in", r.login("user-000001"), http.StatusServiceUnavailable)
}

// TestDrain stops a replica in the middle of a log-in: new connections are
// refused, and the log-in is answered all the same.
func TestDrain(t *testing.T) {
	r := start(t, "-auth", "session", "-drain", "30s")
	finish := beginLogIn(t, r)
	r.stop()
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", r.Listen)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if res := finish(); res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		t.Errorf("log-in in flight: status %d, cookies %v, %s", res.StatusCode, res.Cookies(), res.body)
	}
}

// beginLogIn starts a log-in and returns when its handler waits for the body;
// finish sends that and returns the answer.
func beginLogIn(t *testing.T, r *replica) (finish func() answer) {
	t.Helper()
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	body := `{"username":"user-000001","password":"` + account.SeedPassword + `"}`
	fmt.Fprintf(conn,
		"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	in := bufio.NewReader(conn)
	// The server says this when the handler reads the body: it is in flight.
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("first line %q, error %v", line, err)
	}
	in.ReadString('\n')
	return func() answer {
		t.Helper()
		io.WriteString(conn, body)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("log-in in flight: %v", err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("log-in in flight: %v", err)
		}
		return answer{Response: res, body: string(text)}
	}
}
