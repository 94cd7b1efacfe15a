// Package load drives the systems under test: with a [Generator] of our own,
// which starts requests on schedule whatever the answers do, several streams of
// them at once, and with k6 scripts ([K6]). In come targets with their
// credentials ([trial.Target]) and streams or a script; out come
// [trial.StreamResult]s or a [trial.Journey]. It knows requests and answers, not
// what they mean: no verdict is made here. Linux only.
package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"authbench/bench/trial"
)

// Bounds of the generator.
const (
	requestTimeout = 10 * time.Second // from being written to the whole answer
	connectTimeout = 3 * time.Second
	queueGrace     = time.Second           // from the end of an open stream until what still waits is dropped
	drainGrace     = time.Second           // for answers that are no longer counted
	tick           = 10 * time.Millisecond // between looks at time-outs, reconnections and the context
	firstBackoff   = 20 * time.Millisecond // before connecting again after a failure; doubles
	lastBackoff    = 320 * time.Millisecond
	maxSeconds     = 24 * 3600
)

// Generator loads one or more targets with streams of requests, all from one OS
// thread and over raw sockets. It is for one goroutine at a time.
type Generator struct {
	seed    uint64
	timeout time.Duration
	streams map[string]*stream // by key: all that a step has had so far
	epoll   *epoll
	conns   []*conn   // of all streams, by slot
	legs    []*leg    // of the current step
	base    time.Time // of all int64 times, in nanoseconds since
	watch   *watch    // nil unless somebody watches the current step
}

// Aim is a stream and what it is aimed at.
type Aim struct {
	Target trial.Target
	Stream trial.Stream
}

// Step is a stretch of load. Its streams start together.
type Step struct {
	Seconds float64
	Warmup  bool           // ends by criterion; Seconds is its upper bound
	Streams map[string]Aim // by a key of the caller's, such as cell and stream
	Watch   func(Second)   // hears of each second as it is over, from one other goroutine; nil: nobody does
}

// NewGenerator makes one without connections. The seed decides the order of
// users and Poisson arrivals: of each stream by its key, whatever runs beside it.
func NewGenerator(seed uint64) (*Generator, error) {
	e, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return &Generator{seed: seed, timeout: requestTimeout, streams: map[string]*stream{}, epoll: e, base: time.Now()}, nil
}

// Run carries out a step and returns the results by key. A key that an earlier
// step had too keeps connections and route cookies, unless more than its pacing
// differs: then it begins anew. Only loopback targets are accepted.
//
// Failed requests are data; the error is for a step that makes no sense (before
// anything is sent), for an operating system that refuses, and for a cancelled
// ctx: then what was measured so far comes along.
//
// Open: Offered counts the starts scheduled within Seconds, each of which is
// completed or dropped in the end; the result's Seconds reach from the step's
// start to its scheduled end, or to the stream's last completion if that is
// later. Closed: what completes within Seconds counts, and requests cut off by
// its end count nowhere. A note tells of any time at which the generator itself
// stood still.
func (g *Generator) Run(ctx context.Context, step Step) (map[string]*trial.StreamResult, error) {
	if len(step.Streams) == 0 {
		return nil, errors.New("the step has no streams: want at least one")
	}
	if err := checkSeconds(step.Seconds); err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(step.Streams))
	streams := make([]*stream, len(keys))
	for i, key := range keys {
		aim := step.Streams[key]
		if err := aim.Stream.Check(); err != nil {
			return nil, err
		}
		request, err := trial.FindRequest(aim.Stream.Request)
		if err != nil {
			return nil, err
		}
		if streams[i], err = g.stream(key, aim, request); err != nil {
			return nil, fmt.Errorf("stream %s: %w", aim.Stream.Name, err)
		}
	}
	defer g.watching(keys, step.Seconds, step.Watch)()
	results, err := g.run(ctx, step.Seconds, step.Warmup, streams)
	byKey := map[string]*trial.StreamResult{}
	for i, r := range results {
		byKey[keys[i]] = r
	}
	return byKey, err
}

func checkSeconds(s float64) error {
	if !(s > 0) || s > maxSeconds {
		return fmt.Errorf("seconds is %g: want more than 0 and at most a day", s)
	}
	return nil
}

// stream finds the stream of a key or opens it.
func (g *Generator) stream(key string, aim Aim, request trial.Request) (*stream, error) {
	old := g.streams[key]
	if old != nil && old.aim.same(aim) {
		old.aim.Stream.Pacing = aim.Stream.Pacing
		return old, nil
	}
	s, err := newStream(g, key, aim, request)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.close()
	}
	g.streams[key] = s
	return s, nil
}

// same says whether two aims differ in no more than the pacing. Credentials are
// the same if they stand in the same place.
func (a Aim) same(b Aim) bool {
	t, u := a.Target, b.Target
	a.Stream.Pacing = b.Stream.Pacing
	return a.Stream == b.Stream && t.URL == u.URL && t.Present == u.Present && t.CheckUser == u.CheckUser &&
		len(t.Credentials) == len(u.Credentials) && &t.Credentials[0] == &u.Credentials[0]
}

// run carries out a step of streams, which are checked, and returns their
// results in the same order.
func (g *Generator) run(ctx context.Context, seconds float64, warmup bool, streams []*stream) ([]*trial.StreamResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The loop keeps its thread and its processor, also while it waits in the
	// kernel. Whoever else works in this process needs another.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer fineTimers()()

	g.legs = make([]*leg, len(streams))
	for i, s := range streams {
		// Streams of one even pace start in turn, not all at the same moments.
		g.legs[i] = s.newLeg(seconds, warmup, float64(i)/float64(len(streams)))
	}
	if warmup {
		chooseJudges(g.legs)
	}
	err := g.connectAll(ctx)
	if err == nil {
		err = g.loop(ctx)
	}
	if err == nil {
		err = interruption(ctx, g.legs)
	}
	results := make([]*trial.StreamResult, len(streams))
	for i, l := range g.legs {
		results[i] = l.result(g.base)
		l.stream.leg = nil
	}
	return results, err
}

// interruption is ctx's error, if it has cut a leg short.
func interruption(ctx context.Context, legs []*leg) error {
	for _, l := range legs {
		if l.interrupted {
			return ctx.Err()
		}
	}
	return nil
}

// Close ends all connections.
func (g *Generator) Close() error {
	for _, s := range g.streams {
		s.close()
	}
	return g.epoll.close()
}

// now is the time since the generator was made, in nanoseconds.
func (g *Generator) now() int64 { return int64(time.Since(g.base)) }
