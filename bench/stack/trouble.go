package stack

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Trouble is what a store can be in while it runs on and answers.
type Trouble struct {
	Name TroubleName
	Left float64 // of Evicting: the share of its keys that it has room for, 0 to 1
}

// TroubleName says which.
type TroubleName string

const (
	Full     TroubleName = "full"      // its memory is used up, and it refuses writes
	Evicting TroubleName = "evicting"  // its memory is used up, and it forgets what was used least recently
	ReadOnly TroubleName = "read-only" // it answers and refuses writes
	Crowded  TroubleName = "crowded"   // others have all its connections, the replicas' own among them
)

// Trouble brings a store into trouble and returns when the store shows it. It is
// fine twice.
func (c *Component) Trouble(ctx context.Context, t Trouble) error {
	if c.contents == nil {
		return fmt.Errorf("%s is no store: only a store can be %s", c.name, t.Name)
	}
	if !slices.Contains(c.troubles, t.Name) { // first: half of it may come about
		c.troubles = append(c.troubles, t.Name)
	}
	if t.Name == Evicting {
		c.contents.forget()
	}
	if err := c.contents.trouble(ctx, t); err != nil {
		return fmt.Errorf("make %s %s: %w", c.name, t.Name, err)
	}
	return nil
}

// Relieve ends a store's trouble and returns when the store shows it. One that
// it is not in is fine.
func (c *Component) Relieve(ctx context.Context, name TroubleName) error {
	if c.contents == nil {
		return fmt.Errorf("%s is no store: it is never %s", c.name, name)
	}
	if err := c.contents.relieve(ctx, name); err != nil {
		return fmt.Errorf("%s stays %s: %w", c.name, name, err)
	}
	c.troubles = slices.DeleteFunc(c.troubles, func(n TroubleName) bool { return n == name })
	return nil
}

// relieved ends all that Relieve has not been asked to end.
func (c *Component) relieved(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, name := range slices.Clone(c.troubles) {
		if err := c.Relieve(within, name); err != nil {
			c.troubles = nil
			return fmt.Errorf("%w; it is ended instead: %v", err, c.Halt(ctx, false))
		}
	}
	return nil
}

// comes polls until what was asked of a store shows in it.
func comes(ctx context.Context, ok func() error) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
