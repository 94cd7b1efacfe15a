package fault

import (
	"context"

	"authbench/bench/stack"
)

func hangKind() Kind {
	return Kind{Name: "hang", on: []thing{stores, replicas, balancer},
		Does: "stops all processes of a component from running and lets them go on at the end; its connections stay open",
		open: func(target string, _ settings) (Fault, error) { return hang{target}, nil }}
}

type hang struct{ target string }

func (hang) Needs() stack.Capability { return "" }

// Begin shows in that the kernel says of all processes that they are stopped.
func (h hang) Begin(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(h.target)
	if err != nil {
		return err
	}
	return c.Pause(ctx)
}

// End shows in that the component serves.
func (h hang) End(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(h.target)
	if err != nil {
		return err
	}
	return c.Resume(ctx)
}
