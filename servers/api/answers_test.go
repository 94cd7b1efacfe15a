package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/session"
)

// TestAnswersAreAsDocumented provokes every status of every route, in several
// arms, and holds each answer to openapi.yaml.
func TestAnswersAreAsDocumented(t *testing.T) {
	d := readDocument(t)
	seen := make(map[string]bool)
	ask := func(a *API, route, path, body string, headers ...string) *http.Response {
		t.Helper()
		method, _, _ := strings.Cut(route, " ")
		r := do(a, method, path, body, append(headers, "Content-Type", "application/json")...)
		if err := d.checkAnswer(route, r, bodyOf(t, r)); err != nil {
			t.Errorf("%s as %s, status %d: %v", route, path, r.StatusCode, err)
		}
		seen[route+" "+http.StatusText(r.StatusCode)] = true
		return r
	}
	a := newTestAPI(t, func(c *Config) {
		c.Accounts.Failures = account.NewMemoryFailures(account.Limit{Failures: 2, Window: time.Hour}, time.Now)
	})
	user := func() string { return "__Host-session=" + logIn(a).Cookies()[0].Value }
	root := func() string {
		r := do(a, "POST", "/login", `{"username":"root","password":"secret"}`, "Content-Type", "application/json")
		return "__Host-session=" + r.Cookies()[0].Value
	}
	down := newTestAPI(t, func(c *Config) { c.Auth = broken{} })
	rootDown := newTestAPI(t, func(c *Config) { c.Auth = brokenAdmin{} })
	drained := newTestAPI(t, nil)
	drained.Drain()
	verifying := newTestAPI(t, func(c *Config) { c.VerifyOnly, c.Accounts = true, nil })
	bare := newTestAPI(t, func(c *Config) { c.Auth, c.Transport.Carrier, c.Bound = auth.None{}, CarrierNone, time.Hour })

	for route, c := range map[string]struct{ path, good string }{
		"POST /login": {"/login", `{"username":"ada","password":"secret"}`}, "GET /me": {"/me", ""}, "POST /logout": {"/logout", ""},
		"POST /password": {"/password", `{"current_password":"secret","new_password":"a long new one"}`},
		"GET /sessions":  {"/sessions", ""}, "DELETE /sessions": {"/sessions", ""},
		"DELETE /sessions/{handle}":       {"/sessions/AAAAAAAAAAAAAAAA", ""},
		"POST /admin/users/{name}/logout": {"/admin/users/ada/logout", ""}, "POST /admin/logout-all": {"/admin/logout-all", ""},
		"PUT /admin/users/{name}/role":     {"/admin/users/ada/role", `{"role":"admin"}`},
		"PUT /admin/users/{name}/disabled": {"/admin/users/ada/disabled", `{"disabled":false}`},
		"GET /.well-known/jwks.json":       {"/.well-known/jwks.json", ""}, "GET /healthz": {"/healthz", ""}, "GET /readyz": {"/readyz", ""},
	} {
		isAdmin, method := strings.Contains(route, "/admin/"), strings.Split(route, " ")[0]
		as := user
		if isAdmin {
			as = root
		}
		ask(drained, route, c.path, c.good)
		ask(a, route, c.path, c.good)
		ask(a, route, c.path, c.good, "Cookie", "__Host-session=x", "Cookie", "__Host-session=y")
		ask(bare, route, c.path, c.good)
		ask(verifying, route, c.path, c.good)
		ask(rootDown, route, c.path, c.good, "Cookie", "__Host-session=x")
		ask(down, route, c.path, c.good, "Cookie", "__Host-session=x")
		if method != "GET" {
			ask(a, route, c.path, c.good, "Cookie", as(), "Sec-Fetch-Site", "cross-site")
		}
		if isAdmin {
			ask(a, route, c.path, c.good, "Cookie", user())
			ask(a, route, strings.Replace(c.path, "ada", "no%00body", 1), c.good, "Cookie", root())
		}
		if strings.Contains(c.good, "{") {
			cookie := as()
			for _, body := range []string{`{`, `{}`, strings.Repeat(" ", 5000), `{"role":"king"}`} {
				ask(a, route, c.path, body, "Cookie", cookie)
			}
			r := do(a, method, c.path, c.good, "Cookie", cookie, "Content-Type", "text/plain")
			if err := d.checkAnswer(route, r, bodyOf(t, r)); err != nil || r.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("%s as text: status %d, %v", route, r.StatusCode, err)
			}
			seen[route+" "+http.StatusText(r.StatusCode)] = true
		}
		if route == "POST /password" {
			continue // it changes what the others log in with
		}
		ask(a, route, c.path, c.good, "Cookie", as())
	}
	handle := newestHandle(t, a, user())
	ask(a, "DELETE /sessions/{handle}", "/sessions/"+handle, "", "Cookie", user())
	ask(a, "POST /password", "/password", `{"current_password":"wrong","new_password":"a long new one"}`, "Cookie", user())
	ask(a, "POST /password", "/password", `{"current_password":"secret","new_password":"a long new one"}`, "Cookie", user())
	for range 3 {
		ask(a, "POST /login", "/login", `{"username":"root","password":"wrong"}`)
	}
	cookie := "__Host-session=" + do(a, "POST", "/login", `{"username":"ada","password":"a long new one"}`,
		"Content-Type", "application/json").Cookies()[0].Value
	for range 2 {
		ask(a, "POST /password", "/password", `{"current_password":"wrong","new_password":"a long new one"}`, "Cookie", cookie)
	}
	checkCoverage(t, d, seen)
}

// checkCoverage wants every documented status seen. A change that collides
// with another's takes a race, which TestConflict in package account stands for.
func checkCoverage(t *testing.T, d document, seen map[string]bool) {
	t.Helper()
	var missed []string
	for route, answers := range d.routes() {
		for status := range answers {
			var n int
			for _, c := range status {
				n = n*10 + int(c-'0')
			}
			if !seen[route+" "+http.StatusText(n)] && n != http.StatusConflict {
				missed = append(missed, route+" "+status)
			}
		}
	}
	slices.Sort(missed)
	if len(missed) > 0 {
		t.Errorf("documented, but never seen: %s", strings.Join(missed, ", "))
	}
}

// brokenAdmin knows an administrator, and fails at everything that it is asked
// to do.
type brokenAdmin struct{ broken }

func (brokenAdmin) Authenticate(context.Context, auth.Credential) (auth.Principal, error) {
	return auth.Principal{Subject: "root", Role: account.RoleAdmin}, nil
}
func (brokenAdmin) List(context.Context, string, auth.Credential) ([]session.LogIn, error) {
	return nil, errors.New("store is down")
}
func (brokenAdmin) RevokeHandle(context.Context, string, string) (bool, error) {
	return false, errors.New("store is down")
}
func (brokenAdmin) RevokeSubject(context.Context, string, auth.Credential) error {
	return errors.New("store is down")
}
func (brokenAdmin) RevokeAll(context.Context) error { return errors.New("store is down") }

// newestHandle reads it from the list of sessions.
func newestHandle(t *testing.T, a *API, cookie string) string {
	t.Helper()
	var answer struct {
		Sessions []struct{ Handle string }
	}
	r := do(a, "GET", "/sessions", "", "Cookie", cookie)
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || len(answer.Sessions) == 0 {
		t.Fatalf("list of sessions: status %d, error %v", r.StatusCode, err)
	}
	return answer.Sessions[0].Handle
}
