package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbench/bench/stack"
)

func cutKind() Kind {
	return Kind{Name: "cut", on: []thing{stores}, Does: "cuts the link from a store to the replicas: calls reach it, and no answer comes back",
		Settings: []Setting{{"how", "reset (the connection ends when an answer should come; the default), or silence (it stays open)"}},
		open:     openCut}
}

type cut struct{ target, how string }

func openCut(target string, with settings) (Fault, error) {
	how, err := with.oneOf("how", "reset", "silence")
	return cut{target, how}, err
}

func (cut) Needs() stack.Capability { return stack.CanProxy }

// silenceShows is how long no answer must come for it to be none.
const silenceShows = 300 * time.Millisecond

// Begin shows in that a call through the link gets no answer.
func (f cut) Begin(ctx context.Context, s *stack.Stack) error {
	l, err := link(s, f.target)
	if err != nil {
		return err
	}
	toxic := map[string]string{"reset": "reset_peer", "silence": "timeout"}[f.how]
	if err := l.Disturb("cut", toxic, map[string]int64{"timeout": 0}); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, silenceShows)
	defer cancel()
	if _, err := l.Ask(within, 1); err == nil {
		return errors.New("the store still answers through the cut link")
	}
	return ctx.Err()
}

// End shows in that a call through the link is answered.
func (f cut) End(ctx context.Context, s *stack.Stack) error {
	l, err := link(s, f.target)
	if err != nil {
		return err
	}
	if err := l.Restore("cut"); err != nil {
		return err
	}
	return shows(ctx, func(ctx context.Context) error {
		if _, err := l.Ask(ctx, 1); err != nil {
			return fmt.Errorf("the store does not answer through the link: %w", err)
		}
		return nil
	})
}
