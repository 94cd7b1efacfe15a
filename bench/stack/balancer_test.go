package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"authbench/bench/trial"
)

// from is a client with an address of its own.
func from(ip string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: 5 * time.Second}
	return &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return d.DialContext(ctx, network, addr)
		}}}
}

// whoAnswers sends GET /me and returns the status, the replica that answered
// and the route cookie that came back.
func whoAnswers(t *testing.T, client *http.Client, url string, c trial.Credential) (status int, replica, route string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Header != "" {
		req.Header.Set("Authorization", c.Header)
	}
	for name, value := range c.Cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	for _, k := range resp.Cookies() {
		if k.Name == trial.RouteCookie {
			route = k.Value
		}
	}
	return resp.StatusCode, resp.Header.Get("X-Replica"), route
}

func checkRoundRobinAndLeastConnSpreadEvenly(t *testing.T, n *Runtime) {
	for _, b := range []trial.Balancer{trial.RoundRobin, trial.LeastConn} {
		s := up(t, n, cell("none", 3, b))
		counts := map[string]int{}
		client := from("127.0.0.1")
		for range 300 {
			_, r, _ := whoAnswers(t, client, s.URL, trial.Credential{})
			counts[r]++
		}
		for _, r := range s.Replicas {
			if c := counts[r.Name]; c < 98 || c > 102 {
				t.Errorf("%s: %v; want 100 each", b, counts)
			}
		}
		if err := s.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Behind a balancer that does not stick, a session in memory is there for one
// request in N; that is what the instrument must be able to show.
func checkMemoryWithoutStickinessLosesSessions(t *testing.T, n *Runtime) {
	s := up(t, n, cell("session/memory", 3, trial.RoundRobin))
	lost, client := 0, from("127.0.0.1")
	for range 10 {
		for _, c := range s.Credentials {
			if status, _, _ := whoAnswers(t, client, s.URL, c); status == http.StatusUnauthorized {
				lost++
			}
		}
	}
	if total := 10 * len(s.Credentials); lost < total*55/100 || lost > total*78/100 {
		t.Errorf("%d of %d requests lost their session, want about two thirds", lost, total)
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestIPHashLooksAtTheNetwork(t *testing.T) {
	n := newNative(t)
	s := up(t, n, cell("none", 3, trial.IPHash))
	used := map[string]bool{}
	for network := range 24 {
		home := ""
		for host := 1; host <= 4; host++ {
			_, r, _ := whoAnswers(t, from(fmt.Sprintf("127.0.%d.%d", network, host)), s.URL, trial.Credential{})
			if home == "" {
				home = r
			}
			if r != home {
				t.Errorf("127.0.%d.0/24 is answered by %s and %s", network, home, r)
			}
		}
		used[home] = true
	}
	if len(used) != 3 {
		t.Errorf("24 networks use replicas %v, want all 3", used)
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

// A user stays at the replica that holds the session, and no session is lost.
func checkCookieBalancersKeepUsersAtTheirSession(t *testing.T, n *Runtime) {
	for _, b := range []trial.Balancer{trial.CookieHash, trial.Sticky} {
		s := up(t, n, cell("session/memory", 3, b))
		used, client := map[string]int{}, from("127.0.0.1")
		for _, c := range s.Credentials {
			home := ""
			for range 5 {
				status, r, route := whoAnswers(t, client, s.URL, c)
				if home == "" {
					home = r
				}
				if status != http.StatusOK || r != home {
					t.Fatalf("%s: %s: %d from %s, at home at %s", b, c.User, status, r, home)
				}
				if b == trial.Sticky && route != home {
					t.Fatalf("%s answered, the route cookie says %q", home, route)
				}
			}
			used[home]++
		}
		if len(used) != 3 {
			t.Errorf("%s: users by replica %v, want all 3", b, used)
		}
		if err := s.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func checkStickyFailsOverWhenItsReplicaDies(t *testing.T, n *Runtime) {
	s := up(t, n, cell("session/redis", 3, trial.Sticky))
	c := s.Credentials[0]
	client := from("127.0.0.1")
	_, home, _ := whoAnswers(t, client, s.URL, c)
	r, err := s.Component(home)
	if err == nil {
		err = r.unit.Signal(syscall.SIGKILL) // not by Halt: nobody has asked for it
	}
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, r)
	status, stand, route := whoAnswers(t, client, s.URL, c)
	if status != http.StatusOK || stand == home || route != stand {
		t.Errorf("%s died; %d from %s, route cookie %s; want 200 from another one, named by the cookie", home, status, stand, route)
	}
	there := trial.Credential{Header: c.Header, Cookies: map[string]string{"session": c.Cookies["session"], trial.RouteCookie: route}}
	for range 20 { // and it is followed there
		if status, r, _ := whoAnswers(t, client, s.URL, there); status != http.StatusOK || r != stand {
			t.Fatalf("%d from %s, want 200 from %s", status, r, stand)
		}
	}
	if err := s.Died(); err == nil {
		t.Error("a dead replica was not noticed")
	}
	if err := s.Down(t.Context()); err == nil {
		t.Error("Down said nothing of a dead replica")
	}
}
