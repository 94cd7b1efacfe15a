package load

import (
	"context"
	"errors"
	"fmt"
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

func credentials(n int) []trial.Credential {
	c := make([]trial.Credential, n)
	for i := range c {
		c[i].User = fmt.Sprintf("user-%06d", i)
		c[i].Header = "Bearer " + c[i].User
	}
	return c
}

// me answers as a replica does; the bearer token is the user's name.
func me(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"sub":"%s","role":"user","replica":"r1"}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}

func serve(t *testing.T, h http.HandlerFunc) trial.Target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return trial.Target{URL: s.URL, Path: "/me", Credentials: credentials(100), CheckUser: true}
}

func driver(t *testing.T, target trial.Target, l Load) *Driver {
	t.Helper()
	d, err := NewDriver(target, l, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func run(t *testing.T, d *Driver, p Phase) *trial.StreamResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := d.Run(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	conserved(t, m)
	return m
}

// conserved checks what must hold of every measurement.
func conserved(t *testing.T, m *trial.StreamResult) {
	t.Helper()
	if m.Offered != m.Completed+m.Dropped {
		t.Errorf("offered %d is not completed %d + dropped %d", m.Offered, m.Completed, m.Dropped)
	}
	var outcomes, latencies, series int64
	for class, n := range m.Outcomes {
		outcomes += n
		latencies += m.Latency[class].Count()
	}
	for _, slices := range m.Series {
		for _, n := range slices {
			series += n
		}
	}
	if outcomes != m.Completed || latencies != m.Completed {
		t.Errorf("completed %d, but %d outcomes and %d latencies", m.Completed, outcomes, latencies)
	}
	if m.Users > m.Completed {
		t.Errorf("completed %d requests of %d users", m.Completed, m.Users)
	}
	if series != m.Completed {
		t.Errorf("completed %d, but %d in the series", m.Completed, series)
	}
	if m.PacerLag != nil && (m.PacerLag.Count() != m.Offered || m.QueueWait.Count() > m.Offered) {
		t.Errorf("offered %d, but %d pacer lags and %d queue waits", m.Offered, m.PacerLag.Count(), m.QueueWait.Count())
	}
}

func TestOpenPhase(t *testing.T) {
	for _, arrivals := range []trial.Arrivals{trial.Even, trial.Poisson} {
		t.Run(string(arrivals), func(t *testing.T) {
			target := serve(t, me)
			d := driver(t, target, Load{Connections: 16, Sources: 4})
			m := run(t, d, Phase{Name: "open", Mode: trial.Open, Rate: 1000, Seconds: 1, Arrivals: arrivals})
			if arrivals == trial.Even && m.Offered != 1000 || m.Offered < 800 || m.Offered > 1200 {
				t.Errorf("offered %d in one second of 1000/s", m.Offered)
			}
			if m.Outcomes[trial.Success] != m.Offered || m.Dropped != 0 {
				t.Errorf("offered %d, outcomes %v, dropped %d, notes %q", m.Offered, m.Outcomes, m.Dropped, m.Notes)
			}
			if m.Users != 100 || m.Replicas["r1"] != m.Completed || m.Reconnects != 0 {
				t.Errorf("users %d, replicas %v, reconnects %d", m.Users, m.Replicas, m.Reconnects)
			}
			if m.Seconds < 1 || m.SentBytes < 70*m.Offered || m.ReceivedBytes < 140*m.Offered {
				t.Errorf("seconds %v, sent %d, received %d", m.Seconds, m.SentBytes, m.ReceivedBytes)
			}
		})
	}
}

func TestClosedPhase(t *testing.T) {
	var now, most atomic.Int64
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		me(w, r)
	})
	d := driver(t, target, Load{Connections: 8, Sources: 4})
	for _, concurrency := range []int{1, 3, 8} {
		most.Store(0)
		m := run(t, d, Phase{Name: "closed", Mode: trial.Closed, Concurrency: concurrency, Seconds: 0.3})
		if m.Completed < 100 || m.Errors() != 0 || m.Users != 100 || m.Reconnects != 0 {
			t.Errorf("concurrency %d: completed %d, outcomes %v, users %d, reconnects %d", concurrency, m.Completed, m.Outcomes,
				m.Users, m.Reconnects)
		}
		if m.Seconds != 0.3 || int(most.Load()) > concurrency {
			t.Errorf("concurrency %d: %v s, up to %d in flight", concurrency, m.Seconds, most.Load())
		}
	}
}

// A server that stops for 200 ms delays every request that was due meanwhile;
// a driver that waits for answers before it asks again would see only few.
func TestLatencyCountsFromTheIntendedStart(t *testing.T) {
	const stall = 200 * time.Millisecond
	var gate sync.RWMutex
	var once sync.Once
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			gate.Lock()
			time.AfterFunc(stall, gate.Unlock)
		})
		gate.RLock()
		defer gate.RUnlock()
		me(w, r)
	})
	d := driver(t, target, Load{Connections: 4})
	m := run(t, d, Phase{Name: "stall", Mode: trial.Open, Rate: 1000, Seconds: 1})
	h := m.Latency[trial.Success]
	// Of 1000 requests 200 were due in the stall: their latencies fall evenly from
	// 200 ms to 0. So the 90th percentile is about 100 ms, the 99th about 190 ms.
	if q := h.Quantile(0.99); q < 150*time.Millisecond {
		t.Errorf("p99 %v hides a stall of %v", q, stall)
	}
	if q := h.Quantile(0.90); q < 60*time.Millisecond {
		t.Errorf("p90 %v: the requests due in the stall are missing", q)
	}
	if m.Dropped != 0 || m.Outcomes[trial.Success] != 1000 {
		t.Errorf("outcomes %v, dropped %d", m.Outcomes, m.Dropped)
	}
	if q := m.QueueWait.Quantile(0.99); q < 100*time.Millisecond {
		t.Errorf("queue wait p99 %v: four connections cannot have carried the stall's requests", q)
	}
}

