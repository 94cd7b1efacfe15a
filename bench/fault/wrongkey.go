package fault

import (
	"context"
	"fmt"

	"authbench/bench/stack"
)

func wrongKeyKind() Kind {
	return Kind{Name: "wrongkey", on: []thing{replicas}, ofKeys: true,
		Does: "restarts a replica with keys of its own, so that it and the others refuse each other's credentials; at the end with theirs",
		open: func(target string, _ settings) (Fault, error) {
			return apart{target: target, oddity: stack.Oddity{OwnKeys: true}, shows: refuses}, nil
		}}
}

// refuses says whether a replica refuses what the others accept.
func refuses(ctx context.Context, s *stack.Stack, target string) error {
	if len(s.Credentials) == 0 {
		return nil
	}
	return shows(ctx, func(ctx context.Context) error {
		if ok, err := s.Accepts(ctx, target, s.Credentials[0]); ok || err != nil {
			return fmt.Errorf("%s accepts what others have signed (%v)", target, err)
		}
		return nil
	})
}
