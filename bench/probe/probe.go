// Package probe reads what happens beside the load: CPU by tier, memory,
// throttling, time stolen by the hypervisor, and the work that Redis, PostgreSQL
// and nginx have counted themselves.
//
// In: the components of a running system (Targets). Out: a Sample of all
// counters at one moment, and from two of them the trial.Usage between. The
// probe's own requests to the stores and to nginx are not in the counters.
//
// What is down, hung or started anew between two samples is data: the usage says
// what is missing and why, and holds no figure that rests on it.
package probe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"authbench/bench/trial"
)

// Component is one part of the system under test.
type Component interface {
	Name() string     // nginx, r1, redis, postgres, ...
	Tier() trial.Tier // whose sum its CPU goes into

	CPU() (float64, error)             // CPU-seconds since some moment, children included; never falls, not even by a restart
	Throttle() (trial.Throttle, error) // since it started; all zero without a budget
	RSS() int64                        // resident bytes, children included
	Collected() float64                // that part of CPU which the kernel counts as ours: of children of ours that have ended
}

// Targets says what to read. What is empty is left out.
type Targets struct {
	Components     []Component
	Standby        []Component // no parts of the system; whose CPU is not to be taken for the generator's once a fault has ended them
	RedisURL       string      // redis://host:port/db
	PostgresURL    string      // postgres://user@host:port/database, of a user that may read statistics
	NginxStatusURL string      // where nginx serves stub_status
	CPUs           []string    // numbers of the CPUs that system and generator use: "0", "1"
}

// Probe reads the targets. It keeps one connection to each store. Not safe for
// concurrent use.
type Probe struct {
	targets Targets
	sources map[string]source // by name, which begins the names of its counters
}

// source is one program with counters of its own.
type source interface {
	// read adds the counters as they stand, less what the probe itself has
	// caused. The life is another one after a restart, which starts the counters
	// anew; it is empty where the program does not say.
	read(ctx context.Context, counters map[string]float64) (life string, err error)
	close() error
}

// patience bounds one sample, in which all sources are read at once: a hung
// store must not hold up the load. In health they answer within milliseconds.
const (
	patience        = time.Second
	openingPatience = 5 * time.Second // of New, which a busy machine must not fail
)

