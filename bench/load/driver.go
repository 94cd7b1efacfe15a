// Package load drives the system under test: with a [Driver] of our own, which
// starts requests on schedule whatever the answers do, and with k6 scripts
// ([K6]). In come a target with its credentials ([trial.Target]) and phases or a
// script; out come a [trial.Measurement] or a [trial.Journey]. It knows requests
// and answers, not what they mean: no verdict is made here. Linux only.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"authbench/bench/trial"

	"golang.org/x/sys/unix"
)

// Bounds of the driver.
const (
	requestTimeout = 10 * time.Second // from being written to the whole answer
	connectTimeout = 3 * time.Second
	queueGrace     = time.Second           // from the end of an open phase until what still waits is dropped
	drainGrace     = time.Second           // for answers that are no longer counted
	tick           = 10 * time.Millisecond // between looks at time-outs, reconnections and the context
	firstBackoff   = 20 * time.Millisecond // before connecting again after a failure; doubles
	lastBackoff    = 320 * time.Millisecond
	maxSources     = 254
	maxConnections = 10_000
)

// Driver loads one target with requests for /me and the like, from one OS
// thread and over raw sockets. Its connections stay open from phase to phase,
// as do the route cookies that users have learnt. It is for one goroutine at a
// time.
type Driver struct {
	target  unix.SockaddrInet4
	check   bool // "sub" of every 2xx against the user
	timeout time.Duration
	users   *crowd
	sources []source
	conns   []conn
	epoll   *epoll
	rng     *rand.Rand
	base    time.Time // of all int64 times, in nanoseconds since
	phase   *phase    // the current one
	turn    int       // source that a closed phase looks at next
}

// NewDriver prepares a load: requests are built, no connection is opened yet.
// The seed decides the order of users and Poisson arrivals. Only loopback
// targets are accepted.
func NewDriver(target trial.Target, l trial.Load, seed uint64) (*Driver, error) {
	addr, host, err := loopback(target.URL)
	if err != nil {
		return nil, err
	}
	sources := min(max(l.Sources, 1), len(target.Credentials))
	switch {
	case len(target.Credentials) == 0:
		return nil, errors.New("the load has no credentials: at least one user is needed")
	case l.Connections < 1 || l.Connections > maxConnections:
		return nil, fmt.Errorf("connections is %d: 1 to %d are allowed", l.Connections, maxConnections)
	case l.Sources < 0 || l.Sources > maxSources:
		return nil, fmt.Errorf("sources is %d: 0 to %d are allowed", l.Sources, maxSources)
	case sources > l.Connections:
		return nil, fmt.Errorf("%d sources share %d connections: at least one connection a source is needed", sources, l.Connections)
	case l.Zipf != 0 && !(l.Zipf > 1):
		return nil, fmt.Errorf("zipf is %g: more than 1 is needed, or 0 to walk the users evenly", l.Zipf)
	}
	d := &Driver{target: addr, check: target.CheckUser, timeout: requestTimeout, base: time.Now(),
		rng: rand.New(rand.NewPCG(seed, 0x6c6f6164))}
	if d.users, err = newCrowd(target, host, sources, l.Zipf, d.rng); err != nil {
		return nil, err
	}
	if d.epoll, err = newEpoll(); err != nil {
		return nil, err
	}
	d.sources = make([]source, sources)
	d.conns = make([]conn, l.Connections)
	for i := range d.conns {
		c := &d.conns[i]
		c.slot, c.source, c.fd = int32(i), int32(i%sources), -1
		c.buf = make([]byte, maxResponse)
		if l.Sources > 1 {
			c.from = [4]byte{127, 0, byte(c.source + 1), 1} // each source is a /24 of its own
		}
	}
	return d, nil
}

// loopback reads a target's URL. Traffic goes to no other machine.
func loopback(target string) (addr unix.SockaddrInet4, host string, err error) {
	u, err := url.Parse(target)
	if err != nil {
		return addr, "", fmt.Errorf("target: %w", err)
	}
	name, port := u.Hostname(), u.Port()
	if name == "localhost" {
		name = "127.0.0.1"
	}
	if port == "" {
		port = "80"
	}
	ip, ipErr := netip.ParseAddr(name)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "":
		return addr, "", fmt.Errorf("target %q: want http://HOST:PORT and nothing else", target)
	case ipErr != nil || !ip.Is4() || !ip.IsLoopback():
		return addr, "", fmt.Errorf("target %q is not on this machine: only 127.0.0.0/8 and localhost are loaded", target)
	case portErr != nil || n == 0:
		return addr, "", fmt.Errorf("target %q: the port must be 1 to 65535", target)
	}
	return unix.SockaddrInet4{Addr: ip.As4(), Port: int(n)}, u.Host, nil
}

// Run carries out an open, closed or warm-up phase. Failed requests are data;
// the error is for a phase that makes no sense, for an operating system that
// refuses, and for a cancelled ctx: then what was measured so far comes along.
//
// Open: Offered counts the starts scheduled within Phase.Seconds, each of which
// is completed or dropped in the end; Seconds reaches from the phase's start to
// its scheduled end, or to the last completion if that is later. Closed: what
// completes within Phase.Seconds counts, and requests cut off by its end count
// nowhere.
func (d *Driver) Run(ctx context.Context, p trial.Phase) (trial.Measurement, error) {
	if err := d.checkPhase(p); err != nil {
		return trial.Measurement{Phase: p}, fmt.Errorf("phase %s: %w", p.Name, err)
	}
	if err := ctx.Err(); err != nil {
		return trial.Measurement{Phase: p}, err
	}
	// The loop keeps its thread and its processor, also while it waits in the
	// kernel. Whoever else works in this process needs another.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer fineTimers()()

	ph, err := d.newPhase(p)
	if err != nil {
		return trial.Measurement{Phase: p}, fmt.Errorf("phase %s: %w", p.Name, err)
	}
	d.phase = ph
	err = d.connectAll(ctx)
	if err == nil {
		err = d.loop(ctx)
	}
	if err == nil && ph.interrupted {
		err = ctx.Err()
	}
	return ph.measurement(d.base), err
}

func (d *Driver) checkPhase(p trial.Phase) error {
	switch {
	case !(p.Seconds > 0) || p.Seconds > 24*3600:
		return fmt.Errorf("seconds is %g: more than 0 and at most a day is needed", p.Seconds)
	case p.Mode == trial.Open && (!(p.Rate > 0) || p.Rate > 1e6):
		return fmt.Errorf("rate is %g requests per second: more than 0 and at most a million is needed", p.Rate)
	case p.Mode == trial.Closed && (p.Concurrency < 1 || p.Concurrency > len(d.conns)):
		return fmt.Errorf("concurrency is %d: 1 to %d, the number of connections, is needed", p.Concurrency, len(d.conns))
	case p.Mode != trial.Open && p.Mode != trial.Closed:
		return fmt.Errorf("mode %q: want %s or %s", p.Mode, trial.Open, trial.Closed)
	}
	return nil
}

// Close ends all connections.
func (d *Driver) Close() error {
	for i := range d.conns {
		d.conns[i].close()
	}
	return d.epoll.close()
}

// now is the time since the driver was made, in nanoseconds.
func (d *Driver) now() int64 { return int64(time.Since(d.base)) }
