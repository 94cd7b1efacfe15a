package fault

import (
	"context"

	"authbench/bench/stack"
)

// trouble is a store that answers and does not do what it should.
type trouble struct {
	target string
	is     stack.Trouble
}

func (trouble) Needs() stack.Capability { return "" }

// Begin shows in what the store itself answers.
func (f trouble) Begin(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(f.target)
	if err != nil {
		return err
	}
	return c.Trouble(ctx, f.is)
}

// End shows likewise.
func (f trouble) End(ctx context.Context, s *stack.Stack) error {
	c, err := s.Component(f.target)
	if err != nil {
		return err
	}
	return c.Relieve(ctx, f.is.Name)
}
