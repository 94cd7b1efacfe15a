package load

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"

	"authbench/bench/trial"
)

// steadyServer answers every read with one response and allocates nothing
// meanwhile, so that what a test sees allocated is the driver's.
func steadyServer(t *testing.T) trial.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	response := []byte(answerWith("200 OK\r\nSet-Cookie: route=r1; Path=/"))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for request := make([]byte, 4096); ; { // a request of a few bytes comes in one piece
					if _, err := c.Read(request); err != nil {
						return
					}
					if _, err := c.Write(response); err != nil {
						return
					}
				}
			}()
		}
	}()
	users := credentials(10_000)
	for i := range users {
		users[i].User = "a"
	}
	return trial.Target{URL: "http://" + l.Addr().String(), Path: "/me", Credentials: users, CheckUser: true}
}

// What a phase needs does not depend on how many requests it makes: one of
// 230,000 holds and allocates what one of 30,000 does.
func TestMemoryDoesNotGrowWithRequests(t *testing.T) {
	d := driver(t, steadyServer(t), Load{Connections: 16, Sources: 16})
	phase := Phase{Name: "learn the cookies", Mode: trial.Open, Rate: 20_000, Seconds: 1}
	run(t, d, phase)
	measure := func(requests int64) (held, allocated, objects uint64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := Phase{Name: "memory", Mode: trial.Closed, Concurrency: 16, Seconds: 3600}
		m := runUntil(t, d, p, requests)
		runtime.ReadMemStats(&after)
		allocated, objects = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(m)
		return after.HeapAlloc, allocated, objects
	}
	const few, many = 30_000, 230_000
	held1, allocated1, objects1 := measure(few)
	held2, allocated2, objects2 := measure(many)
	t.Logf("%d requests: %d bytes held, %d allocated in %d objects", few, held1, allocated1, objects1)
	t.Logf("%d requests: %d bytes held, %d allocated in %d objects", many, held2, allocated2, objects2)
	if held2 > held1+held1/10+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", held1, held2)
	}
	if objects2 > objects1+5000 || allocated2 > allocated1+2<<20 {
		t.Errorf("%d more objects and %d more bytes were allocated for %d more requests", objects2-objects1, allocated2-allocated1, many-few)
	}
}

// The same of several streams at once, one of which sends bodies and one of
// which only meets refusals.
func TestMemoryDoesNotGrowWithStreams(t *testing.T) {
	target := steadyServer(t)
	for i := range target.Credentials {
		target.Credentials[i].Password = "secret"
	}
	forged := target
	forged.Present = trial.Forged
	closed := func(name, request string, p trial.Present) trial.Stream {
		return trial.Stream{Name: name, Request: request, Present: p, Connections: 8, Sources: 8,
			Pacing: trial.Pacing{Mode: trial.Closed, Concurrency: 8}}
	}
	steady := open("steady", "GET /me", 500, 8)
	step := Step{Seconds: 3600, Streams: map[string]Aim{"steady": {target, steady},
		"me": {target, closed("me", "GET /me", trial.Valid)}, "log in": {target, closed("log in", "POST /login", trial.Valid)},
		"forged": {forged, closed("forged", "GET /me", trial.Forged)}}}
	g := generator(t)
	measure := func(requests int64) (held, objects uint64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		ctx := &countdown{Context: context.Background(), done: func() bool {
			var n int64
			for _, s := range g.streams {
				if s.leg != nil {
					n += s.leg.completed
				}
			}
			return n >= requests
		}}
		results, err := g.Run(ctx, step)
		if !errors.Is(err, context.Canceled) || len(results) != 4 {
			t.Fatalf("%d results, %v", len(results), err)
		}
		for key, r := range results {
			streamConserved(t, key, r)
		}
		if n := results["forged"].Outcomes[trial.UnauthorizedSuccess]; n < 1000 || n != results["forged"].Completed {
			t.Fatalf("forged: outcomes %v", results["forged"].Outcomes)
		}
		runtime.ReadMemStats(&after)
		objects = after.Mallocs - before.Mallocs
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(results)
		return after.HeapAlloc, objects
	}
	measure(30_000) // every user learns the route cookie
	held1, objects1 := measure(30_000)
	held2, objects2 := measure(230_000)
	t.Logf("30,000 requests: %d bytes held, %d objects allocated; 230,000: %d and %d", held1, objects1, held2, objects2)
	if held2 > held1+held1/10+256<<10 || objects2 > objects1+5000 {
		t.Errorf("200,000 more requests hold %d more bytes and allocate %d more objects", int64(held2-held1), int64(objects2-objects1))
	}
}
