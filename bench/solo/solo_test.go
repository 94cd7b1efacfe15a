package solo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/trial"
)

// me answers the bearer's name, as a replica does; without one it refuses.
func me(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, `{"sub":%q,"replica":"r1"}`, name)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/me"
}

// good is a short load.
func good(url string) Settings {
	return Settings{URL: url, Rate: 500, Connections: 8, For: 400 * time.Millisecond,
		Credentials: []trial.Credential{{User: "a", Header: "Bearer a"}, {User: "b", Header: "Bearer b"}}}
}

func run(t *testing.T, ctx context.Context, s Settings) (*Result, error) {
	t.Helper()
	l, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Run(ctx)
}

func TestOpenLoop(t *testing.T) {
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.RawQuery != "x=1" {
			t.Errorf("asked for %s", r.URL)
		}
		me(w, r)
	})
	s := good(url + "?x=1")
	s.WarmUp, s.Arrivals, s.Sources = 200*time.Millisecond, trial.Poisson, 2
	r, err := run(t, t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	ok := r.Outcomes[trial.Success]
	if r.Offered < 100 || r.Offered > 300 || r.Completed != r.Offered-r.Dropped || ok.Requests != r.Completed ||
		r.Replicas["r1"] != r.Completed {
		t.Errorf("offered %d, completed %d, dropped %d, outcomes %v, replicas %v", r.Offered, r.Completed, r.Dropped, r.Outcomes, r.Replicas)
	}
	if warm := asked.Load() - r.Completed; warm < 30 {
		t.Errorf("%d requests warmed up, want about 100", warm)
	}
	if l := ok.Latency; !(0 < l.P50 && l.P50 <= l.P90 && l.P90 <= l.P99 && l.P99 <= l.P999 && l.P999 <= l.Max) || r.PacerLag == nil {
		t.Errorf("latency %+v, pacer lag %+v", l, r.PacerLag)
	}
	if u := r.Generator; u.CPUSeconds <= 0 || u.BusyShare <= 0 || u.MaxRSSBytes < 1<<20 || u.HeapBytes <= 0 || u.SystemBytes < u.HeapBytes ||
		r.SentBytes < 10*r.Completed || r.ReceivedBytes < 10*r.Completed {
		t.Errorf("generator %+v, %d bytes sent, %d received", u, r.SentBytes, r.ReceivedBytes)
	}
	if r.Failure() != nil {
		t.Error(r.Failure())
	}
	var text, program bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteJSON(&program)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{url, "open loop at 500 requests/s, poisson arrivals, 8 connections, 2 credentials",
		"p99.9", "2xx", "pacer lag", "us of CPU per request", "replicas    r1 "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	var back Result
	if err := json.Unmarshal(program.Bytes(), &back); err != nil || back.Completed != r.Completed || back.Outcomes[trial.Success] != ok {
		t.Errorf("from JSON: %+v, %v", back, err)
	}
}

func TestClosedLoop(t *testing.T) {
	s := good(serve(t, me))
	s.Rate, s.Closed = 0, 4
	r, err := run(t, t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Mode != trial.Closed || r.Completed < 50 || r.Dropped != 0 || r.PacerLag != nil {
		t.Errorf("%+v", r)
	}
}

// A server that stalls owes the requests of that time: they are asked all the
// same, and their latency counts from when they should have started.
func TestAStallIsSeen(t *testing.T) {
	const stall = 200 * time.Millisecond
	until := make(chan time.Time, 1)
	until <- time.Time{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		end := <-until
		if end.IsZero() {
			end = time.Now().Add(stall) // from the first request on
		}
		until <- end
		<-time.After(time.Until(end))
		me(w, r)
	})
	r, err := run(t, t.Context(), good(url))
	if err != nil {
		t.Fatal(err)
	}
	// 100 of 200 requests fall into the stall, and wait for 0 to 200 ms.
	if l := r.Outcomes[trial.Success].Latency; r.Offered != 200 || l.P90 < 100 || l.Max < 180 {
		t.Errorf("offered %d, latency %+v", r.Offered, l)
	}
}

func TestInterruptedLoadShowsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	s := good(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 100 {
			cancel()
		}
		me(w, r)
	}))
	s.For = time.Hour
	r, err := run(t, ctx, s)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "of 1h0m0s") {
		t.Fatalf("error %v", err)
	}
	if r == nil || !r.Interrupted || r.Completed < 90 || r.Seconds <= 0 || r.Seconds > 30 {
		t.Errorf("%+v", r)
	}
	s.WarmUp = time.Hour
	if r, err := run(t, ctx, s); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted in the warm-up: %+v, %v", r, err)
	}
}

