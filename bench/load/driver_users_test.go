package load

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"authbench/bench/trial"
)

// A user's requests always come from one network, and the users of all networks
// are used alike.
func TestUsersKeepTheirNetwork(t *testing.T) {
	var mu sync.Mutex
	from := map[string]map[string]int{} // user, then address
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		user := r.Header.Get("Authorization")
		if from[user] == nil {
			from[user] = map[string]int{}
		}
		from[user][host]++
		mu.Unlock()
		me(w, r)
	})
	d := driver(t, target, Load{Connections: 32, Sources: 16})
	run(t, d, Phase{Name: "open", Mode: trial.Open, Rate: 1000, Seconds: 0.5})
	run(t, d, Phase{Name: "closed", Mode: trial.Closed, Concurrency: 5, Seconds: 0.2})
	mu.Lock()
	defer mu.Unlock()
	networks := map[string]bool{}
	for user, addresses := range from {
		if len(addresses) != 1 {
			t.Errorf("%s came from %v", user, addresses)
		}
		for a, n := range addresses {
			networks[a[:strings.LastIndexByte(a, '.')]] = true
			if n < 5 {
				t.Errorf("%s made %d requests of its 5 in the open phase", user, n)
			}
		}
	}
	if len(from) != 100 || len(networks) != 16 {
		t.Errorf("%d users from %d networks", len(from), len(networks))
	}
}

func TestZipf(t *testing.T) {
	var mu sync.Mutex
	count := map[string]int{}
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		count[r.Header.Get("Authorization")]++
		mu.Unlock()
		me(w, r)
	})
	d := driver(t, target, Load{Connections: 8, Sources: 4, Zipf: 1.5})
	m := run(t, d, Phase{Name: "open", Mode: trial.Open, Rate: 2000, Seconds: 0.5})
	closed := run(t, d, Phase{Name: "closed", Mode: trial.Closed, Concurrency: 8, Seconds: 0.1})
	if closed.Errors() != 0 || closed.Completed == 0 {
		t.Errorf("closed: %v", closed.Outcomes)
	}
	mu.Lock()
	defer mu.Unlock()
	most := 0
	for _, n := range count {
		most = max(most, n)
	}
	if most < 200 || m.Users < 10 || int64(len(count)) < m.Users {
		t.Errorf("the favourite made %d of 1000 requests and more; %d users, reported %d", most, len(count), m.Users)
	}
}

// Users keep the route cookie that an answer set, beside the cookies they have,
// and take the new one when the balancer moves them.
func TestRouteCookiesAreLearnt(t *testing.T) {
	var mu sync.Mutex
	route := map[string]string{} // what each user was told last
	moves := 0
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		session, err := r.Cookie("session")
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got := ""
		if c, err := r.Cookie(trial.RouteCookie); err == nil {
			got = c.Value
		}
		if want, known := route[session.Value]; known && want != got {
			t.Errorf("%s came with route %q, was told %q", session.Value, got, want)
		} else if !known && got != "start" {
			t.Errorf("%s came first with route %q", session.Value, got)
		}
		moves++
		route[session.Value] = fmt.Sprintf("r%d", moves%7*moves%1000) // of changing length
		if moves%11 == 0 {
			route[session.Value] = ""
		}
		http.SetCookie(w, &http.Cookie{Name: trial.RouteCookie, Value: route[session.Value], Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "ignored"})
		fmt.Fprintf(w, `{"sub":%q,"replica":"r1"}`, session.Value)
	})
	for i := range target.Credentials {
		u := target.Credentials[i].User
		target.Credentials[i] = trial.Credential{User: u, Cookies: map[string]string{"session": u, trial.RouteCookie: "start", "client": "x"}}
	}
	d := driver(t, target, Load{Connections: 4, Sources: 4})
	// One request in flight: so no user is told twice at once.
	m := run(t, d, Phase{Name: "sticky", Mode: trial.Closed, Concurrency: 1, Seconds: 0.3})
	if m.Errors() != 0 || m.Completed < 200 {
		t.Errorf("completed %d, outcomes %v", m.Completed, m.Outcomes)
	}
}
