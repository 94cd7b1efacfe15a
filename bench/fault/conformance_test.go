package fault

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbench/bench/stack"
	"authbench/bench/stack/stacktest"
	"authbench/bench/trial"
)

// conformance is what every fault holds in every runtime. shows says from
// outside that it is in effect; after is what a valid credential gets once it is over.
type conformance struct {
	fault   string
	where   func(s *site) string // the URL that sees it; nil is the balancer
	shows   func(answer) bool
	after   int
	atTimes bool // it shows in some answers, and in others it does not
}

func fails(a answer) bool { return a.status == http.StatusServiceUnavailable || a.status == 0 }

func replica(s *site) string { return s.Replicas[0].URL }

func slower(d time.Duration) func(answer) bool {
	return func(a answer) bool { return a.status != 0 && a.took >= d }
}

// suite is for a session arm; what becomes of a killed store's data is its own.
func suite(afterKill int, proxied bool) []conformance {
	all := []conformance{
		{fault: "hang:store", shows: fails, after: http.StatusOK},
		{fault: "hang:r1", where: replica, shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "kill:r1", where: replica, shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "restart:nginx", shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "restart:store,data=kept", shows: fails, after: http.StatusOK},
		{fault: "kill:store,data=kept", shows: fails, after: http.StatusOK},
		{fault: "kill:store", shows: fails, after: afterKill},
		{fault: "restart:store,data=lost", shows: fails, after: http.StatusUnauthorized},
	}
	if proxied {
		all = append(all,
			conformance{fault: "slow:store,latency=60ms", shows: slower(60 * time.Millisecond), after: http.StatusOK},
			// some tens of bytes at 1 KB per second
			conformance{fault: "slow:store,bandwidth=1", shows: slower(30 * time.Millisecond), after: http.StatusOK},
			conformance{fault: "cut:store", shows: fails, after: http.StatusOK},
			conformance{fault: "cut:store,how=silence", shows: fails, after: http.StatusOK})
	}
	return all
}

func (c conformance) check(t *testing.T, s *site) {
	f, err := Parse(c.fault)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	credential := s.Credentials[0]
	if a := ask(t, s.URL, credential); a.status != http.StatusOK {
		s.up(t)
		credential = s.Credentials[0]
	}
	url := s.URL
	if c.where != nil {
		url = c.where(s)
	}
	before, target := usage(t, s, f.Target), component(t, s, f.Target)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := opened.End(ctx, s.Stack); err != nil {
		t.Errorf("to end what has not begun: %v", err)
	}
	for range 2 {
		begin, done := context.WithCancel(ctx)
		err := opened.Begin(begin, s.Stack)
		done() // as the schedule does: a fault goes on after it
		if err != nil {
			t.Fatalf("begin: %v", err)
		}
	}
	await := func(shows bool) (a answer) {
		for deadline := time.Now().Add(10 * time.Second); ; {
			if a = ask(t, url, credential); !c.atTimes || c.shows(a) == shows || time.Now().After(deadline) {
				return a
			}
		}
	}
	for i := range 3 {
		a := await(true)
		if i == 0 {
			t.Logf("%s: in effect: %d, Retry-After %q, after %v", c.fault, a.status, a.retryAfter, a.took.Round(time.Millisecond))
		}
		if !c.shows(a) {
			t.Errorf("in effect: %+v", a)
		}
		if c.atTimes {
			if a := await(false); c.shows(a) {
				t.Errorf("in effect all the time: %+v", a)
			}
		}
	}
	for range 2 {
		if err := opened.End(ctx, s.Stack); err != nil {
			t.Fatalf("end: %v", err)
		}
	}
	serves(t, url, credential, c.after)
	if err := s.Died(); err != nil {
		t.Errorf("a fault was taken for a death: %v", err)
	}
	if after := usage(t, s, f.Target); after < before || !target.Running() {
		t.Errorf("CPU of %s: %v s before the fault, %v s after it", target.Name(), before, after)
	}
}

// anEndedContext asserts that a fault whose context ends leaves nothing.
func anEndedContext(t *testing.T, s *site, text string) {
	f, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s.up(t)
	f.Lasts = 3600
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []trial.Mark, 1)
	later := trial.Fault{Kind: "kill", Target: "r1", At: 1800}
	go func() { done <- Run(ctx, s.Stack, []trial.Fault{f, later}, time.Now()) }()
	url := s.URL
	if f.Target == "r1" {
		url = s.Replicas[0].URL
	}
	for deadline := time.Now().Add(20 * time.Second); ask(t, url, s.Credentials[0]).status == http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not show", text)
		}
	}
	cancel()
	var marks []trial.Mark
	select {
	case marks = <-done:
	case <-time.After(40 * time.Second):
		t.Fatal("a cancelled context does not end the faults")
	}
	if m := marks[0]; m.Ended == nil || m.Recovered == nil || !strings.Contains(m.Why, "canceled") {
		t.Errorf("%+v; want it ended and recovered, because of the context", m)
	}
	if m := marks[1]; m.Begun != nil || !strings.Contains(m.Why, "not begun") {
		t.Errorf("%+v; want it never begun", m)
	}
	status := http.StatusOK
	if f.Kind == "kill" && f.Target == "store" && s.RedisURL != "" {
		status = http.StatusUnauthorized
	}
	serves(t, url, s.Credentials[0], status)
	if err := s.Died(); err != nil {
		t.Error(err)
	}
}

func conforms(t *testing.T, kind string) {
	rt := open(t, kind)
	for arm, afterKill := range map[trial.Arm]int{"session/redis": http.StatusUnauthorized, "session/postgres": http.StatusOK} {
		s := newSite(t, rt, arm)
		for _, c := range suite(afterKill, s.spec.System.Proxied) {
			t.Run(string(arm)+" "+c.fault, func(t *testing.T) { c.check(t, s) })
		}
		ended := []string{"hang:store", "kill:store", "hang:r1"}
		if s.spec.System.Proxied {
			ended = append(ended, "cut:store,how=silence")
		}
		for _, text := range ended {
			t.Run(string(arm)+" "+text+" with an ended context", func(t *testing.T) { anEndedContext(t, s, text) })
		}
		if err := s.Down(t.Context()); err != nil {
			t.Errorf("a fault left something: %v", err)
		}
	}
}

func TestNativeConforms(t *testing.T) { conforms(t, stack.KindNative) }

func TestComposeConforms(t *testing.T) {
	stacktest.Containers(stack.Obtain, stack.ErrNoContainers, "../..")(t)
	conforms(t, stack.KindCompose)
}