// New connects to what the targets name. The error says which of them cannot be
// read: nothing has broken yet, so the targets are wrong.
func New(ctx context.Context, t Targets) (*Probe, error) {
	p := &Probe{targets: t, sources: map[string]source{}}
	ctx, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	var err error
	add := func(name, url string, open func(context.Context, string) (source, error)) {
		if url == "" || err != nil {
			return
		}
		var s source
		if s, err = open(ctx, url); err == nil {
			p.sources[name] = s
		}
	}
	add("redis", t.RedisURL, openRedis)
	add("postgres", t.PostgresURL, openPostgres)
	add("nginx", t.NginxStatusURL, openNginx)
	if err == nil {
		var s Sample
		s, err = p.read(ctx)
		for _, why := range s.missing() {
			err = errors.Join(err, errors.New(why))
		}
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
// stores were asked, so that the work of asking falls into no step.
type Sample struct {
	early, late cpuSample
	counters    map[string]float64
	lives       map[string]string // by source
	unread      map[string]string // sources whose counters are not there, and why
}

// missing is all that a sample lacks.
func (s Sample) missing() map[string]string {
	all := map[string]string{}
	for name, why := range s.unread {
		all[name+counters] = why
	}
	maps.Copy(all, s.early.missing)
	maps.Copy(all, s.late.missing)
	return all
}

// What the keys of trial.Usage.Missing end in.
const (
	counters = " counters"
	cpuTime  = " CPU"
)

// Read takes a sample within about a second. What could not be read is in the
// sample; the error says that ctx has ended.
func (p *Probe) Read(ctx context.Context) (Sample, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, _ := p.read(within)
	return s, ctx.Err()
}

func (p *Probe) read(ctx context.Context) (Sample, error) {
	s := Sample{early: readCPU(p.targets), counters: map[string]float64{}, lives: map[string]string{}, unread: map[string]string{}}
	var mu sync.Mutex
	var reads sync.WaitGroup
	for name, src := range p.sources {
		reads.Go(func() {
			read := map[string]float64{}
			life, err := src.read(ctx, read)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.unread[name] = err.Error()
				return
			}
			s.lives[name] = life
			maps.Copy(s.counters, read)
		})
	}
	reads.Wait()
	s.late = readCPU(p.targets)
	return s, ctx.Err()
}

// Between is what was used from one sample to the next of the same probe. Where
// a counter is not known at both ends, or its program was started anew between
// them, it is left out and Missing says why: the difference would be wrong. Idle
// burn is not subtracted.
func Between(before, after Sample) trial.Usage {
	from, to := before.late, after.early
	u := trial.Usage{Seconds: to.at.Sub(from.at).Seconds(), CPU: map[trial.Tier]float64{}, Component: map[string]float64{},
		Throttled: map[string]trial.Throttle{},
		RSS:       map[string]int64{}, Counters: map[string]float64{}, Busy: map[string]float64{}, Ticks: map[string]trial.CPUTicks{},
		Missing: map[string]string{}}
	maps.Copy(u.Missing, from.missing)
	maps.Copy(u.Missing, to.missing)
	known := to.generator - from.generator
	u.CPU[trial.GeneratorTier] = known
	for name, now := range to.components {
		if _, missing := u.Missing[name+cpuTime]; missing {
			continue
		}
		seconds := now.cpu - from.components[name].cpu
		if seconds < 0 {
			u.Missing[name+cpuTime] = "its CPU time started anew"
			continue
		}
		u.Component[name] = seconds
		u.CPU[now.tier] += seconds
		u.RSS[name] = now.rss
		known += seconds
		if was := from.components[name].throttle; now.throttle.Periods > was.Periods {
			u.Throttled[name] = trial.Throttle{Periods: now.throttle.Periods - was.Periods,
				Throttled: now.throttle.Throttled - was.Throttled, Seconds: now.throttle.Seconds - was.Seconds}
		} else if now.throttle.Periods < was.Periods {
			u.Missing[name+" throttling"] = "its counters started anew"
		}
	}
	var busy, steal int64
	for name, now := range to.cpus {
		was, ok := from.cpus[name]
		if !ok {
			continue
		}
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
	withoutSums(&u, to.components)
	countersBetween(before, after, &u)
	return u
}

// withoutSums takes away the sums that something unread is part of: the CPU of
// its tier, and the CPU of nobody we know, among which it would be counted.
func withoutSums(u *trial.Usage, components map[string]componentSample) {
	for name, c := range components {
		why, missing := u.Missing[name+cpuTime]
		if !missing {
			continue
		}
		delete(u.CPU, c.tier)
		u.Missing[trial.MissingForeign] = name + ": " + why
	}
	for _, what := range []string{"generator", "machine"} {
		if why, missing := u.Missing[what+cpuTime]; missing {
			u.Missing[trial.MissingForeign] = why
		}
	}
	if _, missing := u.Missing[trial.MissingForeign]; missing {
		u.Foreign = 0
	}
	if _, missing := u.Missing["generator"+cpuTime]; missing {
		delete(u.CPU, trial.GeneratorTier)
	}
}

// countersBetween fills in what each source has counted between two samples of
// one life of it.
func countersBetween(before, after Sample, u *trial.Usage) {
	for _, s := range []Sample{before, after} {
		for source, why := range s.unread {
			u.Missing[source+counters] = why
		}
	}
	for source, life := range after.lives {
		if was, ok := before.lives[source]; ok && was != life {
			u.Missing[source+counters] = "started anew in between"
		}
	}
	for name, now := range after.counters {
		source, _, _ := strings.Cut(name, "_")
		if now < before.counters[name] && after.lives[source] == "" { // it does not tell its lives apart
			u.Missing[source+counters] = name + " fell: started anew in between"
		}
	}
	for name, now := range after.counters {
		source, _, _ := strings.Cut(name, "_")
		if _, missing := u.Missing[source+counters]; !missing {
			u.Counters[name] = max(0, now-before.counters[name]) // what a hung one sent to us is an estimate
		}
	}
}

// wrong names the source in an error.
func wrong(what string, err error) error { return fmt.Errorf("read the counters of %s: %w", what, err) }
