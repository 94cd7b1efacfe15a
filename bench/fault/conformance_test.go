package fault

import (
	"cmp"
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
	path    string               // what is asked of it; /me if empty
	shows   func(answer) bool
	after   int
	atTimes bool // it shows in some answers, and in others it does not
}

func fails(a answer) bool { return a.status == http.StatusServiceUnavailable || a.status == 0 }

func replica(s *site) string { return s.Replicas[0].URL }

func served(a answer) bool { return a.status == http.StatusOK }

func gone(a answer) bool { return a.status == 0 }

func refused(a answer) bool { return a.status == http.StatusUnauthorized }

func slower(d time.Duration) func(answer) bool {
	return func(a answer) bool { return a.status != 0 && a.took >= d }
}

// suite is for a session arm; what becomes of a killed store's data is its own.
// A store that refuses writes gives sessions out all the same: readiness tells.
func suite(arm trial.Arm, proxied bool) []conformance {
	const ready = "/readyz"
	lost := http.StatusOK
	if arm == "session/redis" { // which keeps nothing on disk
		lost = http.StatusUnauthorized
	}
	all := []conformance{
		{fault: "exhaust:store", shows: fails, after: http.StatusOK},
		{fault: "readonly:store", path: ready, shows: fails, after: http.StatusOK},
		{fault: "hang:store", shows: fails, after: http.StatusOK},
		{fault: "hang:r1", where: replica, shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "kill:r1", where: replica, shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "restart:nginx", shows: func(a answer) bool { return a.status == 0 }, after: http.StatusOK},
		{fault: "restart:store,data=kept", shows: fails, after: http.StatusOK},
		{fault: "kill:store,data=kept", shows: fails, after: http.StatusOK},
		{fault: "kill:store", shows: fails, after: lost},
		{fault: "restart:store,data=lost", shows: fails, after: http.StatusUnauthorized},
	}
	if arm == "session/redis" {
		all = append(all,
			conformance{fault: "full:redis", path: ready, shows: fails, after: http.StatusOK},
			conformance{fault: "full:redis,policy=allkeys-lru,left=0%", shows: refused, after: http.StatusUnauthorized})
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

// suiteOfTokens is for a JWT arm: what can happen to keys, clocks and replicas.
func suiteOfTokens() []conformance {
	return []conformance{
		{fault: "kill:store", shows: served, after: http.StatusOK}, // which nobody asks
		{fault: "exhaust:store", shows: served, after: http.StatusOK},
		{fault: "clock:r1,shift=2h", where: replica, shows: refused, after: http.StatusOK}, // of tokens that live for one
		{fault: "wrongkey:r1", where: replica, shows: refused, after: http.StatusOK},
		{fault: "remove:keys", shows: refused, after: http.StatusUnauthorized},
		{fault: "rotate:keys", shows: served, after: http.StatusOK},
		{fault: "drain:r1", where: replica, shows: gone, after: http.StatusOK},
		{fault: "add:r2", shows: func(a answer) bool { return a.replica == "r2" }, after: http.StatusOK, atTimes: true},
	}
}

func (c conformance) check(t *testing.T, s *site) {
	f, err := Parse(c.fault)
	if err == nil {
		err = Fits(f, s.spec.System)
	}
	if err != nil {
		t.Fatal(err)
	}
	if caps := s.rt.Capabilities(); caps.Lacks(stack.CanRelaunch) != "" && c.where != nil {
		if err := Check([]trial.Fault{f}, caps); err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), string(stack.CanRelaunch)) {
				t.Errorf("%q; want a line that names what is lacking", err)
			}
			return
		}
	}
	opened, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	credential := s.Credentials[0]
	if a := ask(t, s.URL+me, credential); a.status != http.StatusOK {
		s.up(t)
		credential = s.Credentials[0]
	}
	url := s.URL
	if c.where != nil {
		url = c.where(s)
	}
	url += cmp.Or(c.path, me)
	target, _ := s.Component(f.Target) // nil: keys, and what is yet to come
	before := usage(t, target)

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
	if after := usage(t, target); after < before || target != nil && !target.Running() {
		t.Errorf("CPU of %s: %v s before the fault, %v s after it", f.Target, before, after)
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
	go func() { done <- Run(ctx, s.Stack, []trial.Fault{f, later}, time.Now(), nil) }()
	url := s.URL + me
	if f.Target == "r1" {
		url = s.Replicas[0].URL + me
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
	for _, arm := range []trial.Arm{"session/redis", "session/postgres", "jwt/HS256"} {
		s := newSite(t, rt, arm)
		lines, ended := suite(arm, s.spec.System.Proxied), []string{"hang:store", "kill:store", "hang:r1"}
		if arm == "jwt/HS256" {
			lines, ended = suiteOfTokens(), []string{"drain:r1"}
		}
		for _, c := range lines {
			t.Run(string(arm)+" "+c.fault, func(t *testing.T) { c.check(t, s) })
		}
		if s.spec.System.Proxied && arm != "jwt/HS256" {
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

// A rolling deployment of three replicas starts each anew, and nobody who asks
// meanwhile is turned away.
func deploys(t *testing.T, kind string) {
	s := newSite(t, open(t, kind), "session/redis")
	s.spec.System.Replicas = 3
	s.up(t)
	f, err := Open(trial.Fault{Kind: "deploy", Target: "replicas"})
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]int{}
	for _, name := range s.Names() {
		before[name] = component(t, s, name).PIDs()[0]
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	over := make(chan error, 1)
	go func() {
		err := f.Begin(ctx, s.Stack)
		over <- cmp.Or(err, f.End(ctx, s.Stack))
	}()
	asked, answered := 0, map[string]int{}
	for going := true; going; asked++ {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			going = false
		default:
		}
		a := ask(t, s.URL+me, s.Credentials[asked%len(s.Credentials)])
		if answered[a.replica]++; a.status != http.StatusOK {
			t.Errorf("request %d: %+v", asked, a)
		}
	}
	t.Logf("%d requests, by replica %v", asked, answered)
	for name, pid := range before {
		if c := component(t, s, name); !c.Running() || c.PIDs()[0] == pid || answered[name] == 0 {
			t.Errorf("%s: process %v, before %d, %d requests", name, c.PIDs(), pid, answered[name])
		}
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNativeDeploys(t *testing.T) { deploys(t, stack.KindNative) }

func TestComposeDeploys(t *testing.T) {
	stacktest.Containers(stack.Obtain, stack.ErrNoContainers, "../..")(t)
	deploys(t, stack.KindCompose)
}

func TestNativeConforms(t *testing.T) { conforms(t, stack.KindNative) }

func TestComposeConforms(t *testing.T) {
	stacktest.Containers(stack.Obtain, stack.ErrNoContainers, "../..")(t)
	conforms(t, stack.KindCompose)
}
