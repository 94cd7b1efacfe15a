package load

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"authbench/bench/trial"
)

// stream is one flow of requests to one target: connections, users and their
// route cookies, which last from step to step.
type stream struct {
	g       *Generator
	aim     Aim
	request trial.Request
	target  unix.SockaddrInet4
	users   *crowd
	sources []source
	conns   []conn
	rng     *rand.Rand
	turn    int  // source that a closed leg looks at next
	leg     *leg // its part of the current step; nil while it takes none
}

// newStream builds the requests of a stream that makes sense; no connection is
// opened yet.
func newStream(g *Generator, key string, aim Aim, request trial.Request) (*stream, error) {
	addr, host, err := loopback(aim.Target.URL)
	if err != nil {
		return nil, err
	}
	a, sources := aim.Stream, min(max(aim.Stream.Sources, 1), len(aim.Target.Credentials))
	shown, held := orValid(a.Present), orValid(aim.Target.Present)
	switch {
	case len(aim.Target.Credentials) == 0:
		return nil, errors.New("the load has no credentials: want at least one user")
	case sources > a.Connections:
		return nil, fmt.Errorf("%d sources share %d connections: want at least one connection a source", sources, a.Connections)
	case shown != held:
		return nil, fmt.Errorf("it presents %s credentials, and those of its target are %s: want load.Prepare to turn them into such",
			shown, held)
	}
	name := fnv.New64a()
	name.Write([]byte(key))
	s := &stream{g: g, aim: aim, request: request, target: addr, rng: rand.New(rand.NewPCG(g.seed, name.Sum64()))}
	if s.users, err = newCrowd(aim.Target.Credentials, request, host, sources, a.Zipf, s.rng); err != nil {
		return nil, err
	}
	s.sources = make([]source, sources)
	s.conns = make([]conn, a.Connections)
	for i := range s.conns {
		c := &s.conns[i]
		c.stream, c.slot, c.source, c.fd = s, int32(len(g.conns)), int32(i%sources), -1
		c.buf = make([]byte, maxResponse)
		if a.Sources > 1 {
			c.from = [4]byte{127, 0, byte(c.source + 1), 1} // each source is a /24 of its own
		}
		g.conns = append(g.conns, c)
	}
	return s, nil
}

func orValid(p trial.Present) trial.Present {
	if p == "" {
		return trial.Valid
	}
	return p
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

// classify says what an answer is, and which replica gave it, if it says so.
func (s *stream) classify(c *conn, u *user) (class class, replica []byte) {
	r := &c.response
	class, replica = classOf(r.status), r.replica.of(c.buf)
	var sub []byte
	var ok bool
	if s.request.NamesUser {
		var inBody []byte
		if sub, inBody, ok = identity(r.body.of(c.buf)); len(inBody) > 0 {
			replica = inBody
		}
	}
	if class != success {
		return class, replica
	}
	switch {
	case s.refusable():
		class = unauthorized
	case s.request.NamesUser && s.aim.Target.CheckUser && !(ok && names(sub, u.name)):
		class = wrongUser
	}
	return class, replica
}

// refusable says whether all that the stream asks for should be refused.
func (s *stream) refusable() bool {
	return s.request.Guarded && orValid(s.aim.Stream.Present) != trial.Valid
}

// right is the class of the answers that should come.
func (s *stream) right() class {
	if s.refusable() {
		return refused
	}
	return success
}

// close ends the stream's connections, for good.
func (s *stream) close() {
	for i := range s.conns {
		c := &s.conns[i]
		c.close()
		s.g.conns[c.slot] = nil
	}
}