func TestFailuresSayWhatToLookAt(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no credential": {status(401), "401: 200 of 200): see that the header"},
		"shed":          {status(429), "lower the load"},
		"broken":        {status(502), "server's log"},
		"no such path":  {status(404), "see that the path"},
		"somebody else": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"sub":"c"}`) }, `leave "user" out`},
	} {
		r, err := run(t, t.Context(), good(serve(t, c.answer)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.Failure(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := good("http://" + l.Addr().String() + "/me")
	if r, err := run(t, t.Context(), s); err != nil || !strings.Contains(fmt.Sprint(r.Failure()), "see that the server listens") {
		t.Errorf("nobody listens: %v, %v", r, err)
	}
	s.WarmUp, s.For = 100*time.Millisecond, time.Hour // found out before the hour
	if r, err := run(t, t.Context(), s); err == nil || !strings.Contains(err.Error(), "does not answer") ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v, %v", r, err)
	}
}

func TestDoubts(t *testing.T) {
	r := Result{Outcomes: map[string]Outcome{trial.Success: {Latency: Percentiles{P99: 4}}}, PacerLag: &Percentiles{P99: 0.9},
		Generator: Use{BusyShare: 0.79}}
	if d := r.doubts(); len(d) != 0 {
		t.Errorf("within the bounds: %q", d)
	}
	r.PacerLag.P99, r.Generator.BusyShare = 1.1, 0.81
	if d := strings.Join(r.doubts(), "\n"); !strings.Contains(d, "late (pacer lag p99 1.100 ms, over 25 %") ||
		!strings.Contains(d, "81 % of a CPU (bound 80 %)") {
		t.Errorf("beyond the bounds: %q", d)
	}
	r.PacerLag, r.Generator.BusyShare = nil, 0 // a closed loop has no pacer
	if d := r.doubts(); len(d) != 0 {
		t.Errorf("closed loop: %q", d)
	}
}

func TestBadSettings(t *testing.T) {
	for want, change := range map[string]func(*Settings){
		"there is no url":                      func(s *Settings) { s.URL = "" },
		`has the scheme "ftp"`:                 func(s *Settings) { s.URL = "ftp://127.0.0.1:1/me" },
		`has the scheme "localhost"`:           func(s *Settings) { s.URL = "localhost:8080/me" },
		"cannot be read":                       func(s *Settings) { s.URL = "127.0.0.1:8080/me" },
		"asks for TLS":                         func(s *Settings) { s.URL = "https://127.0.0.1:1/me" },
		"has no port":                          func(s *Settings) { s.URL = "http://127.0.0.1/me" },
		"the port must be":                     func(s *Settings) { s.URL = "http://127.0.0.1:70000/me" },
		"has no path":                          func(s *Settings) { s.URL = "http://127.0.0.1:8080" },
		"has a fragment":                       func(s *Settings) { s.URL = "http://127.0.0.1:8080/me#x" },
		"a:xxxxx@127.0.0.1:1/me names":         func(s *Settings) { s.URL = "http://a:b@127.0.0.1:1/me" },
		"is not on this machine":               func(s *Settings) { s.URL = "http://192.0.2.1:80/me" },
		`"http://example.com:80" is not on`:    func(s *Settings) { s.URL = "http://example.com:80/me" },
		"rate is 0 ":                           func(s *Settings) { s.Rate = 0 },
		"rate is -1 ":                          func(s *Settings) { s.Rate = -1 },
		"rate is 2e+06 ":                       func(s *Settings) { s.Rate = 2e6 },
		"exclude each other":                   func(s *Settings) { s.Closed = 3 },
		"closed is 9 ":                         func(s *Settings) { s.Rate, s.Closed = 0, 9 },
		"closed is -1 ":                        func(s *Settings) { s.Rate, s.Closed = 0, -1 },
		"connections is 0: want":               func(s *Settings) { s.Connections = 0 },
		"connections is 10001: want":           func(s *Settings) { s.Connections = 10_001 },
		"sources is -1":                        func(s *Settings) { s.Sources = -1 },
		"sources is 2000000000: want 0 to 254": func(s *Settings) { s.Sources, s.Credentials = 2_000_000_000, nil },
		"2 sources share 1":                    func(s *Settings) { s.Sources, s.Connections = 2, 1 },
		"sources is 3, but there are 2":        func(s *Settings) { s.Sources = 3 },
		"unknown arrivals \"bursts\"":          func(s *Settings) { s.Arrivals = "bursts" },
		"measure for is 0s":                    func(s *Settings) { s.For = 0 },
		"measure for is 25h0m0s":               func(s *Settings) { s.For = 25 * time.Hour },
		"warm-up is -1s":                       func(s *Settings) { s.WarmUp = -time.Second },
		`1 of 2 credentials name`:              func(s *Settings) { s.Credentials[1].User = "" },
		"holds a control character":            func(s *Settings) { s.Credentials[1].Header = "x\r\nHost: y" },
	} {
		s := good("http://127.0.0.1:1/me")
		change(&s)
		if l, err := New(s); err == nil {
			l.Close()
			t.Errorf("%+v was accepted, want %q", s, want)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q, want one line with %q", err, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, c := range map[string]struct {
		file    string
		headers []string
	}{
		`[]`:                                {},
		`[{"user":"","header":"Bearer x"}]`: {"", []string{"authorization:  Bearer x "}},
		`[{"user":"","header":"Basic eDp5","cookies":{"a":"1","b":"2"}}]`: {"", []string{"Cookie: a=1; b=2", "Authorization: Basic eDp5"}},
		`[{"user":"u","header":"Bearer x"}]`:                              {file(`{"user":"u","kind":"bearer","credential":"x"}`), nil},
	} {
		got, err := Credentials(c.file, c.headers)
		if b, _ := json.Marshal(append([]trial.Credential{}, got...)); err != nil || string(b) != want {
			t.Errorf("%+v: %s, %v; want %s", c, b, err, want)
		}
	}
	for want, c := range map[string]struct {
		file    string
		headers []string
	}{
		"exclude each other":      {"x", []string{"Cookie: a=1"}},
		"no such file":            {filepath.Join(t.TempDir(), "none"), nil},
		"it holds none":           {file("\n"), nil},
		"credential 1: the input": {file(`{"user":"u`), nil},
		"has no name or no value": {"", []string{"Bearer s3cret"}},
		"or no value: want":       {"", []string{"Authorization:"}},
		`header "Accept": only`:   {"", []string{"Accept: */*"}},
		"Cookie cannot be read":   {"", []string{"Cookie: s3cret"}},
		"Authorization is given":  {"", []string{"Authorization: a", "Authorization: b"}},
		"Cookie is given twice":   {"", []string{"Cookie: a=1", "cookie: b=2"}},
	} {
		if got, err := Credentials(c.file, c.headers); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v, %v; want %q and no secret", c, got, err, want)
		}
	}
}
