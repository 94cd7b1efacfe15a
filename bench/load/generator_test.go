package load

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/trial"
)

func generator(t *testing.T) *Generator {
	t.Helper()
	g, err := NewGenerator(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func runStep(t *testing.T, g *Generator, step Step) map[string]*trial.StreamResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	results, err := g.Run(ctx, step)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(step.Streams) {
		t.Fatalf("%d results of %d streams", len(results), len(step.Streams))
	}
	for key, r := range results {
		streamConserved(t, key, r)
		if r.Stream != step.Streams[key].Stream {
			t.Errorf("%s: the result is of %+v", key, r.Stream)
		}
	}
	return results
}

// streamConserved checks what must hold of every result.
func streamConserved(t *testing.T, key string, r *trial.StreamResult) {
	t.Helper()
	if r.Offered != r.Completed+r.Dropped {
		t.Errorf("%s: offered %d is not completed %d + dropped %d", key, r.Offered, r.Completed, r.Dropped)
	}
	var outcomes int64
	length := -1
	for class, n := range r.Outcomes {
		outcomes += n
		var inSeries int64
		for _, k := range r.Series[class] {
			inSeries += k
		}
		if inSeries != n || r.Latency[class].Count() != n {
			t.Errorf("%s: %d x %s, but %d in the series and %d latencies", key, n, class, inSeries, r.Latency[class].Count())
		}
		if length >= 0 && len(r.Series[class]) != length {
			t.Errorf("%s: series of %d and of %d slices", key, len(r.Series[class]), length)
		}
		length = len(r.Series[class])
	}
	if outcomes != r.Completed {
		t.Errorf("%s: completed %d, but %d outcomes", key, r.Completed, outcomes)
	}
	if at := r.Seconds / trial.SeriesSlice.Seconds(); length > int(at)+1 {
		t.Errorf("%s: %d slices in %v s", key, length, r.Seconds)
	}
}

func open(name, request string, rate float64, connections int) trial.Stream {
	return trial.Stream{Name: name, Request: request, Connections: connections, Pacing: trial.Pacing{Mode: trial.Open, Rate: rate}}
}

// people are users with passwords, numbered from first on.
func people(first, n int) []trial.Credential {
	c := credentials(first + n)[first:]
	for i := range c {
		c[i].Password = "secret of " + c[i].User
	}
	return c
}

// book is a server that keeps what it was asked for: by request, by user.
type book struct {
	mu    sync.Mutex
	asked map[string]map[string]int
}

func (l *book) serve(w http.ResponseWriter, r *http.Request) {
	user := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.URL.Path == "/login" {
		var who struct{ Username, Password string }
		if json.NewDecoder(r.Body).Decode(&who) != nil || who.Password != "secret of "+who.Username ||
			r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		user = who.Username
	}
	l.mu.Lock()
	request := r.Method + " " + r.URL.Path
	if l.asked[request] == nil {
		l.asked[request] = map[string]int{}
	}
	l.asked[request][user]++
	l.mu.Unlock()
	w.Header().Set("X-Replica", "r7")
	switch r.URL.Path {
	case "/me":
		fmt.Fprintf(w, `{"sub":%q}`, user)
	case "/login":
		fmt.Fprint(w, `{"token_type":"Bearer","expires_in":60}`)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (l *book) of(request string) (requests int64, users int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.asked[request] {
		requests += int64(n)
	}
	return requests, len(l.asked[request])
}

// Two targets, three requests, an open and a closed loop at once: each stream
// keeps its own rate, users, outcomes and series, and each target sees its own.
func TestStreamsSideBySide(t *testing.T) {
	one, two := &book{asked: map[string]map[string]int{}}, &book{asked: map[string]map[string]int{}}
	a, b := serve(t, one.serve), serve(t, two.serve)
	a.Credentials = people(0, 40)
	storm, other := a, b
	storm.Credentials = people(1000, 30)
	other.Credentials = people(2000, 20)
	poisson := open("leave", "POST /logout", 100, 3)
	poisson.Pacing.Arrivals = trial.Poisson
	poisson.Sources = 3
	results := runStep(t, generator(t), Step{Seconds: 1, Streams: map[string]Aim{
		"me":    {a, open("me", "GET /me", 400, 8)},
		"storm": {storm, open("storm", "POST /login", 50, 4)},
		"leave": {other, poisson},
		"pages": {other,
			trial.Stream{Name: "pages", Request: "GET /me", Connections: 2, Pacing: trial.Pacing{Mode: trial.Closed, Concurrency: 2}}},
	}})
	for key, want := range map[string]struct {
		at      *book
		request string
		offered int64 // 0: not fixed
		users   int64
	}{
		"me":    {one, "GET /me", 400, 40},
		"storm": {one, "POST /login", 50, 30},
		"leave": {two, "POST /logout", 0, 20},
		"pages": {two, "GET /me", 0, 20},
	} {
		r := results[key]
		if want.offered != 0 && r.Offered != want.offered || r.Outcomes[trial.Success] != r.Offered || r.Offered < 20 {
			t.Errorf("%s: offered %d, outcomes %v, dropped %d, notes %q", key, r.Offered, r.Outcomes, r.Dropped, r.Notes)
		}
		if r.Users != want.users || r.Replicas["r7"] != r.Completed {
			t.Errorf("%s: %d users, want %d; replicas %v of %d", key, r.Users, want.users, r.Replicas, r.Completed)
		}
		seen, users := want.at.of(want.request)
		// What a closed loop has in flight at its end is seen, but counts nowhere.
		if extra := seen - r.Completed; extra < 0 || extra > 0 && key != "pages" || extra > 2 || users != int(want.users) {
			t.Errorf("%s: %d requests of %d users came, %d were counted", key, seen, users, r.Completed)
		}
	}
	if n := results["leave"].Offered; n < 50 || n > 160 {
		t.Errorf("%d log-outs in a second of 100/s", n)
	}
	if len(one.asked) != 2 || len(two.asked) != 2 {
		t.Errorf("requests went astray: %v and %v", one.asked, two.asked)
	}
}

// A target that does not answer keeps its own connections and nobody else: the
// other stream completes everything before the slow one has had one answer.
func TestSlowTargetHoldsNobodyElse(t *testing.T) {
	const requests = 200
	release := make(chan struct{})
	var served atomic.Int64
	fast := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if me(w, r); served.Add(1) == requests {
			close(release)
		}
	})
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release // if it never comes, the requests time out and are no successes
		me(w, r)
	})
	results := runStep(t, generator(t), Step{Seconds: 0.5, Streams: map[string]Aim{
		"fast": {fast, open("fast", "GET /me", 2*requests, 4)},
		"slow": {slow, open("slow", "GET /me", 2000, 3)},
	}})
	f, s := results["fast"], results["slow"]
	if f.Offered != requests || f.Outcomes[trial.Success] != requests {
		t.Errorf("fast: offered %d, outcomes %v, dropped %d, notes %q", f.Offered, f.Outcomes, f.Dropped, f.Notes)
	}
	if s.Offered != 1000 || s.Outcomes[trial.Success] < 3 || s.Outcomes[trial.Success] != s.Completed {
		t.Errorf("slow: offered %d, outcomes %v, notes %q", s.Offered, s.Outcomes, s.Notes)
	}
}