func TestRequestsThatNeverStartAreDropped(t *testing.T) {
	release := make(chan struct{})
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		me(w, r)
	})
	d := driver(t, target, Load{Connections: 2})
	time.AfterFunc(2*time.Second, func() { close(release) })
	m := run(t, d, Phase{Name: "drops", Mode: trial.Open, Rate: 2000, Seconds: 0.5})
	if m.Offered != 1000 || m.Dropped != 998 || m.Outcomes[trial.Success] != 2 {
		t.Errorf("offered %d, dropped %d, outcomes %v; two connections can have carried two", m.Offered, m.Dropped, m.Outcomes)
	}
}

func TestCancelledPhaseKeepsWhatItHas(t *testing.T) {
	d := driver(t, serve(t, me), Load{Connections: 4})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(300*time.Millisecond, cancel)
	m, err := d.Run(ctx, Phase{Name: "cut", Mode: trial.Open, Rate: 1000, Seconds: 30})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	conserved(t, m)
	if m.Completed < 100 || m.Seconds > 10 || len(m.Notes) == 0 {
		t.Errorf("completed %d in %v s, notes %q", m.Completed, m.Seconds, m.Notes)
	}
	if _, err := d.Run(ctx, Phase{Name: "after", Mode: trial.Open, Rate: 1, Seconds: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("a phase under a cancelled context: %v", err)
	}
}

// A path is sent as it is: only requests of the API have places for a user's own.
func TestBracesInAPath(t *testing.T) {
	asked := make(chan string, 100)
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + " " + r.URL.Query().Get("q")
		me(w, r)
	})
	target.Path = "/{name}?q={handle}"
	m := run(t, driver(t, target, Load{Connections: 1}), Phase{Name: "braces", Mode: trial.Open, Rate: 100, Seconds: 0.1})
	if got := <-asked; got != "/{name} {handle}" || m.Outcomes[trial.Success] != 10 {
		t.Errorf("the server was asked for %q; outcomes %v, notes %q", got, m.Outcomes, m.Notes)
	}
}

func TestNewDriverRefuses(t *testing.T) {
	good := trial.Target{URL: "http://127.0.0.1:1", Path: "/me", Credentials: credentials(2)}
	load := Load{Connections: 2}
	with := func(f func(*trial.Target, *Load)) (trial.Target, Load) {
		target, l := good, load
		target.Credentials = credentials(2)
		f(&target, &l)
		return target, l
	}
	for want, f := range map[string]func(*trial.Target, *Load){
		"not on this machine":          func(t *trial.Target, _ *Load) { t.URL = "http://192.0.2.1:80" },
		"http://HOST:PORT":             func(t *trial.Target, _ *Load) { t.URL = "https://127.0.0.1:1" },
		"port":                         func(t *trial.Target, _ *Load) { t.URL = "http://127.0.0.1:0" },
		"path":                         func(t *trial.Target, _ *Load) { t.Path = "me HTTP/1.1" },
		"no credentials":               func(t *trial.Target, _ *Load) { t.Credentials = nil },
		"control character":            func(t *trial.Target, _ *Load) { t.Credentials[1].Header = "a\r\nb: c" },
		"cannot be sent":               func(t *trial.Target, _ *Load) { t.Credentials[1].Cookies = map[string]string{"a": "b; c=d"} },
		"connections is 0":             func(_ *trial.Target, l *Load) { l.Connections = 0 },
		"2 sources share 1":            func(_ *trial.Target, l *Load) { l.Sources, l.Connections = 2, 1 },
		"zipf is 1":                    func(_ *trial.Target, l *Load) { l.Zipf = 1 },
		"sources is 255: want 0 to 25": func(_ *trial.Target, l *Load) { l.Sources = 255 },
	} {
		if _, err := NewDriver(func() (trial.Target, Load, uint64) { a, b := with(f); return a, b, 1 }()); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
	d := driver(t, good, load)
	for want, p := range map[string]Phase{
		"seconds":     {Mode: trial.Open, Rate: 1},
		"rate":        {Mode: trial.Open, Seconds: 1},
		"concurrency": {Mode: trial.Closed, Seconds: 1, Concurrency: 3},
		"mode":        {Mode: "search", Seconds: 1},
		"arrivals":    {Mode: trial.Open, Rate: 1, Seconds: 1, Arrivals: "bursts"},
	} {
		if _, err := d.Run(context.Background(), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}

// freeAddress is a loopback address where nobody listens.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runUntil runs a phase and cancels it after so many completions.
func runUntil(t *testing.T, d *Driver, p Phase, completions int64) *trial.StreamResult {
	t.Helper()
	ctx := &countdown{Context: context.Background(), done: func() bool { return d.only.leg != nil && d.only.leg.completed >= completions }}
	m, err := d.Run(ctx, p)
	if !errors.Is(err, context.Canceled) || m.Completed < completions {
		t.Fatalf("%d of %d completions, %v", m.Completed, completions, err)
	}
	conserved(t, m)
	return m
}

// countdown is a context that the driver, which asks for Err, finds cancelled
// when done says so.
type countdown struct {
	context.Context
	done func() bool
}

func (c *countdown) Err() error {
	if c.done() {
		return context.Canceled
	}
	return nil
}
