package fault

import (
	"context"

	"authbench/bench/stack"
)

func addKind() Kind {
	return Kind{Name: "add", on: []thing{replicas}, adds: true,
		Does: "starts one more replica, the next by its name, and tells nginx of it; at the end drains it",
		open: func(target string, _ settings) (Fault, error) { return add{target}, nil }}
}

type add struct{ target string }

func (add) Needs() stack.Capability { return "" }

// Begin shows in that the replica serves and nginx knows of it.
func (f add) Begin(ctx context.Context, s *stack.Stack) error { return s.Add(ctx, f.target) }

// End shows in that nginx sends it nothing and no process of it is left.
func (f add) End(ctx context.Context, s *stack.Stack) error { return s.Remove(ctx, f.target) }