// A success is unauthorized where the credential should have been refused and
// the request needs one; a refusal is a refusal.
func TestUnauthorizedSuccesses(t *testing.T) {
	lax := serve(t, me)
	strict := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/me" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	g := generator(t)
	for _, p := range trial.Presents() {
		aim := func(target trial.Target, request string) Aim {
			target.Present, target.Credentials = p, people(0, 10)
			s := open("bad", request, 200, 2)
			s.Present = p
			return Aim{target, s}
		}
		results := runStep(t, g, Step{Seconds: 0.1, Streams: map[string]Aim{
			"lax": aim(lax, "GET /me"), "strict": aim(strict, "GET /me"), "open": aim(strict, "POST /login")}})
		want := map[string]string{"lax": trial.UnauthorizedSuccess, "strict": trial.Refused, "open": trial.Success}
		if p == trial.Valid {
			want["lax"] = trial.Success
		}
		for key, class := range want {
			if r := results[key]; r.Outcomes[class] != 20 || r.Completed != 20 {
				t.Errorf("%s at %s: outcomes %v, want 20 x %s; notes %q", p, key, r.Outcomes, class, r.Notes)
			}
		}
	}
}

// From step to step a stream keeps its connections, also over one in which it
// takes no part, as long as only its pacing changes.
func TestStreamsKeepTheirConnections(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: trial.RouteCookie, Value: "r1"})
		if c, err := r.Cookie(trial.RouteCookie); err == nil {
			w.Header().Set("X-Replica", "routed by "+c.Value)
		}
		fmt.Fprintf(w, `{"sub":%q}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	target := trial.Target{URL: server.URL, Credentials: credentials(10), CheckUser: true}
	a, b := open("a", "GET /me", 100, 3), open("b", "GET /me", 100, 2)
	g := generator(t)
	steps := []struct {
		streams map[string]Aim
		opened  int64
	}{
		{map[string]Aim{"a": {target, a}, "b": {target, b}}, 5},
		{map[string]Aim{"b": {target, b}}, 5},
		{map[string]Aim{"a": {target, open("a", "GET /me", 200, 3)}, "b": {target, b}}, 5},
		{map[string]Aim{"a": {target, open("a", "GET /me", 200, 4)}, "b": {target, b}}, 9},
	}
	for i, step := range steps {
		results := runStep(t, g, Step{Seconds: 0.3, Streams: step.streams})
		for key, r := range results {
			if r.Outcomes[trial.Success] != r.Offered || r.Reconnects != 0 {
				t.Errorf("step %d, %s: outcomes %v, %d reconnects, notes %q", i, key, r.Outcomes, r.Reconnects, r.Notes)
			}
			if known := i == 1 || i == 2; known && r.Replicas["routed by r1"] != r.Completed {
				t.Errorf("step %d, %s: %v of %d came with the cookie", i, key, r.Replicas, r.Completed)
			}
		}
		if n := opened.Load(); n != step.opened {
			t.Errorf("step %d: %d connections were opened in all, want %d", i, n, step.opened)
		}
	}
}

// A target that hangs up on a stream which takes no part meanwhile finds it
// again in its next step.
func TestServerThatClosesBetweenSteps(t *testing.T) {
	a, b := httptest.NewServer(http.HandlerFunc(me)), serve(t, me)
	t.Cleanup(a.Close)
	aim := Aim{trial.Target{URL: a.URL, Credentials: credentials(10), CheckUser: true}, open("a", "GET /me", 100, 3)}
	other := Step{Seconds: 0.2, Streams: map[string]Aim{"b": {b, open("b", "GET /me", 100, 2)}}}
	g := generator(t)
	runStep(t, g, Step{Seconds: 0.2, Streams: map[string]Aim{"a": aim}})
	a.CloseClientConnections()
	runStep(t, g, other)
	for _, c := range g.streams["a"].conns {
		if c.state != closed {
			t.Error("a connection that the server has closed counts as open")
		}
	}
	if r := runStep(t, g, Step{Seconds: 0.2, Streams: map[string]Aim{"a": aim}})["a"]; r.Outcomes[trial.Success] != r.Offered ||
		r.Reconnects != 3 {
		t.Errorf("outcomes %v of %d, %d reconnects, notes %q", r.Outcomes, r.Offered, r.Reconnects, r.Notes)
	}
}

// A warm-up lasts until the busiest stream of each target is steady; slow ones
// beside it are not waited for.
func TestWarmUpOfStreams(t *testing.T) {
	a, b := serve(t, me), serve(t, me)
	step := Step{Seconds: 20, Warmup: true, Streams: map[string]Aim{
		"busy": {a, open("busy", "GET /me", 1000, 8)}, "slow": {a, open("slow", "GET /me", 2, 1)},
		"other": {b, trial.Stream{Name: "other", Request: "GET /me", Connections: 1, Pacing: trial.Pacing{Mode: trial.Closed, Concurrency: 1}}}}}
	results := runStep(t, generator(t), step)
	if r := results["slow"]; r.Completed > 39 || len(r.Notes) != 0 {
		t.Errorf("the slow stream had %d answers in %v s; notes %q", r.Completed, r.Seconds, r.Notes)
	}
	for _, key := range []string{"busy", "other"} {
		if r := results[key]; r.Replicas["r1"] < warmAnswers {
			t.Errorf("%s: warm after %v; notes %q", key, r.Replicas, r.Notes)
		}
	}
	step.Seconds = 0.3
	results = runStep(t, generator(t), step)
	if len(results["busy"].Notes) != 1 || len(results["other"].Notes) != 1 || len(results["slow"].Notes) != 0 {
		t.Errorf("too short: notes %q, %q, %q", results["busy"].Notes, results["other"].Notes, results["slow"].Notes)
	}
}

func TestGeneratorRefuses(t *testing.T) {
	for want, change := range map[string]func(*Aim){
		"has no name":               func(a *Aim) { a.Stream.Name = "" },
		`unknown request "GET /you`: func(a *Aim) { a.Stream.Request = "GET /you" },
		`unknown kind of credential`: func(a *Aim) {
			a.Stream.Present, a.Target.Present = "stale", "stale"
		},
		"those of its target are valid":  func(a *Aim) { a.Stream.Present = trial.Forged },
		"rate is 0":                      func(a *Aim) { a.Stream.Pacing.Rate = 0 },
		"rate is -1":                     func(a *Aim) { a.Stream.Pacing.Rate = -1 },
		`unknown arrivals "bursts"`:      func(a *Aim) { a.Stream.Pacing.Arrivals = "bursts" },
		`mode "search"`:                  func(a *Aim) { a.Stream.Pacing.Mode = "search" },
		"concurrency is 3":               func(a *Aim) { a.Stream.Pacing = trial.Pacing{Mode: trial.Closed, Concurrency: 3} },
		"connections is 0":               func(a *Aim) { a.Stream.Connections = 0 },
		"sources is 255":                 func(a *Aim) { a.Stream.Sources = 255 },
		"zipf is 1":                      func(a *Aim) { a.Stream.Zipf = 1 },
		"no credentials":                 func(a *Aim) { a.Target.Credentials = nil },
		"not on this machine":            func(a *Aim) { a.Target.URL = "http://192.0.2.1:80" },
		"needs the password of every":    func(a *Aim) { a.Stream.Request = "POST /login" },
		"needs the handle of every user": func(a *Aim) { a.Stream.Request = "DELETE /sessions/{handle}" },
	} {
		g := generator(t)
		aim := Aim{trial.Target{URL: "http://127.0.0.1:1", Credentials: credentials(2)}, open("it", "GET /me", 10, 2)}
		change(&aim)
		results, err := g.Run(context.Background(), Step{Seconds: 1, Streams: map[string]Aim{"it": aim}})
		if err == nil || !strings.Contains(err.Error(), want) || results != nil {
			t.Errorf("%v; want an error with %q", err, want)
		}
		if aim.Stream.Name != "" && !strings.HasPrefix(err.Error(), "stream it: ") {
			t.Errorf("%v; want it to say which stream", err)
		}
	}
	g := generator(t)
	if _, err := g.Run(context.Background(), Step{Seconds: 1}); err == nil || !strings.Contains(err.Error(), "no streams") {
		t.Errorf("a step without streams: %v", err)
	}
	aim := map[string]Aim{"it": {trial.Target{URL: "http://127.0.0.1:1", Credentials: credentials(2)}, open("it", "GET /me", 10, 2)}}
	if _, err := g.Run(context.Background(), Step{Streams: aim}); err == nil || !strings.Contains(err.Error(), "seconds is 0") {
		t.Errorf("a step of no time: %v", err)
	}
}

