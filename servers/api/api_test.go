package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/session"
)

var cheap = account.Params{MemoryKiB: 64, Passes: 1, Threads: 1}

// newTestAPI returns an API over a session store in memory, with one account,
// ada; change may change its configuration first.
func newTestAPI(t *testing.T, change func(*Config)) *API {
	t.Helper()
	hasher := account.NewHasher(cheap, 2, 100)
	hash, err := hasher.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	accounts := account.NewMemory()
	accounts.Add(t.Context(),
		[]account.User{{Name: "ada", Role: account.RoleUser, Hash: hash}, {Name: "root", Role: account.RoleAdmin, Hash: hash}})
	checker := account.NewChecker(accounts, hasher)
	cfg := Config{
		Auth:      session.New(session.NewMemory(time.Now, 1000), session.Config{Lifetime: time.Hour}),
		Accounts:  checker,
		Transport: Transport{Carrier: CarrierCookie, Cookie: "session"},
		Replica:   "r1",
		Now:       time.Now,
		Metrics:   NewMetrics(),
		Log:       slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// do sends one request; headers are name, value, name, value.
func do(h http.Handler, method, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func logIn(h http.Handler, headers ...string) *http.Response {
	return do(h, "POST", "/login", `{"username":"ada","password":"secret"}`, append(headers, "Content-Type", "application/json")...)
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantProblem holds an error to its form.
func wantProblem(t *testing.T, r *http.Response, status int) {
	t.Helper()
	body := bodyOf(t, r)
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || r.StatusCode != status || p.Status != status || p.Detail == "" {
		t.Errorf("status %d, body %s; want a problem of status %d", r.StatusCode, body, status)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := r.Header.Get("Retry-After"); (got != "") != (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		t.Errorf("status %d with Retry-After %q", status, got)
	}
	wantNoStore(t, r)
}

func wantNoStore(t *testing.T, r *http.Response) {
	t.Helper()
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
}

func TestSessionCookie(t *testing.T) {
	a := newTestAPI(t, nil)
	r := logIn(a)
	cookie := r.Cookies()[0]
	if r.StatusCode != http.StatusOK || cookie.Name != "__Host-session" || !cookie.Secure || !cookie.HttpOnly ||
		cookie.Path != "/" || cookie.Domain != "" || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 3600 {
		t.Errorf("log-in: status %d, cookie %v", r.StatusCode, cookie)
	}
	if got, want := bodyOf(t, r), `{"token_type":"Cookie","expires_in":3600}`; got != want {
		t.Errorf("log-in: %s, want %s", got, want)
	}
	wantNoStore(t, r)

	r = do(a, "GET", "/me", "", "Cookie", "route=r2; __Host-session="+cookie.Value)
	if got, want := bodyOf(t, r), `{"sub":"ada","role":"user","replica":"r1"}`; got != want || r.StatusCode != http.StatusOK {
		t.Errorf("me: status %d, %s; want %s", r.StatusCode, got, want)
	}
	if r.Header.Get("X-Replica") != "r1" || r.Header.Get("Content-Type") != "application/json" || r.ContentLength <= 0 {
		t.Errorf("me: headers %v", r.Header)
	}
	wantNoStore(t, r)

	for range 2 { // logging out twice is fine
		r = do(a, "POST", "/logout", "", "Cookie", "__Host-session="+cookie.Value)
		if cleared := r.Cookies(); r.StatusCode != http.StatusNoContent || len(cleared) != 1 || cleared[0].MaxAge >= 0 ||
			r.Header.Get("X-Revocation-Bound") != "" {
			t.Errorf("log-out: status %d, headers %v", r.StatusCode, r.Header)
		}
	}
	wantProblem(t, do(a, "GET", "/me", "", "Cookie", "__Host-session="+cookie.Value), http.StatusUnauthorized)
}

func TestInsecureCookie(t *testing.T) {
	a := newTestAPI(t, func(c *Config) { c.Transport.Insecure = true })
	cookie := logIn(a).Cookies()[0]
	if cookie.Name != "session" || cookie.Secure || !cookie.HttpOnly {
		t.Errorf("cookie %v", cookie)
	}
	if r := do(a, "GET", "/me", "", "Cookie", "session="+cookie.Value); r.StatusCode != http.StatusOK {
		t.Errorf("me: status %d", r.StatusCode)
	}
}

func TestHeaderCarrier(t *testing.T) {
	a := newTestAPI(t, func(c *Config) { c.Transport.Carrier = CarrierHeader })
	r := logIn(a)
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || answer.AccessToken == "" || answer.TokenType != "Bearer" ||
		answer.ExpiresIn != 3600 {
		t.Errorf("log-in: %+v, error %v", answer, err)
	}
	if len(r.Cookies()) != 0 {
		t.Errorf("log-in sets cookies: %v", r.Cookies())
	}
	if r := do(a, "GET", "/me", "", "Authorization", "bearer "+answer.AccessToken); r.StatusCode != http.StatusOK {
		t.Errorf("me: status %d", r.StatusCode)
	}
	r = do(a, "GET", "/me", "")
	if r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("401 without a challenge: %v", r.Header)
	}
	wantProblem(t, r, http.StatusUnauthorized)
}

// TestOnlyTheCarrierCounts presents a good credential in every place but the
// right one, and in two at once.
func TestOnlyTheCarrierCounts(t *testing.T) {
	a := newTestAPI(t, nil)
	c := logIn(a).Cookies()[0].Value
	for _, headers := range [][]string{
		{},
		{"Authorization", "Bearer " + c},
		{"Authorization", "Basic " + c},
		{"Cookie", "session=" + c},
		{"Cookie", "__host-session=" + c},
		{"Cookie", "x=__Host-session=" + c},
	} {
		wantProblem(t, do(a, "GET", "/me?access_token="+c+"&session="+c+"&__Host-session="+c, "", headers...), http.StatusUnauthorized)
	}
	for _, headers := range [][]string{
		{"Authorization", "Bearer " + c, "Cookie", "__Host-session=" + c},
		{"Cookie", "__Host-session=" + c + "; __Host-session=" + c},
		{"Cookie", "__Host-session=" + c, "Cookie", "__Host-session=other"},
		{"Authorization", "Bearer " + c, "Authorization", "Bearer " + c},
	} {
		wantProblem(t, do(a, "GET", "/me", "", headers...), http.StatusBadRequest)
		wantProblem(t, do(a, "POST", "/logout", "", headers...), http.StatusBadRequest)
		wantProblem(t, logIn(a, headers...), http.StatusBadRequest)
	}
	if r := do(a, "GET", "/me", "", "Cookie", "__Host-session="+c); r.StatusCode != http.StatusOK {
		t.Errorf("the session did not survive: status %d", r.StatusCode)
	}
}

func TestLogInEndsThePresentedCredential(t *testing.T) {
	a := newTestAPI(t, nil)
	old := logIn(a).Cookies()[0].Value
	fresh := logIn(a, "Cookie", "__Host-session="+old).Cookies()[0].Value
	if old == fresh {
		t.Error("the presented ID was adopted")
	}
	wantProblem(t, do(a, "GET", "/me", "", "Cookie", "__Host-session="+old), http.StatusUnauthorized)
	if r := do(a, "GET", "/me", "", "Cookie", "__Host-session="+fresh); r.StatusCode != http.StatusOK {
		t.Errorf("new credential: status %d", r.StatusCode)
	}
}

func TestBadLogIns(t *testing.T) {
	a := newTestAPI(t, nil)
	const jsonType = "application/json"
	for _, c := range []struct {
		body, media string
		status      int
	}{
		{`{"username":"ada","password":"wrong"}`, jsonType, 401},
		{`{"username":"eve","password":"secret"}`, jsonType, 401},
		{`{"username":"ada","password":"secret"}`, "text/plain", 415},
		{`{"username":"ada","password":"secret"}`, "", 415},
		{``, jsonType, 400},
		{`null`, jsonType, 400},
		{`["ada","secret"]`, jsonType, 400},
		{`{"username":"ada","password":"secret"`, jsonType, 400},
		{`{"username":"ada","password":"secret"} {}`, jsonType, 400},
		{`{"username":"ada","password":"secret","admin":true}`, jsonType, 400},
		{`{"Username":"ada","password":"secret"}`, jsonType, 400},
		{`{"username":"eve","username":"ada","password":"secret"}`, jsonType, 400},
		{`{"username":"ada","password":7}`, jsonType, 400},
		{`{"username":"ada","password":{"a":"b"}}`, jsonType, 400},
		{`{"username":"ada","password":null}`, jsonType, 400},
		{`{"username":"ada"}`, jsonType, 422},
		{`{}`, jsonType, 422},
		{`{"username":"a\u0000da","password":"secret"}`, jsonType, 422},
		{`{"username":"ada","password":"` + strings.Repeat("p", 129) + `"}`, jsonType, 422},
		{`{"username":"ada","password":"` + strings.Repeat("p", 5000) + `"}`, jsonType, 413},
		{strings.Repeat(" ", 5000) + `{"username":"ada","password":"secret"}`, jsonType, 413},
	} {
		r := do(a, "POST", "/login", c.body, "Content-Type", c.media)
		if r.StatusCode != c.status {
			t.Errorf("log-in with %.60q as %q: status %d, want %d", c.body, c.media, r.StatusCode, c.status)
		}
		wantProblem(t, r, c.status)
	}
	unknown := bodyOf(t, do(a, "POST", "/login", `{"username":"eve","password":"secret"}`, "Content-Type", jsonType))
	wrong := bodyOf(t, do(a, "POST", "/login", `{"username":"ada","password":"wrong"}`, "Content-Type", jsonType))
	if unknown != wrong {
		t.Errorf("an unknown user is told from a wrong password:\n%s\n%s", unknown, wrong)
	}
}

func TestCrossSiteChangesAreRefused(t *testing.T) {
	a := newTestAPI(t, nil)
	c := "__Host-session=" + logIn(a).Cookies()[0].Value
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
	} {
		wantProblem(t, logIn(a, headers...), http.StatusForbidden)
		wantProblem(t, do(a, "POST", "/logout", "", append(headers, "Cookie", c)...), http.StatusForbidden)
	}
	if r := do(a, "GET", "/me", "", "Cookie", c); r.StatusCode != http.StatusOK {
		t.Errorf("the session did not survive: status %d", r.StatusCode)
	}
	if r := logIn(a, "Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"); r.StatusCode != http.StatusOK {
		t.Errorf("same origin: status %d", r.StatusCode)
	}
}

// TestPrivateAddress asks as containers do: the listener is everywhere, and the
// connection came to one address.
func TestPrivateAddress(t *testing.T) {
	h := NewPrivate(PrivateConfig{Metrics: NewMetrics()})
	for local, want := range map[string]int{"192.0.2.7:9090": http.StatusOK, "[::ffff:192.0.2.7]:9090": http.StatusOK,
		"192.0.2.8:9090": http.StatusForbidden} {
		r := httptest.NewRequest("GET", "http://192.0.2.7:9090/metrics", nil)
		addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr)))
		if w.Code != want {
			t.Errorf("192.0.2.7 at %s: status %d, want %d", local, w.Code, want)
		}
	}
}

