package stack

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"authbench/bench/process"
)

// child is a process of ours with what it takes to start it again: the command,
// in which its addresses and folders stand.
type child struct {
	ledger  *process.Ledger
	command process.Command
	polite  syscall.Signal              // ends it with its data in order; 0 is the command's stop signal
	serves  func(context.Context) error // nil once it does
	group   *group                      // nil where control groups cannot be used

	mu   sync.Mutex
	p    *process.Process // now, or the last one
	past float64          // CPU-seconds of those before
	own  []string         // arguments, while the command's are others
}

// child starts a program and waits until it serves.
func (n *native) child(ctx context.Context, c *Component, cmd process.Command, serves func(context.Context) error) (*child, error) {
	cmd.Groups = c.group.dirs()
	p, err := n.ledger.Start(cmd)
	if err != nil {
		return nil, err
	}
	u := &child{ledger: n.ledger, command: cmd, serves: serves, group: c.group, p: p}
	c.unit = u
	return u, ready(ctx, cmd.Name, u, serves)
}

func (c *child) now() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.p
}

func (c *child) Died() error                     { return c.now().Died() }
func (c *child) Stop(ctx context.Context) error  { return c.now().Stop(ctx) }
func (c *child) Signal(sig syscall.Signal) error { return c.now().Signal(sig) }
func (c *child) PIDs() []int                     { return c.now().PIDs() }
func (c *child) Tail() string                    { return c.now().Tail() }

// CPU implements unit.
func (c *child) CPU() (used, collected float64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	collected = c.past + c.p.Collected().Seconds()
	if c.group != nil { // sees all that ever ran in it, and sees it finer
		used, err = c.group.used()
		return used, collected, err
	}
	return c.past + c.p.CPU().Seconds(), collected, nil
}

// Halt implements breakable.
func (c *child) Halt(ctx context.Context, politely bool) error {
	p := c.now()
	switch {
	case !politely:
		return p.Kill()
	case c.polite != 0:
		return p.StopBy(ctx, c.polite)
	}
	return p.Stop(ctx)
}

// Start implements breakable.
func (c *child) Start(ctx context.Context) error {
	c.mu.Lock()
	if len(c.p.PIDs()) == 0 {
		p, err := c.ledger.Start(c.command)
		if err != nil {
			c.mu.Unlock()
			return err
		}
		c.past += c.p.CPU().Seconds()
		c.p = p
	}
	c.mu.Unlock()
	return ready(ctx, c.command.Name, c, c.serves)
}

// Relaunch implements relauncher: a later flag wins.
func (c *child) Relaunch(ctx context.Context, flags []string) error {
	if err := c.Halt(ctx, true); err != nil {
		return err
	}
	c.mu.Lock()
	if c.own == nil {
		c.own = c.command.Args
	}
	c.command.Args = slices.Concat(c.own, flags)
	c.mu.Unlock()
	return c.Start(ctx)
}

func (c *child) folder(name string) (string, error) { return c.ledger.Folder(name) }

// Pause implements breakable.
func (c *child) Pause(ctx context.Context) error { return c.now().Pause(ctx) }

// Resume implements breakable.
func (c *child) Resume(ctx context.Context) error {
	p := c.now()
	if len(p.PIDs()) == 0 {
		return fmt.Errorf("resume %s: %w", p.Name, os.ErrProcessDone)
	}
	p.Resume()
	return serving(ctx, c.command.Name, c, c.serves)
}
