package stack

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// CPU never falls over a restart, with control groups and without; and what the
// kernel then counts as ours is known to be the component's.
func TestCPUContinuesOverRestarts(t *testing.T) {
	for name, grouped := range map[string]bool{"control groups": true, "clocks of processes": false} {
		t.Run(name, func(t *testing.T) {
			n := newNative(t)
			if !grouped {
				n.host.(*native).groups = nil
			} else if n.host.(*native).groups == nil {
				t.Skipf("no control groups here: %s", n.Capabilities().Reason)
			}
			s := up(t, n, cell("session/redis", 1, trial.RoundRobin))
			c, err := s.Component("redis")
			if err != nil {
				t.Fatal(err)
			}
			used := func() float64 {
				t.Helper()
				v, err := c.CPU()
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			first := used()
			if err := withRedis(n.redis.url, func(r *redis.Client) error {
				return r.Eval(t.Context(), "local x = 0; for i = 1, 10000000 do x = x + i end; return 1", nil).Err()
			}); err != nil {
				t.Fatal(err)
			}
			burnt := used()
			if burnt < first+0.02 {
				t.Fatalf("%v s, and after a script that burns CPU %v s", first, burnt)
			}
			before, err := process.ChildrenCPU()
			if err != nil {
				t.Fatal(err)
			}
			collected := c.Collected()
			if err := c.Halt(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			after, err := process.ChildrenCPU()
			if err != nil {
				t.Fatal(err)
			}
			down := used()
			ours, its := (after - before).Seconds(), c.Collected()-collected
			if down < burnt || its < burnt-first || ours-its > 0.02 || its-ours > 0.02 {
				t.Errorf("%v s before it was killed, %v s after; the kernel charged us with %v s, of which %v s are known as its",
					burnt, down, ours, its)
			}
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if anew := used(); anew <= down {
				t.Errorf("%v s down, %v s after it was started again", down, anew)
			}
			if err := s.Down(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A fault that nobody has ended is undone when the stack comes down, and the next
// trial finds a store that serves.
func checkWhatIsLeftBrokenIsMended(t *testing.T, n *Runtime) {
	for _, arm := range []trial.Arm{"session/redis", "session/postgres"} {
		for _, leave := range []func(context.Context, *Component) error{
			func(ctx context.Context, c *Component) error { return c.Pause(ctx) },
			func(ctx context.Context, c *Component) error { return c.Halt(ctx, false) },
			func(ctx context.Context, c *Component) error { return c.Trouble(ctx, Trouble{Name: ReadOnly}) },
			func(ctx context.Context, c *Component) error { return c.Trouble(ctx, Trouble{Name: Crowded}) },
		} {
			s := up(t, n, cell(arm, 1, trial.RoundRobin))
			store, err := s.Component("store")
			if err == nil {
				err = leave(t.Context(), store)
			}
			if err != nil {
				t.Fatal(err)
			}
			r1, err := s.Component("r1")
			if err == nil {
				err = r1.Pause(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := s.Down(t.Context()); err != nil {
				t.Errorf("%s: what was asked for is reported: %v", arm, err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%s: coming down took %v", arm, took)
			}
		}
		s := up(t, n, cell(arm, 1, trial.RoundRobin)) // tries a credential
		if err := s.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Who resumes a component and does not wait for it leaves it alive: a fault that
// comes and goes may be ended at any moment.
func TestAnEndedContextDoesNotEndWhatIsResumed(t *testing.T) {
	s := up(t, newNative(t), cell("session/memory", 1, trial.RoundRobin))
	c, err := s.Component("r1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.Resume(ended); err == nil || !c.Running() {
		t.Fatalf("resumed in an ended context: %v, running %v; want an error and true", err, c.Running())
	}
	if err := c.Resume(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}
