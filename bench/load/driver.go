package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"authbench/bench/trial"
)

// Driver loads one target with one kind of request, phase after phase: a
// [Generator] of one stream. It is for one goroutine at a time.
type Driver struct {
	g    *Generator
	only *stream
}

// NewDriver prepares a load of GET requests for the target's path, whatever it
// is: requests are built, no connection is opened yet. The seed decides the
// order of users and Poisson arrivals. Only loopback targets are accepted.
func NewDriver(target trial.Target, l trial.Load, seed uint64) (*Driver, error) {
	if !strings.HasPrefix(target.Path, "/") || strings.ContainsAny(target.Path, " #") || !printable(target.Path) {
		return nil, fmt.Errorf("path %q: want one such as /me", target.Path)
	}
	s := trial.Stream{Name: "load", Request: "GET /me", Present: target.Present, Connections: l.Connections, Sources: l.Sources, Zipf: l.Zipf,
		Pacing: trial.Pacing{Mode: trial.Closed, Concurrency: 1}} // until a phase brings its own
	if err := s.Check(); err != nil {
		return nil, err
	}
	g, err := NewGenerator(seed)
	if err != nil {
		return nil, err
	}
	// A brace in the path is the path's own: only requests of the API have placeholders.
	path := strings.NewReplacer("{", "%7B", "}", "%7D").Replace(target.Path)
	only, err := g.stream("", Aim{target, s}, trial.Request{Name: "GET " + path, Guarded: true, NamesUser: true})
	if err != nil {
		g.Close()
		return nil, err
	}
	return &Driver{g, only}, nil
}

// Run carries out an open, closed or warm-up phase, as [Generator.Run] does a
// step.
func (d *Driver) Run(ctx context.Context, p trial.Phase) (trial.Measurement, error) {
	pacing := trial.Pacing{Mode: p.Mode, Rate: p.Rate, Arrivals: p.Arrivals, Concurrency: p.Concurrency}
	err := checkSeconds(p.Seconds)
	if err == nil {
		err = pacing.Check(len(d.only.conns))
	}
	if err != nil {
		return trial.Measurement{Phase: p}, fmt.Errorf("phase %s: %w", p.Name, err)
	}
	d.only.aim.Stream.Pacing = pacing
	results, err := d.g.run(ctx, p.Seconds, p.Warmup, []*stream{d.only})
	if results == nil {
		return trial.Measurement{Phase: p}, err
	}
	return measurement(p, results[0]), err
}

// Close ends all connections.
func (d *Driver) Close() error { return d.g.Close() }

// measurement is a stream's result in the words of a phase.
func measurement(p trial.Phase, r *trial.StreamResult) trial.Measurement {
	m := trial.Measurement{Phase: p, Started: r.Started, Seconds: r.Seconds,
		Offered: r.Offered, Completed: r.Completed, Dropped: r.Dropped, Reconnects: r.Reconnects, Users: r.Users,
		Outcomes: r.Outcomes, Replicas: r.Replicas, PerSecond: make([]int64, min(int(p.Seconds), int(r.Seconds))),
		Latency: r.Latency, PacerLag: r.PacerLag, QueueWait: r.QueueWait,
		SentBytes: r.SentBytes, ReceivedBytes: r.ReceivedBytes, Notes: r.Notes}
	for _, slices := range r.Series {
		for i, n := range slices {
			if s := i / int(time.Second/trial.SeriesSlice); s < len(m.PerSecond) {
				m.PerSecond[s] += n
			}
		}
	}
	return m
}
