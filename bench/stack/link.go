package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link is the way from the replicas to a store, through a proxy in this process
// that can slow it or cut it. It costs every call some tens of microseconds, and
// its CPU is the generator's: so a proxy stands in every arm of an experiment or
// in none (trial.Spec.Proxied). Our own connections to the store go past it.
type Link struct {
	proxy *toxiproxy.Proxy
	ask   func(ctx context.Context, address string, bytes int) (time.Duration, error)
}

// openLink opens a way to a store at host:port. ask has it answer so many bytes,
// at another address of it, and says how long that took once connected.
func openLink(name, address string, ask func(context.Context, string, int) (time.Duration, error)) (*Link, error) {
	// A bandwidth toxic writes to a logger of the whole process; nothing else here has one.
	zerolog.SetGlobalLevel(zerolog.Disabled)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", address)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("open a proxy in front of %s: %w", name, err)
	}
	return &Link{proxy: p, ask: ask}, nil
}

// address is where the replicas find the store.
func (l *Link) address() string { return l.proxy.Listen }

// Disturb has the proxy do what one of Toxiproxy's toxics does, to connections
// that are open and to those to come, in the direction of the answers. One name
// stands for one disturbance; to set it again replaces it.
func (l *Link) Disturb(name, toxic string, attributes map[string]int64) error {
	if err := l.Restore(name); err != nil {
		return err
	}
	b, err := json.Marshal(map[string]any{"name": name, "type": toxic, "stream": "downstream", "attributes": attributes})
	if err == nil {
		_, err = l.proxy.Toxics.AddToxicJson(bytes.NewReader(b))
	}
	if err != nil {
		return fmt.Errorf("disturb the link to %s by %s: %w", l.proxy.Name, toxic, err)
	}
	return nil
}

// Restore takes a disturbance away; one that is not there is fine.
func (l *Link) Restore(name string) error {
	err := l.proxy.Toxics.RemoveToxic(context.Background(), name)
	if err != nil && !errors.Is(err, toxiproxy.ErrToxicNotFound) {
		return fmt.Errorf("restore the link to %s: %w", l.proxy.Name, err)
	}
	return nil
}

// heal takes all disturbances away.
func (l *Link) heal() { l.proxy.Toxics.ResetToxics(context.Background()) }

// close ends the proxy and the connections through it.
func (l *Link) close() {
	l.heal()
	l.proxy.Stop()
}

// Ask has the store answer so many bytes through the link, on a connection of
// its own, and says how long the answer took once connected.
func (l *Link) Ask(ctx context.Context, bytes int) (time.Duration, error) {
	return l.ask(ctx, l.address(), bytes)
}

// Link is the way from the replicas to a store that faults can act upon.
func (c *Component) Link() (*Link, error) {
	switch {
	case c.contents == nil:
		return nil, fmt.Errorf("%s is no store: slow and cut are for the link between replicas and a store", c.name)
	case c.link == nil:
		return nil, fmt.Errorf("there is no proxy between the replicas and %s: the trial's spec must ask for one (Proxied), in every arm of "+
			"the experiment", c.name)
	}
	return c.link, nil
}

// hostPort is the address in a store's URL.
func hostPort(storeURL string) string {
	u, err := url.Parse(storeURL)
	if err != nil {
		panic(fmt.Sprintf("stack: a URL that we have made: %v", err))
	}
	return u.Host
}

// at is a store's URL with another address.
func at(storeURL, address string) string {
	u, err := url.Parse(storeURL)
	if err != nil {
		panic(fmt.Sprintf("stack: a URL that we have made: %v", err))
	}
	u.Host = address
	return u.String()
}
