// Package probe reads what happens beside the load: CPU by tier, memory,
// throttling, time stolen by the hypervisor, and the work that Redis, PostgreSQL
// and nginx have counted themselves.
//
// In: the components of a running system (Targets). Out: a Sample of all
// counters at one moment, and from two of them the trial.Usage between. The
// probe's own requests to the stores and to nginx are not in the counters.
package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbench/bench/trial"
)

// Component is one part of the system under test.
type Component interface {
	Name() string     // nginx, r1, redis, postgres, ...
	Tier() trial.Tier // whose sum its CPU goes into

	CPU() (float64, error)             // CPU-seconds since it started, children included; never falls
	Throttle() (trial.Throttle, error) // since it started; all zero without a budget
	RSS() int64                        // resident bytes, children included
}

// Targets says what to read. What is empty is left out.
type Targets struct {
	Components     []Component
	RedisURL       string   // redis://host:port/db
	PostgresURL    string   // postgres://user@host:port/database, of a user that may read statistics
	NginxStatusURL string   // where nginx serves stub_status
	CPUs           []string // numbers of the CPUs that system and generator use: "0", "1"
}

// Probe reads the targets. It keeps one connection to each store. Not safe for
// concurrent use.
type Probe struct {
	targets Targets
	sources []source
}

// source is one program with counters of its own.
type source interface {
	// read adds the counters as they stand, less what the probe itself has
	// caused.
	read(ctx context.Context, counters map[string]float64) error
	close() error
}

// patience bounds one reading of one source: a hung store must not hang us.
const patience = 5 * time.Second

// New connects to what the targets name. The error says which of them cannot be
// read.
func New(ctx context.Context, t Targets) (*Probe, error) {
	p := &Probe{targets: t}
	var err error
	add := func(url string, open func(context.Context, string) (source, error)) {
		if url == "" || err != nil {
			return
		}
		var s source
		if s, err = open(ctx, url); err == nil {
			p.sources = append(p.sources, s)
		}
	}
	add(t.RedisURL, openRedis)
	add(t.PostgresURL, openPostgres)
	add(t.NginxStatusURL, openNginx)
	if err == nil {
		_, err = p.Read(ctx) // says at once what cannot be read
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close ends the connections.
func (p *Probe) Close() error {
	var errs []error
	for _, s := range p.sources {
		errs = append(errs, s.close())
	}
	p.sources = nil
	return errors.Join(errs...)
}

// Sample is all counters at one moment. CPU is read twice, before and after the
// stores were asked, so that the work of asking falls into no phase.
type Sample struct {
	early, late cpuSample
	counters    map[string]float64
}

// Read takes a sample. The error says what could not be read.
func (p *Probe) Read(ctx context.Context) (s Sample, err error) {
	if s.early, err = readCPU(p.targets); err != nil {
		return s, err
	}
	s.counters = map[string]float64{}
	for _, src := range p.sources {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := src.read(ctx, s.counters)
		cancel()
		if err != nil {
			return s, err
		}
	}
	s.late, err = readCPU(p.targets)
	return s, err
}

// Between is what was used from one sample to the next of the same probe. A
// counter that fell, because its program was restarted, is left out: the
// difference would be wrong. Idle burn is not subtracted.
func Between(before, after Sample) trial.Usage {
	from, to := before.late, after.early
	u := trial.Usage{Seconds: to.at.Sub(from.at).Seconds(), CPU: map[trial.Tier]float64{}, Component: map[string]float64{}, Throttled: map[string]trial.Throttle{},
		RSS: map[string]int64{}, Counters: map[string]float64{}, Busy: map[string]float64{}, Ticks: map[string]trial.CPUTicks{}}
	known := to.generator - from.generator
	u.CPU[trial.GeneratorTier] = known
	for name, now := range to.components {
		seconds := max(0, now.cpu-from.components[name].cpu)
		u.Component[name] = seconds
		u.CPU[now.tier] += seconds
		u.RSS[name] = now.rss
		known += seconds
		if was := from.components[name].throttle; now.throttle.Periods > was.Periods {
			u.Throttled[name] = trial.Throttle{Periods: now.throttle.Periods - was.Periods,
				Throttled: now.throttle.Throttled - was.Throttled, Seconds: now.throttle.Seconds - was.Seconds}
		}
	}
	var busy, steal int64
	for name, now := range to.cpus {
		was := from.cpus[name]
		used := trial.CPUTicks{Busy: now.Busy - was.Busy, Steal: now.Steal - was.Steal, Total: now.Total - was.Total}
		u.Ticks[name] = used
		busy += used.Busy
		steal += used.Steal
		if used.Total > 0 {
			u.Busy[name] = float64(used.Busy) / float64(used.Total)
		}
	}
	u.Steal = float64(steal) * trial.TickSeconds
	u.Foreign = max(0, float64(busy)*trial.TickSeconds-known)
	for name, now := range after.counters {
		if d := now - before.counters[name]; d >= 0 {
			u.Counters[name] = d
		}
	}
	return u
}

// wrong names the source in an error.
func wrong(what string, err error) error { return fmt.Errorf("read the counters of %s: %w", what, err) }
