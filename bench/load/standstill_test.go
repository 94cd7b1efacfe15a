package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/trial"
)

// targetOfChild makes the test binary a generator, for a test to stop.
const targetOfChild = "LOAD_TEST_TARGET"

func TestMain(m *testing.M) {
	url := os.Getenv(targetOfChild)
	if url == "" {
		os.Exit(m.Run())
	}
	if err := loadBothWays(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loadBothWays runs an open and a closed stream and prints the results as JSON.
func loadBothWays(url string) error {
	g, err := NewGenerator(1)
	if err != nil {
		return err
	}
	defer g.Close()
	target := trial.Target{URL: url, Credentials: credentials(10), CheckUser: true}
	results, err := g.Run(context.Background(), Step{Seconds: 1.5, Streams: map[string]Aim{
		"open": {target, open("open", "GET /me", 100, 4)},
		"closed": {target,
			trial.Stream{Name: "closed", Request: "GET /me", Connections: 2, Pacing: trial.Pacing{Mode: trial.Closed, Concurrency: 2}}},
	}})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}

// A generator whose process is stopped says so, and for how long, in both
// pacings: a closed loop has no other way to know.
func TestStoppedGeneratorSaysSo(t *testing.T) {
	const held = 400 * time.Millisecond
	var requests atomic.Int64
	begun := make(chan struct{})
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if me(w, r); requests.Add(1) == 20 {
			close(begun)
		}
	})
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), targetOfChild+"="+target.URL)
	var out, errors strings.Builder
	child.Stdout, child.Stderr = &out, &errors
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- child.Wait() }()
	ended := false
	t.Cleanup(func() {
		if !ended {
			child.Process.Kill()
			<-gone
		}
	})
	select {
	case <-begun:
	case <-time.After(20 * time.Second):
		t.Fatalf("%d requests came: %s", requests.Load(), errors.String())
	}
	asked := time.Now()
	child.Process.Signal(unix.SIGSTOP)
	for !stopped(t, child.Process.Pid) {
		if time.Since(asked) > 10*time.Second {
			t.Fatal("the generator does not stop")
		}
	}
	stop := time.Now()
	<-time.After(held)
	least := time.Since(stop)
	child.Process.Signal(unix.SIGCONT)
	select {
	case err := <-gone:
		if ended = true; err != nil {
			t.Fatalf("%v: %s", err, errors.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the generator does not end")
	}
	most := time.Since(asked)
	var results map[string]*trial.StreamResult
	if err := json.Unmarshal([]byte(out.String()), &results); err != nil || len(results) != 2 {
		t.Fatalf("%q: %v", out.String(), err)
	}
	for key, r := range results {
		streamConserved(t, key, r)
		notes := strings.Join(r.Notes, "; ")
		m := regexp.MustCompile(`stood still for (\S+),`).FindStringSubmatch(notes)
		if m == nil {
			t.Errorf("%s: notes %q do not say that it stood still for %v", key, notes, least)
			continue
		}
		if d, err := time.ParseDuration(m[1]); err != nil || d < least.Truncate(time.Millisecond) || d > most {
			t.Errorf("%s: stood still for %s (%v), want %v to %v", key, m[1], err, least, most)
		}
		if r.StoodStill < least.Seconds() {
			t.Errorf("%s: stood still for %v s in all, want at least %v", key, r.StoodStill, least)
		}
	}
	if lag := results["open"].PacerLag.Max(); lag < held/2 {
		t.Errorf("the open stream's pacer lagged by no more than %v", lag)
	}
}

// stopped reads a process's state.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(after, "T")
}

// Only gaps that are long and lie within what a leg measures are told.
func TestGapsOfTheLoop(t *testing.T) {
	const ms = int64(time.Millisecond)
	fresh := func(mode trial.Mode) *leg {
		return &leg{Pacing: trial.Pacing{Mode: mode}, queue: newQueue(0), start: 1000 * ms, end: 2000 * ms, starting: true}
	}
	for name, c := range map[string]struct {
		leg  *leg
		gaps [][2]int64 // in ms
		want string     // the note's beginning; empty for none
	}{
		"none":  {fresh(trial.Open), nil, ""},
		"short": {fresh(trial.Open), [][2]int64{{1000, 1100}, {1100, 1190}}, ""},
		"one": {fresh(trial.Open), [][2]int64{{1500, 1620}},
			"the load generator itself stood still for 120ms, 0.5 s after the start: "},
		"three": {fresh(trial.Closed), [][2]int64{{1000, 1101}, {1200, 1450}, {1500, 1620}},
			"the load generator itself stood still for 250ms, 0.2 s after the start, and 3 times in all: "},
		"over its end":  {fresh(trial.Closed), [][2]int64{{1900, 9000}}, "the load generator itself stood still for 7.1s, 0.9 s after"},
		"closed, after": {fresh(trial.Closed), [][2]int64{{2000, 2500}}, ""},
		"warm-up": {func() *leg {
			l := fresh(trial.Open)
			l.warmup = true
			return l
		}(), [][2]int64{{1500, 1900}}, ""},
		"open, waiting for answers": {func() *leg {
			l := fresh(trial.Open)
			l.next, l.starting, l.inFlight = math.MaxInt64, false, 1
			return l
		}(), [][2]int64{{2100, 2300}}, "the load generator itself stood still for 200ms, 1.1 s after the start: "},
		"open, over": {func() *leg {
			l := fresh(trial.Open)
			l.next, l.starting = math.MaxInt64, false
			return l
		}(), [][2]int64{{2100, 2300}}, ""},
	} {
		for _, g := range c.gaps {
			c.leg.turned(g[0]*ms, g[1]*ms)
		}
		if all := c.leg.pauses.all; all > c.leg.end-c.leg.start {
			t.Errorf("%s: stood still for %v, which is more than the leg took", name, time.Duration(all))
		}
		if got := c.leg.pauses.note(); (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
