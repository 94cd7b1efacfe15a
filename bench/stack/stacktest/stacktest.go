// Package stacktest is what tests of stacks share. Tests of package stack itself
// are among them, so it is given what it needs of that package.
package stacktest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Containers returns a function that skips a test where containers cannot be had,
// and says why: where the error of obtain, which is [stack.Obtain], wraps lacking.
// Any other error fails the test. obtain is tried once for all tests: a registry
// that does not answer is waited for.
func Containers(obtain func(ctx context.Context, project string) error, lacking error, project string) func(t *testing.T) {
	obtained := sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		return obtain(ctx, project)
	})
	return func(t *testing.T) {
		t.Helper()
		if testing.Short() {
			t.Skip("starts containers: make test")
		}
		if err := obtained(); errors.Is(err, lacking) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
