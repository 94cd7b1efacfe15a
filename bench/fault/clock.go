package fault

import (
	"context"
	"fmt"
	"time"

	"authbench/bench/stack"
)

func clockKind() Kind {
	return Kind{Name: "clock", on: []thing{replicas},
		Does:     "restarts a replica with a clock that is wrong, and at the end with one that is right",
		Settings: []Setting{{"shift", "by which the clock is fast, or slow if negative: such as 30s or -5m"}},
		open:     openClock}
}

func openClock(target string, with settings) (Fault, error) {
	shift, err := time.ParseDuration(with.values["shift"])
	if err != nil || shift == 0 {
		return nil, fmt.Errorf("how wrong? %s", with.allowed())
	}
	return apart{target: target, oddity: stack.Oddity{ClockShift: shift}}, nil
}

// apart is one replica that differs from the others.
type apart struct {
	target string
	oddity stack.Oddity
	shows  func(ctx context.Context, s *stack.Stack, target string) error // besides in what it says of itself; nil: nothing
}

func (apart) Needs() stack.Capability { return stack.CanRelaunch }

// Begin shows in what the replica says of itself.
func (f apart) Begin(ctx context.Context, s *stack.Stack) error {
	if err := s.SetApart(ctx, f.target, f.oddity); err != nil || f.shows == nil {
		return err
	}
	return f.shows(ctx, s, f.target)
}

// End shows likewise.
func (f apart) End(ctx context.Context, s *stack.Stack) error {
	return s.SetApart(ctx, f.target, stack.Oddity{})
}