func TestUnknownRoutes(t *testing.T) {
	a := newTestAPI(t, nil)
	wantProblem(t, do(a, "GET", "/nowhere", ""), http.StatusNotFound)
	wantProblem(t, do(a, "GET", "/mint", ""), http.StatusNotFound)
	wantProblem(t, do(a, "GET", "/metrics", ""), http.StatusNotFound)
	wantProblem(t, do(a, "DELETE", "/me", ""), http.StatusMethodNotAllowed)
}

func TestReadiness(t *testing.T) {
	down := errors.New("down: user=postgres password=hunter2")
	var err error
	a := newTestAPI(t, func(c *Config) {
		c.Checks = []Check{{Name: "redis", Ready: func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("a check without a deadline")
			}
			return err
		}}}
	})
	if r := do(a, "GET", "/readyz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("ready: status %d", r.StatusCode)
	}
	err = down
	r := do(a, "GET", "/readyz", "")
	wantProblem(t, r, http.StatusServiceUnavailable)
	if r := do(a, "GET", "/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("healthy: status %d", r.StatusCode)
	}
	err = nil
	a.Drain()
	wantProblem(t, do(a, "GET", "/readyz", ""), http.StatusServiceUnavailable)
	if r := do(a, "GET", "/me", ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a draining replica still answers: status %d", r.StatusCode)
	}
}

