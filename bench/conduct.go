package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbench/bench/experiment"
	"authbench/bench/load"
	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// conductor carries out single trials.
type conductor struct {
	runtime *stack.Runtime
	ledger  *process.Ledger
	k6      load.K6 // binary, scripts, CPUs; the script and its settings come from the spec
	cpus    []string
	judge   instrument
	seed    uint64
}

// conduct makes one trial. What goes wrong in the system under test is data in
// the trial; the error is for what makes going on pointless: the stack does not
// come up, k6 does not run, an answer named the wrong user. An interrupted
// trial comes back as aborted with ctx's error.
func (c *conductor) conduct(ctx context.Context, plan *experiment.Plan, job experiment.Job, order int) (t trial.Trial, err error) {
	t = trial.Trial{Key: job.Spec.Key(job.Block, job.Attempt), Spec: job.Spec, Block: job.Block, Attempt: job.Attempt,
		Order: order, Status: trial.OK, Started: time.Now()}
	defer func() {
		t.Seconds = time.Since(t.Started).Seconds()
		t.Started = t.Started.UTC() // only now: it strips the monotonic clock
		if err != nil {
			t.Status = trial.Aborted
			t.Warn("%v", err)
			err = fmt.Errorf("%s (block %d): %w", job.Spec, job.Block, err)
		}
	}()
	s, err := c.runtime.Up(ctx, job.Spec)
	if err != nil {
		return t, err
	}
	t.Warnings = append(t.Warnings, s.Warnings...)
	measure := c.drive
	if job.Spec.Load.Script != "" {
		measure = c.script
	}
	err = measure(ctx, s, plan, job, &t)
	// The stack comes down whatever happened, and even when ctx is cancelled.
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if derr := s.Down(down); derr != nil { // a replica that died or restarted meanwhile
		t.Doubt(trial.Doubt{Cause: died, Spoils: spoilt(), Text: derr.Error()})
	}
	if err != nil {
		return t, err
	}
	// A wall clock that was set, or a machine that slept, falsifies every time.
	elapsed := time.Since(t.Started) // monotonic
	if jump := (time.Now().Round(0).Sub(t.Started.Round(0)) - elapsed).Abs(); jump > clockJumpBound {
		t.Doubt(trial.Doubt{Cause: clockStep, Amount: jump.Seconds(), Bound: clockJumpBound.Seconds(), Unit: "s", Spoils: []trial.Aspect{trial.WallClock},
			Text: fmt.Sprintf("the clock jumped by %v", jump.Round(time.Millisecond))})
	}
	for i := range t.Phases {
		t.Doubt(c.judge.doubts(&t.Phases[i])...)
	}
	return t, nil
}

// drive runs the phases with the driver and reads the probe around each.
func (c *conductor) drive(ctx context.Context, s *stack.Stack, plan *experiment.Plan, job experiment.Job, t *trial.Trial) error {
	p, err := c.probe(ctx, s)
	if err != nil {
		return err
	}
	defer p.Close()
	d, err := load.NewDriver(s.Target(), job.Spec.Load, c.seed+uint64(t.Order))
	if err != nil {
		return err
	}
	defer d.Close()
	ceiling := 0.0 // of a search: the throughput of the closed phase before it
	for _, ph := range plan.Phases(job) {
		m, err := around(ctx, p, func() (trial.Measurement, error) {
			if ph.Mode == trial.Search {
				return d.Search(ctx, ph, ceiling)
			}
			return d.Run(ctx, ph)
		})
		if n := m.Outcomes[trial.WrongUser]; n > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %d answers named another user than the credential's: the arm is broken, and no figure of it can stand", ph.Name, n))
		}
		if ph.Warmup && err == nil {
			for _, n := range m.Notes {
				t.Doubt(trial.Doubt{Phase: ph.Name, Cause: shortWarmup, Text: n})
			}
			continue
		}
		t.Phases = append(t.Phases, m)
		if err != nil {
			return err
		}
		if ph.Mode == trial.Closed {
			ceiling = m.Throughput()
		}
	}
	return nil
}

// script runs a k6 script; what the probe read around it is a phase of its own.
func (c *conductor) script(ctx context.Context, s *stack.Stack, _ *experiment.Plan, job experiment.Job, t *trial.Trial) error {
	p, err := c.probe(ctx, s)
	if err != nil {
		return err
	}
	defer p.Close()
	m, err := around(ctx, p, func() (trial.Measurement, error) {
		started := time.Now()
		j, err := c.k6.Run(ctx, job.Spec, s.URL, s.ReplicaURLs())
		t.Journey = &j
		if errors.Is(err, load.ErrThreshold) && j.Counters["wrong_user"] == 0 { // the script ran to its end; some requests failed
			t.Doubt(trial.Doubt{Cause: "k6 threshold crossed", Text: err.Error()}) // what failed is a result
			err = nil
		}
		return trial.Measurement{Phase: trial.Phase{Name: "journey"}, Started: started.UTC(), Seconds: time.Since(started).Seconds()}, err
	})
	t.Phases = append(t.Phases, m)
	return err
}

// around measures f's work with the probe before and after it.
func around(ctx context.Context, p *probe.Probe, f func() (trial.Measurement, error)) (trial.Measurement, error) {
	before, err := p.Read(ctx)
	if err != nil {
		return trial.Measurement{}, err
	}
	m, err := f()
	if err != nil {
		return m, err
	}
	after, err := p.Read(ctx)
	if err != nil {
		return m, err
	}
	m.Usage = probe.Between(before, after)
	return m, nil
}

func (c *conductor) probe(ctx context.Context, s *stack.Stack) (*probe.Probe, error) {
	var components []probe.Component
	for _, sc := range s.Components {
		components = append(components, sc)
	}
	return probe.New(ctx, probe.Targets{Components: components, RedisURL: s.RedisURL, PostgresURL: s.PostgresURL, NginxStatusURL: s.NginxStatusURL, CPUs: c.cpus})
}
