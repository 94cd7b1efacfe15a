package fault

import (
	"context"

	"authbench/bench/stack"
)

func rotateKind() Kind {
	return Kind{Name: "rotate", on: []thing{keys},
		Does: "has a new key sign tokens as an operator would, while the old one goes on verifying; it is not undone",
		open: func(string, settings) (Fault, error) { return &change{to: (*stack.Stack).RotateKeys}, nil }}
}

// change is of what all replicas share, for good.
type change struct {
	to   func(*stack.Stack, context.Context) error
	done bool
}

func (*change) Needs() stack.Capability { return "" }

// Begin shows in what every replica signs by, and accepts.
func (f *change) Begin(ctx context.Context, s *stack.Stack) error {
	if f.done {
		return nil
	}
	err := f.to(s, ctx)
	f.done = err == nil
	return err
}

// End has nothing to undo.
func (*change) End(context.Context, *stack.Stack) error { return nil }
