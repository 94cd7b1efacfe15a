package load

import (
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

// What a phase needs does not depend on how many requests it makes: one of a
// million holds and allocates what one of a hundred thousand does.
func TestMemoryDoesNotGrowWithRequests(t *testing.T) {
	d := driver(t, steadyServer(t), trial.Load{Connections: 16, Sources: 16})
	phase := trial.Phase{Name: "learn the cookies", Mode: trial.Open, Rate: 20_000, Seconds: 1}
	run(t, d, phase)
	measure := func(requests int64) (held, allocated, objects uint64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := trial.Phase{Name: "memory", Mode: trial.Closed, Concurrency: 16, Seconds: 3600}
		m := runUntil(t, d, p, requests)
		runtime.ReadMemStats(&after)
		allocated, objects = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(m)
		return after.HeapAlloc, allocated, objects
	}
	const few, many = 100_000, 1_000_000
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
