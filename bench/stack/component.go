package stack

import (
	"fmt"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Component is one part of the system whose resources are accounted for on
// their own.
type Component struct {
	name    string
	tier    trial.Tier
	process *process.Process
	group   *group // nil where control groups cannot be used
}

// component makes, or takes up again, the accounting of a part.
func (n *Native) component(name string, tier trial.Tier) (*Component, error) {
	c := &Component{name: name, tier: tier}
	if n.groups == nil {
		return c, nil
	}
	g, err := n.groups.group(name)
	if err != nil {
		return nil, err
	}
	c.group = g
	return c, nil
}

// Name is nginx, r1, r2, ..., redis or postgres.
func (c *Component) Name() string { return c.name }

// Tier is the layer that the component belongs to.
func (c *Component) Tier() trial.Tier { return c.tier }

func (c *Component) run(p *process.Process) { c.process = p }

func (c *Component) groupDirs() []string {
	if c.group == nil {
		return nil
	}
	return c.group.dirs()
}

// PIDs lists the component's processes now.
func (c *Component) PIDs() []int { return c.process.PIDs() }

// CPU is the CPU time used so far, in seconds, to the
// microsecond or finer. It only grows; where it starts is of no meaning.
func (c *Component) CPU() (seconds float64, err error) {
	if c.group != nil {
		return c.group.used()
	}
	d, err := c.process.CPU()
	return d.Seconds(), err
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
func (c *Component) RSS() int64 { return c.process.RSS() }

// setBudget limits the component to so many CPUs; 0 lifts the limit.
func (c *Component) setBudget(cpus float64) error {
	if c.group == nil {
		if cpus == 0 {
			return nil
		}
		return fmt.Errorf("CPU budget of %s: there are no control groups", c.name)
	}
	return c.group.setBudget(cpus)
}

// budgets puts the spec's budgets into force.
func (s *Stack) budgets() error {
	for _, c := range s.Components {
		if err := c.setBudget(s.spec.Budgets[c.tier]); err != nil {
			return err
		}
	}
	return nil
}
