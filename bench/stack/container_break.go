package stack

import (
	"context"
	"fmt"
	"strings"
)

// CPU implements unit. What a container uses while it ends is in no figure.
func (c *container) CPU() (used, collected float64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.Load() {
		return c.past, 0, nil
	}
	used, err = c.life.group.used()
	return c.past + used, 0, err
}

// Halt implements breakable.
func (c *container) Halt(ctx context.Context, politely bool) error {
	if len(c.PIDs()) == 0 {
		return nil
	}
	if err := c.unpause(ctx); err != nil { // the engine ends no container that is paused
		return err
	}
	c.mu.Lock()
	if used, err := c.life.group.used(); err == nil && !c.asked.Load() {
		c.past += used
	}
	c.asked.Store(true)
	c.mu.Unlock()
	args := []string{"container", "kill", c.name}
	if politely {
		args = []string{"container", "stop", "--time", "10", c.name}
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWait) // see toItsEnd
	defer cancel()
	if err := toItsEnd(within, "is not running", args...); err != nil {
		return err
	}
	return comes(within, func() error {
		if len(c.PIDs()) > 0 || c.now().main.Alive() {
			return fmt.Errorf("%s still runs", c.name)
		}
		return nil
	})
}

// Start implements breakable. nginx and the replicas have asked the engine where
// it is, so it must be there again.
func (c *container) Start(ctx context.Context) error {
	if len(c.PIDs()) == 0 {
		if _, err := docker(ctx, "container", "start", c.name); err != nil {
			return err
		}
		again, err := inspect(ctx, c.name)
		if err != nil {
			return err
		}
		next := again[0].life
		if was := c.now().inner; next.inner != was {
			return fmt.Errorf("container %s came back at %s and was at %s: who knows it does not find it", c.name, next.inner, was)
		}
		c.mu.Lock()
		c.life = next
		c.asked.Store(false)
		c.mu.Unlock()
	}
	return ready(ctx, c.name, c, c.serves)
}

// Pause implements breakable: the engine freezes the control group.
func (c *container) Pause(ctx context.Context) error {
	return toItsEnd(ctx, "already paused", "container", "pause", c.name)
}

// Resume implements breakable.
func (c *container) Resume(ctx context.Context) error {
	if err := c.unpause(ctx); err != nil {
		return err
	}
	return serving(ctx, c.name, c, c.serves)
}

func (c *container) unpause(ctx context.Context) error {
	return toItsEnd(ctx, "is not paused", "container", "unpause", c.name)
}

// toItsEnd runs a command of the engine that is fine twice: the engine then says
// the words of done. It is waited for even if ctx ends: the engine carries it out
// all the same, and must not do so after what comes next.
func toItsEnd(ctx context.Context, done string, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWait)
	defer cancel()
	if _, err := docker(within, args...); err != nil && !strings.Contains(err.Error(), done) {
		return err
	}
	return nil
}
