package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbench/bench/trial"
)

// breakable is a unit that can be broken and mended. What is done to it here was
// asked for: Died reports none of it. All is fine twice.
type breakable interface {
	unit
	// Halt ends it so that Start can undo that: politely, as its maker would have it
	// ended, or as a crash would. It returns when all of it is gone.
	Halt(ctx context.Context, politely bool) error
	// Start starts it again as it was: the same settings, addresses and folders. It
	// returns when it serves.
	Start(ctx context.Context) error
	// Pause stops all of it from running; its connections and listeners stay open.
	Pause(ctx context.Context) error
	// Resume lets it go on and returns when it serves.
	Resume(ctx context.Context) error
}

// contents is what a store holds, beyond the life of one process of it.
type contents interface {
	keep(ctx context.Context) error // what it holds now outlives it
	lose(ctx context.Context) error // it holds nothing when it starts again
	restarted() error               // it serves again
	forget()                        // what is in it is no longer known

	trouble(ctx context.Context, t Trouble) error        // see [Component.Trouble]
	relieve(ctx context.Context, name TroubleName) error // see [Component.Relieve]
}

// Component finds a part of the system by its name. "store" is the one that the
// arm's sessions are in.
func (s *Stack) Component(name string) (*Component, error) {
	s.fleet.Lock()
	defer s.fleet.Unlock()
	var names []string
	for _, c := range slices.Concat(s.Components, s.standby) {
		if c.name == name || name == "store" && c.tier == trial.StoreTier {
			return c, nil
		}
		names = append(names, c.name)
	}
	return nil, fmt.Errorf("there is no %q in %s: there are %s", name, s.spec.System.Arm, strings.Join(names, ", "))
}

func (c *Component) breakable() (breakable, error) {
	if b, ok := c.unit.(breakable); ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s is not ours to break", c.name)
}

// Halt ends a component, politely or as a crash would, and returns when it is
// gone. It is asked for: the stack does not report a death.
func (c *Component) Halt(ctx context.Context, politely bool) error {
	b, err := c.breakable()
	if err != nil {
		return err
	}
	c.forget()
	if err := b.Halt(ctx, politely); err != nil {
		return fmt.Errorf("end %s: %w", c.name, err)
	}
	return nil
}

// Start starts a component that was halted, with the same addresses and folders,
// and returns when it serves.
func (c *Component) Start(ctx context.Context) error {
	b, err := c.breakable()
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", c.name, err)
	}
	if c.contents != nil {
		return c.contents.restarted()
	}
	return nil
}

// Running says whether any process of the component exists, paused or not.
func (c *Component) Running() bool { return len(c.unit.PIDs()) > 0 }

// Pause stops a component from running, as if its machine hung: its connections
// stay open and nothing answers. It returns when all of its processes have stopped.
func (c *Component) Pause(ctx context.Context) error {
	b, err := c.breakable()
	if err != nil {
		return err
	}
	c.paused.Store(true)
	if err := b.Pause(ctx); err != nil {
		return fmt.Errorf("hang %s: %w", c.name, err)
	}
	return nil
}

// Resume lets a component that was paused go on, and returns when it serves.
func (c *Component) Resume(ctx context.Context) error {
	b, err := c.breakable()
	if err != nil {
		return err
	}
	if err := b.Resume(ctx); err != nil {
		return fmt.Errorf("let %s go on: %w", c.name, err)
	}
	c.paused.Store(false)
	return nil
}

// Keep makes what a store holds now outlive it: Redis, which keeps nothing on
// disk here, takes a snapshot (RDB) that it will start from; PostgreSQL keeps all
// that was committed anyway.
func (c *Component) Keep(ctx context.Context) error {
	if c.contents == nil {
		return fmt.Errorf("%s is no store: only a store's data can be kept", c.name)
	}
	return c.contents.keep(ctx)
}

// Lose makes a store hold nothing when it is started again: Redis by itself,
// PostgreSQL because its tables are emptied now.
func (c *Component) Lose(ctx context.Context) error {
	if c.contents == nil {
		return fmt.Errorf("%s is no store: only a store's data can be lost", c.name)
	}
	c.contents.forget()
	return c.contents.lose(ctx)
}

func (c *Component) forget() {
	if c.contents != nil {
		c.contents.forget()
	}
}

// mend undoes what a fault that was not ended has left. A store that is gone is
// started by the next stack that needs it.
func (c *Component) mend(ctx context.Context) error {
	if c.link != nil {
		c.link.heal()
	}
	if !c.Running() {
		return nil
	}
	if !c.paused.Load() {
		return c.relieved(ctx)
	}
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.Resume(within); err != nil {
		c.paused.Store(false)
		return fmt.Errorf("%w; it is ended instead: %v", err, c.Halt(ctx, false))
	}
	return c.relieved(ctx)
}
