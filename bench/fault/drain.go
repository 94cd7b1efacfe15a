package fault

import (
	"context"

	"authbench/bench/stack"
)

func drainKind() Kind {
	return Kind{Name: "drain", on: []thing{replicas},
		Does: "takes a replica out of nginx and has it finish and end (SIGTERM); at the end starts it and puts it back",
		open: func(target string, _ settings) (Fault, error) { return drain{target}, nil }}
}

type drain struct{ target string }

func (drain) Needs() stack.Capability { return "" }

// Begin shows in that nginx sends it nothing and no process of it is left.
func (f drain) Begin(ctx context.Context, s *stack.Stack) error { return s.Drain(ctx, f.target) }

// End shows in that it serves and nginx knows of it.
func (f drain) End(ctx context.Context, s *stack.Stack) error { return s.Return(ctx, f.target) }
