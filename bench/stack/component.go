package stack

import (
	"errors"
	"fmt"
	"sync/atomic"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Component is one part of the system whose resources are accounted for on
// their own.
type Component struct {
	name  string
	tier  trial.Tier
	unit  unit
	group *group                   // nil where control groups cannot be used
	limit func(cpus float64) error // sets a budget, 0 lifts it; nil where there are none

	contents contents      // of a store; else nil
	troubles []TroubleName // that it may still be in
	way      *Link         // to a store, once a trial has asked for one
	link     *Link         // the same, in a trial that asks for it
	paused   atomic.Bool
	oddity   Oddity // of a replica
}

// Name is nginx, r1, r2, ..., redis or postgres; and docker-proxy, the engine's
// own forwarder from a published port.
func (c *Component) Name() string { return c.name }

// Tier is the layer that the component belongs to.
func (c *Component) Tier() trial.Tier { return c.tier }

// PIDs lists the component's processes now.
func (c *Component) PIDs() []int { return c.unit.PIDs() }

// CPU is the CPU time used so far, in seconds, to the
// microsecond or finer. It only grows, over restarts too; where it starts is of
// no meaning.
func (c *Component) CPU() (seconds float64, err error) {
	if seconds, _, err = c.unit.CPU(); err != nil {
		err = fmt.Errorf("read the CPU time of %s: %w", c.name, err)
	}
	return seconds, err
}

// Throttle is what a budget has withheld so far. Without a budget it is zero.
func (c *Component) Throttle() (trial.Throttle, error) {
	if c.group == nil {
		return trial.Throttle{}, nil
	}
	return c.group.throttle()
}

// RSS is the resident memory in bytes, 0 once the component has ended. Memory
// that processes share counts in each of them.
func (c *Component) RSS() int64 {
	if c.group != nil { // knows them without a search among all processes
		return process.RSS(c.group.pids())
	}
	return process.RSS(c.unit.PIDs())
}

// Collected is the part of CPU that the kernel counts as ours: of processes of the
// component that have ended, in seconds.
func (c *Component) Collected() float64 {
	_, collected, _ := c.unit.CPU()
	return collected
}

// setBudget limits the component to so many CPUs; 0 lifts the limit.
func (c *Component) setBudget(cpus float64) error {
	if c.limit == nil {
		if cpus == 0 {
			return nil
		}
		return fmt.Errorf("CPU budget of %s: there are no control groups", c.name)
	}
	return c.limit(cpus)
}

// budgets puts the spec's budgets into force.
func (s *Stack) budgets() error {
	for _, c := range s.Components {
		if cpus := s.spec.System.Budgets[c.tier]; cpus != 0 {
			if err := c.setBudget(cpus); err != nil {
				return err
			}
		}
	}
	return nil
}

// withoutBudgets lifts them again. They belong to control groups, which the next
// trial takes up: what is up ends faster without, and what comes starts faster.
func (s *Stack) withoutBudgets() error {
	var errs []error
	for _, c := range s.Components {
		if s.spec.System.Budgets[c.tier] != 0 {
			errs = append(errs, c.setBudget(0))
		}
	}
	return errors.Join(errs...)
}
