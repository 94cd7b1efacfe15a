// Package stacktest is what tests of stacks share. Tests of package stack itself
// are among them, so it is given what it needs of that package.
package stacktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Containers returns a function that skips a test where containers cannot be had,
// and says why: where the error of obtain, which is [stack.Obtain], wraps lacking.
// Any other error fails the test. obtain is tried once for all tests: a registry
// that does not answer is waited for. Then the server's image is built, so that no
// test builds it anew while others do.
func Containers(obtain func(ctx context.Context, project string) error, lacking error, project string) func(t *testing.T) {
	obtained := sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := obtain(ctx, project); err != nil {
			return err
		}
		return build(project)
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

// build makes the layers of the server's image, by one test binary at a time: those
// that come later find them made.
func build(project string) error {
	name := fmt.Sprintf("authbench-test-image-%d.lock", os.Getuid())
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // lets it go
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "compose", "--env-file", os.DevNull, "--progress", "quiet", "build", "session-1")
	cmd.Dir = project
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}