// Whatever a name and a password hold, they arrive as they are.
func TestNamesAndPasswordsArriveWhole(t *testing.T) {
	name, password := `{password} "Ünü" /..?#`, `{name}\ " }`
	got := make(chan [2]string, 1)
	target := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		var who struct{ Username, Password string }
		if r.URL.Path == "/login" {
			json.NewDecoder(r.Body).Decode(&who)
		} else {
			who.Username = strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/admin/users/"), "/logout")
			who.Password = password
		}
		got <- [2]string{who.Username, who.Password}
	})
	target.Credentials = []trial.Credential{{User: name, Password: password}}
	for _, request := range []string{"POST /login", "POST /admin/users/{name}/logout"} {
		r := runStep(t, generator(t), Step{Seconds: 0.01, Streams: map[string]Aim{"it": {target, open("it", request, 100, 1)}}})["it"]
		if r.Completed != 1 || <-got != [2]string{name, password} {
			t.Errorf("%s: %v, notes %q", request, r.Outcomes, r.Notes)
		}
	}
}

// Who watches a step is told of every request that ended, second by second, and
// the step is not over before the last was seen.
func TestAWatchedStep(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("Authorization"), "7") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		me(w, r)
	})
	var seen []Second
	results := runStep(t, generator(t), Step{Seconds: 2.5, Watch: func(s Second) { seen = append(seen, s) },
		Streams: map[string]Aim{"a": {target, open("a", "GET /me", 200, 4)}, "b": {target, open("b", "GET /me", 50, 4)}}})
	if len(seen) < 3 {
		t.Fatalf("%d seconds of 2.5 were seen", len(seen))
	}
	for key, r := range results {
		ended, latencies := map[string]int64{}, int64(0)
		for i, s := range seen {
			if s.At != float64(i+1) {
				t.Errorf("second %d ends at %v", i+1, s.At)
			}
			for class, n := range s.Streams[key].Outcomes {
				ended[class] += n
			}
			latencies += s.Streams[key].Latency.Count()
		}
		if !maps.Equal(ended, r.Outcomes) || latencies != r.Completed || r.Outcomes[trial.Failed] == 0 {
			t.Errorf("%s: seen %v and %d latencies; want %v", key, ended, latencies, r.Outcomes)
		}
	}
}
