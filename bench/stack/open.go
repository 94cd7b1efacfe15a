package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kinds of runtimes, as they are asked for.
const (
	KindAuto    = "auto"    // native where its programs are here, else compose
	KindNative  = "native"  // processes of this machine
	KindCompose = "compose" // containers
)

// ParseKind finds out what kind of runtime a name asks for.
func ParseKind(name string) (string, error) {
	kinds := []string{KindAuto, KindNative, KindCompose}
	for _, k := range kinds {
		if k == name {
			return k, nil
		}
	}
	return "", fmt.Errorf("unknown runtime %q: allowed are %s", name, strings.Join(kinds, ", "))
}

// Open makes a runtime of a kind, starting nothing yet. For KindAuto it says by
// why what was chosen and for what reason; otherwise why is empty.
func Open(ctx context.Context, kind string, opts Options) (rt *Runtime, chosen, why string, err error) {
	if kind == KindAuto {
		kind, why = KindNative, "nginx, Redis and PostgreSQL are here"
		if _, err := findPrograms(opts.ServerBinary); err != nil {
			kind, why = KindCompose, err.Error()
		}
		why = fmt.Sprintf("runtime %s: %s", kind, why)
	}
	switch kind {
	case KindNative:
		rt, err = NewNative(opts)
	case KindCompose:
		rt, err = NewCompose(ctx, opts)
	default:
		_, err = ParseKind(kind)
	}
	if err != nil && why != "" {
		err = errors.Join(errors.New(why), err)
	}
	return rt, kind, why, err
}