// broken is an authenticator whose store is down.
type broken struct{}

func (broken) Issue(context.Context, auth.Principal) (auth.Credential, time.Time, error) {
	return "", time.Time{}, errors.New("store is down")
}
func (broken) Authenticate(context.Context, auth.Credential) (auth.Principal, error) {
	return auth.Principal{}, errors.New("store is down")
}
func (broken) Revoke(context.Context, auth.Credential) error { return errors.New("store is down") }

func TestStoreDownIsNever401(t *testing.T) {
	a := newTestAPI(t, func(c *Config) { c.Auth = broken{} })
	for _, r := range []*http.Response{
		do(a, "GET", "/me", "", "Cookie", "__Host-session=x"),
		do(a, "POST", "/logout", "", "Cookie", "__Host-session=x"),
		logIn(a),
	} {
		wantProblem(t, r, http.StatusServiceUnavailable)
		if len(r.Cookies()) != 0 {
			t.Errorf("a failed request changes cookies: %v", r.Cookies())
		}
	}
	if r := do(a, "POST", "/logout", ""); r.StatusCode != http.StatusNoContent {
		t.Errorf("log-out with nothing to end: status %d", r.StatusCode)
	}
}

func TestAppendJSONString(t *testing.T) {
	for _, s := range []string{"", "user-000001", `a"b\c`, "tab\t\x00", "Zoë 😀", "<script>", "\xff"} {
		var back string
		if err := json.Unmarshal(appendJSONString(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q became %s: error %v", s, appendJSONString(nil, s), err)
		}
	}
}
