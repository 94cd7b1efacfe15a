package load

import (
	"context"
	"fmt"
	"strings"

	"authbench/bench/trial"
)

// Driver loads one target with one kind of request, phase after phase: a
// [Generator] of one stream. It is for one goroutine at a time.
type Driver struct {
	g    *Generator
	only *stream
}

// Load is what a driver's phases share.
type Load struct {
	Connections int     // to the balancer
	Sources     int     // distinct /24 networks of 127/8 that requests come from
	Zipf        float64 // exponent (> 1) of the choice of users; 0 walks them evenly
}

// Phase is one stretch of a driver's load.
type Phase struct {
	Name        string
	Mode        trial.Mode
	Warmup      bool // ends by criterion; Seconds is its upper bound
	Seconds     float64
	Rate        float64        // open: requests per second
	Arrivals    trial.Arrivals // open; empty is even
	Concurrency int            // closed: requests in flight
}

// NewDriver prepares a load of GET requests for the target's path, whatever it
// is: requests are built, no connection is opened yet. The seed decides the
// order of users and Poisson arrivals. Only loopback targets are accepted.
func NewDriver(target trial.Target, l Load, seed uint64) (*Driver, error) {
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
func (d *Driver) Run(ctx context.Context, p Phase) (*trial.StreamResult, error) {
	pacing := trial.Pacing{Mode: p.Mode, Rate: p.Rate, Arrivals: p.Arrivals, Concurrency: p.Concurrency}
	err := checkSeconds(p.Seconds)
	if err == nil {
		err = pacing.Check(len(d.only.conns))
	}
	if err != nil {
		return &trial.StreamResult{}, fmt.Errorf("phase %s: %w", p.Name, err)
	}
	d.only.aim.Stream.Pacing = pacing
	results, err := d.g.run(ctx, p.Seconds, p.Warmup, []*stream{d.only})
	if results == nil {
		return &trial.StreamResult{}, err
	}
	return results[0], err
}

// Close ends all connections.
func (d *Driver) Close() error { return d.g.Close() }
