package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbench/bench/campaign"
	"authbench/bench/fault"
	"authbench/bench/load"
	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// house starts real systems for a campaign: a runtime's stacks, read by a probe
// and broken by faults.
type house struct {
	opened
	ledger *process.Ledger
	note   func(settings map[string]string) error // takes what PostgreSQL says of its settings; nil before it runs
}

// Lacks implements campaign.House.
func (h house) Lacks(n trial.Needs) string {
	caps := h.Capabilities()
	if n.Budgets && !caps.Budgets {
		return fmt.Sprintf("it needs CPU budgets (cgroups), which cannot be made here: %s", caps.Reason)
	}
	for _, f := range n.Faults {
		if err := fault.Check([]trial.Fault{f}, caps); err != nil {
			return err.Error()
		}
	}
	return ""
}

// Up implements campaign.House.
func (h house) Up(ctx context.Context, c trial.CellSpec) (campaign.System, error) {
	s, err := h.Runtime.Up(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := h.note(h.PostgresSettings()); err != nil {
		return nil, errors.Join(err, s.Down(context.WithoutCancel(ctx)))
	}
	return system{s, h.cpus()}, nil
}

// Close ends everything that trials may have left.
func (h house) Close() error { return errors.Join(h.Runtime.Close(), h.ledger.Close()) }

// system is a stack of the house.
type system struct {
	*stack.Stack
	cpus []string
}

func (s system) Warnings() []string { return s.Stack.Warnings }

// Meter implements campaign.System.
func (s system) Meter(ctx context.Context) (campaign.Meter, error) {
	var components, standby []probe.Component
	for _, c := range s.Components {
		components = append(components, c)
	}
	for _, c := range s.Standby() {
		standby = append(standby, c)
	}
	p, err := probe.New(ctx,
		probe.Targets{Components: components, Standby: standby, RedisURL: s.RedisURL, PostgresURL: s.PostgresURL,
			NginxStatusURL: s.NginxStatusURL, CPUs: s.cpus})
	if err != nil {
		return nil, err
	}
	return &meter{probe: p}, nil
}

// Break implements campaign.Breaker.
func (s system) Break(ctx context.Context, start time.Time, faults []trial.Fault, tell func(trial.Mark)) ([]trial.Mark, error) {
	return fault.Run(ctx, s.Stack, faults, start, tell), nil
}

// meter is a probe read before and after a step.
type meter struct {
	probe  *probe.Probe
	before probe.Sample
}

func (m *meter) Start(ctx context.Context) (err error) {
	m.before, err = m.probe.Read(ctx)
	return err
}

func (m *meter) Stop(ctx context.Context) (trial.Usage, error) {
	after, err := m.probe.Read(ctx)
	if err != nil {
		return trial.Usage{}, err
	}
	return probe.Between(m.before, after), nil
}

func (m *meter) Close() error { return m.probe.Close() }

// newGenerator is the driver of a campaign's trials.
func newGenerator(seed uint64) (campaign.Generator, error) { return load.NewGenerator(seed) }
