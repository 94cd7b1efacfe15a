package fault

import (
	"context"
	"fmt"

	"authbench/bench/stack"
)

// dataSetting says what a store holds when it is back.
var dataSetting = Setting{"data", "what a store holds when it is back: kept, or lost. " +
	"Without it, as the store is run here: Redis has lost all, PostgreSQL kept all. Redis keeps by a snapshot (RDB) as the fault begins"}

func killKind() Kind {
	return Kind{Name: "kill", on: []thing{stores, replicas, balancer},
		Does:     "ends a component as a crash would (SIGKILL) and starts it again at the end",
		Settings: []Setting{dataSetting}, open: func(target string, with settings) (Fault, error) { return openHalt(target, false, with) }}
}

// halt is kill and restart: a component is gone, and comes back with the same
// addresses.
type halt struct {
	target   string
	politely bool
	data     string // kept, lost, or ""
}

func openHalt(target string, politely bool, with settings) (Fault, error) {
	data, err := with.oneOf("data", "", "kept", "lost")
	return halt{target, politely, data}, err
}

func (halt) Needs() stack.Capability { return "" }

// Begin shows in that no process of the component is left.
func (h halt) Begin(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(h.target)
	if err != nil || !c.Running() {
		return err
	}
	switch h.data {
	case "kept":
		err = c.Keep(ctx)
	case "lost":
		err = c.Lose(ctx)
	}
	if err != nil {
		return err
	}
	if err := c.Halt(ctx, h.politely); err != nil {
		return err
	}
	if c.Running() {
		return fmt.Errorf("%s still runs", c.Name())
	}
	return nil
}

// End shows in that the component serves.
func (h halt) End(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(h.target)
	if err != nil {
		return err
	}
	return c.Start(ctx)
}
