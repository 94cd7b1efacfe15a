package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"authbench/bench/trial"
)

// Sites of others set cookies as they like. What a browser would send is by RFC 6265.
func TestCookiesAreKeptAsABrowserDoes(t *testing.T) {
	type answers = [][]string // each with its Set-Cookie lines
	cases := []struct {
		From, To string
		Set      answers
		want     string
		why      string // of a cookie of the last answer that is not sent
	}{
		{"http://a.example/login", "http://a.example/me", answers{{"x=1", "y=2; HttpOnly; SameSite=Strict"}}, "x=1; y=2", ""},
		{"http://a.example/login", "http://a.example/me", answers{{`x="quoted"; Path=/`, `y={"a":1}`, "z=a=b=="}},
			`x="quoted"; y={"a":1}; z=a=b==`, ""},
		{"http://a.example/login", "http://a.example/me",
			answers{{"x=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "y=2; expires=Wed, 09-Jun-2100 10:18:14 GMT"}}, "x=1; y=2", ""},
		{"http://a.example/login", "http://a.example/me", answers{{"x=1"}, {"x=2"}}, "x=2", ""},
		{"http://a.example/login", "http://a.example/me",
			answers{{"x=1", "y=2", "z=3"}, {"x=; Max-Age=0", "y=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "z=; Expires=Thu Jan  1 00:00:00 1970"}},
			"", "x: it has expired, or is deleted"},
		{"http://a.example/login", "http://a.example/me",
			answers{{"x=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "y=2; Max-Age=-1", "z=3; Max-Age=soon"}}, "x=1; z=3",
			"y: it has expired"},
		{"http://a.example/login", "http://a.example/me", answers{{"x=1", "x=2; Path=/me"}, {"x=; Path=/; Max-Age=0"}}, "x=2",
			"x: it has expired, or is deleted"},
		{"http://a.example/login", "http://a.example/me", answers{{"short=1", "long=2; Path=/me"}}, "long=2; short=1", ""},
		{"http://a.example/api/login", "http://a.example/me", answers{{"x=1"}}, "", "x: it is for the path /api alone"},
		{"http://a.example/api/login", "http://a.example/api/me", answers{{"x=1", "y=2; Path=/ap", "z=3; Path=/login"}}, "x=1",
			"y: it is for the path /ap alone"},
		{"http://a.example/login", "http://a.example/me", answers{{"x=1; Secure"}}, "", "x: it is Secure"},
		{"https://a.example/login", "https://a.example/me", answers{{"x=1; Secure", "__Host-y=2; Secure; Path=/", "__Secure-z=3; Secure"}},
			"x=1; __Host-y=2; __Secure-z=3", ""},
		{"https://a.example/login", "https://a.example/me", answers{{"__Host-y=2; Secure; Path=/me", "__Secure-z=3"}}, "",
			"__Host-y: its name wants Path=/ and no Domain; __Secure-z: its name wants Secure"},
		{"http://a.example/login", "http://b.a.example:81/me", answers{{"x=1; Domain=.A.example", "y=2"}}, "x=1", "y: it is for a.example alone"},
		{"http://b.a.example/login", "http://a.example/me", answers{{"x=1; Domain=a.example", "y=2; Domain=c.example", "z=3"}}, "x=1",
			"y: it is for c.example, which b.a.example may not set"},
		{"http://a.example/login", "http://another.example/me", answers{{"x=1; Domain=a.example"}}, "", "x: it is for a.example alone"},
		{"http://127.0.0.1:8080/login", "http://127.0.0.1:8081/me", answers{{"x=1", "y=2; Domain=127.0.0.1", "z=3; Domain=0.0.1"}}, "x=1; y=2",
			"z: it is for 0.0.1, which 127.0.0.1 may not set"},
		{"http://a.example/login", "http://a.example/me", answers{{"=nameless"}, {"no pair"}, {"x=1"}}, "x=1", ""},
	}
	table, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/k6/cookies.js")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), k6(t).Binary, "run", "--quiet", "--no-usage-report", "--address=", "--log-format=raw",
		"-e", "CASES="+string(table), script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var sent []struct{ Header, Why string }
	for line := range strings.Lines(string(out)) {
		var s struct{ Header, Why string }
		if json.Unmarshal([]byte(line), &s) == nil {
			sent = append(sent, s)
		}
	}
	if len(sent) != len(cases) {
		t.Fatalf("%d of %d cases were answered:\n%s", len(sent), len(cases), out)
	}
	for i, c := range cases {
		if got := sent[i]; got.Header != c.want || !strings.HasPrefix(got.Why, c.why) || c.why == "" && got.Why != "" {
			t.Errorf("%v from %s to %s: sent %q, because %q; want %q, because %q", c.Set, c.From, c.To, got.Header, got.Why, c.want, c.why)
		}
	}
}

// Over the wire: what the scripts send is what their cookies say, once each.
func TestScriptsSendCookiesOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case "/login":
			w.Header()["Set-Cookie"] = []string{`sid="ab"; Path=/`, "part=1; Path=/", "elsewhere=1; Path=/admin", "gone=1; Max-Age=0"}
			fmt.Fprint(w, `{}`)
		case "/me":
			seen[r.Header.Get("Cookie")]++
			w.Header().Add("Set-Cookie", "part=2; Path=/")
			fmt.Fprint(w, `{"sub":"user-000000"}`)
		case "/logout":
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer srv.Close()
	spec := scriptSpec("session/memory", "sticky.js", 1, map[string]string{"REQUESTS": "5"})
	if _, err := spec.runs(t.Context(), k6(t), srv.URL, nil); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[`sid="ab"; part=1`] != 1 || seen[`sid="ab"; part=2`] != 4 {
		t.Errorf("sent %v", seen)
	}
}

// A log-in whose cookies a browser would keep to itself is no log-in, and says which.
func TestALogInWhoseCookiesStayAtHome(t *testing.T) {
	for set, want := range map[string]string{
		"sid=1; Path=/; Secure":     "sid: it is Secure, and 127.0.0.1 is asked without https: start the server with -insecure-cookies",
		"sid=1; Path=/account":      "sid: it is for the path /account alone",
		"sid=1; Domain=example.com": "sid: it is for example.com, which 127.0.0.1 may not set",
		"__Host-sid=1; Path=/":      "__Host-sid: its name wants Secure",
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", set)
			fmt.Fprint(w, `{}`)
		}))
		_, err := scriptSpec("session/memory", "sticky.js", 1, map[string]string{"REQUESTS": "5"}).runs(t.Context(), k6(t), srv.URL, nil)
		srv.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", set, err, want)
		}
	}
}

// Whoever is led to a log-in page was neither let in nor answered for another:
// the journey fails and says what came.
func TestALogInPageIsNeitherAcceptedNorAnotherUser(t *testing.T) {
	for name, page := range map[string]struct {
		answer func(http.ResponseWriter)
		want   string
	}{
		"redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "/sign-in")
			w.WriteHeader(http.StatusFound)
		}, "it redirects to /sign-in (status 302)"},
		"page": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<form action=/login>")
		}, "status 200 and text/html instead of JSON, such as a log-in page"},
		"nobody": {func(w http.ResponseWriter) { fmt.Fprint(w, `{"error":"log in"}`) }, `JSON that names no user as "sub"`},
	} {
		for script, env := range map[string]map[string]string{
			"sticky.js": {"REQUESTS": "30"},
			"revoke.js": {"WATCH": "1"},
			"browse.js": {"PROFILE": "smoke", "DURATION": "3", "THINK": "0.01", "PAGES": "4"},
		} {
			t.Run(name+" "+script, func(t *testing.T) {
				s := newSite(t, 2)
				s.sticky = script == "revoke.js"
				s.refuse = page.answer
				j, err := scriptSpec("session/memory", script, 2, env).runs(t.Context(), k6(t), s.URL, s.Replicas)
				if !errors.Is(err, ErrThreshold) || !strings.Contains(err.Error(), "unexpected_answers: count<1") ||
					!strings.Contains(err.Error(), page.want) {
					t.Errorf("%v; want a crossed threshold and %q", err, page.want)
				}
				if j.Counters["unexpected_answers"] == 0 || j.Counters["wrong_user"] != 0 || j.Counters["unauthorized_successes"] != 0 ||
					j.Counters["lost_sessions"] != 0 {
					t.Errorf("counted %v", j.Counters)
				}
			})
		}
	}
}

// A store that is away for a moment at the log-out ends no run: the log-out is
// asked for again, and in the end the trial is to be made again.
func TestALogOutThatIsTurnedAway(t *testing.T) {
	for _, c := range []struct {
		busy int
		fits func(trial.Journey, error) bool
	}{
		{3, func(j trial.Journey, err error) bool { return err == nil && j.Counters["users_logged_out"] == 3 }},
		{1e6, func(j trial.Journey, err error) bool {
			return errors.Is(err, ErrThreshold) && j.Counters["users_logged_out"] == 0 && j.Counters["failed_requests"] == 3 &&
				strings.Contains(err.Error(), "the log-out: status 503")
		}},
	} {
		s := newSite(t, 2)
		s.sticky, s.busy = true, c.busy
		spec := scriptSpec("session/memory", "revoke.js", 3, map[string]string{"WATCH": "1"})
		if j, err := spec.runs(t.Context(), k6(t), s.URL, s.Replicas); !c.fits(j, err) {
			t.Errorf("%d times 503: %v, %v", c.busy, j.Counters, err)
		}
	}
}
