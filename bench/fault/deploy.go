package fault

import (
	"context"
	"errors"

	"authbench/bench/stack"
)

func deployKind() Kind {
	return Kind{Name: "deploy", on: []thing{fleet},
		Does: "a rolling deployment: drains each replica in turn, starts it anew and puts it back; it is over when all are new",
		open: func(string, settings) (Fault, error) { return &deploy{}, nil }}
}

type deploy struct {
	stop   context.CancelFunc // nil before Begin
	done   chan struct{}      // closed when it is over
	failed error
}

func (*deploy) Needs() stack.Capability { return "" }

// Begin shows in that the first replica is out of service. The rest goes on by
// itself.
func (f *deploy) Begin(ctx context.Context, s *stack.Stack) error {
	if f.stop != nil {
		return nil
	}
	names := s.Names()
	if err := s.Drain(ctx, names[0]); err != nil {
		return errors.Join(err, s.Return(context.WithoutCancel(ctx), names[0]))
	}
	on, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop, f.done = stop, make(chan struct{})
	go func() {
		defer close(f.done)
		f.failed = roll(on, s, names)
	}()
	return nil
}

// roll goes on once the first replica is drained. A replica is not left out of
// service because of another's trouble.
func roll(ctx context.Context, s *stack.Stack, names []string) (err error) {
	for i, name := range names {
		if i > 0 {
			if err = s.Drain(ctx, name); err != nil {
				return errors.Join(err, s.Return(ctx, name))
			}
		}
		if err = s.Return(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// End waits until all replicas are new and serve.
func (f *deploy) End(ctx context.Context, _ *stack.Stack) error {
	if f.stop == nil {
		return nil
	}
	defer context.AfterFunc(ctx, f.stop)()
	<-f.done
	return f.failed
}
