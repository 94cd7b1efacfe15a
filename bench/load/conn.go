package load

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// conn is one connection to the target and the request in flight on it.
type conn struct {
	stream           *stream
	slot, generation int32
	fd               int
	from             [4]byte // source address; zero for any
	source           int32
	state            state
	listed           bool // among its source's free ones, maybe no longer rightly
	opened           bool // at least once: the next time is a reconnection
	proven           bool // has answered since it was opened

	retryAt  int64 // closed: when to connect again
	backoff  int64
	deadline int64 // connecting or busy

	request  request
	unsent   []byte // rest of a request that the socket did not take at once
	response response
	buf      []byte
	filled   int // of buf
}

type state uint8

const (
	closed state = iota
	connecting
	idle
	busy
)

func (c *conn) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd, c.state, c.unsent = -1, closed, c.unsent[:0]
	c.generation++ // events of the old socket that are still in the batch go unheard
}

// connect starts to open a connection.
func (s *stream) connect(c *conn, now int64) {
	c.deadline = now + int64(connectTimeout)
	fd, err := dial(&s.target, c.from)
	if err != nil {
		s.connectFailed(c, now, err)
		return
	}
	c.fd, c.state, c.proven = fd, connecting, false
	if err := s.g.epoll.add(fd, c.slot, c.generation); err != nil {
		s.connectFailed(c, now, err)
	}
}

// connected is called when connecting has ended, well or not.
func (s *stream) connected(c *conn) {
	if err := socketError(c.fd); err != nil {
		s.connectFailed(c, s.g.now(), fmt.Errorf("connect: %w", err))
		return
	}
	if c.opened {
		s.leg.reconnects++
	}
	c.opened = true
	s.release(c)
}

// connectFailed charges the failure to the request that would have used the
// connection, if one waits, and tries again a little later.
func (s *stream) connectFailed(c *conn, now int64, err error) {
	started := c.deadline - int64(connectTimeout)
	c.close()
	c.backoff = min(max(2*c.backoff, int64(firstBackoff)), int64(lastBackoff))
	c.retryAt = now + c.backoff
	l := s.leg
	l.lastError = err
	if r, ok := l.queue.pop(&s.sources[c.source].waiting); ok {
		l.count(transport, now, now-r.intended)
	} else if l.closedLoop() && l.starting && l.inFlight < l.Concurrency {
		l.count(transport, now, max(now-started, 0))
	}
}

// release makes a connection take the next waiting request, or lists it as free.
func (s *stream) release(c *conn) {
	c.state = idle
	from := &s.sources[c.source]
	if r, ok := s.leg.queue.pop(&from.waiting); ok {
		s.start(c, r)
		return
	}
	from.giveBack(c)
}

// start sends a request on an idle connection.
func (s *stream) start(c *conn, r request) {
	now := s.g.now()
	l := s.leg
	l.inFlight++
	if !l.closedLoop() {
		l.queueWait.Record(since(r.dispatched, now))
	}
	c.state, c.request, c.filled = busy, r, 0
	c.deadline = now + int64(s.g.timeout)
	c.response.reset()
	whole := s.users.users[r.user].request
	n := s.write(c, whole)
	if n < len(whole) && c.state == busy {
		c.unsent = append(c.unsent[:0], whole[n:]...) // a copy: the user may learn a cookie meanwhile
	}
}

// write sends what the socket takes; a broken connection fails the request.
func (s *stream) write(c *conn, b []byte) int {
	n, errno := send(c.fd, b)
	switch errno {
	case 0:
		s.leg.sentBytes += int64(n)
		return n
	case unix.EAGAIN, unix.EINTR:
		return 0
	}
	s.broken(c, fmt.Errorf("send: %w", errno))
	return 0
}

// handle deals with one event of a connection.
func (g *Generator) handle(event *unix.EpollEvent) {
	c := g.conns[event.Fd]
	if c == nil || c.generation != event.Pad || c.state == closed {
		return
	}
	s := c.stream
	if s.leg == nil { // not in this step: the server hangs up, or answers what nobody waits for
		c.close()
		return
	}
	const hangUp = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if c.state == connecting {
		if event.Events&(unix.EPOLLOUT|hangUp) == 0 {
			return
		}
		s.connected(c)
	}
	if len(c.unsent) > 0 && event.Events&unix.EPOLLOUT != 0 {
		if n := s.write(c, c.unsent); c.state == busy {
			c.unsent = c.unsent[n:]
		}
	}
	if event.Events&(unix.EPOLLIN|hangUp) != 0 && c.state != closed {
		s.read(c, event.Events&hangUp != 0)
	}
}

// read takes everything the socket has. A read that does not fill the buffer
// has emptied the socket, unless the end of the stream stands behind.
func (s *stream) read(c *conn, toTheEnd bool) {
	generation := c.generation
	for c.generation == generation && c.fd >= 0 {
		room := c.buf[c.filled:]
		if len(room) == 0 {
			s.broken(c, errTooLarge)
			return
		}
		n, errno := receive(c.fd, room)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			s.broken(c, fmt.Errorf("receive: %w", errno))
			return
		case n == 0:
			if c.state == busy && c.response.ended() {
				s.answered(c, true)
			} else {
				s.broken(c, fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF))
			}
			return
		}
		s.leg.receivedBytes += int64(n)
		if c.state != busy || len(c.unsent) > 0 {
			s.broken(c, errors.New("the server answered what was not asked"))
			return
		}
		c.filled += n
		whole, err := c.response.parse(c.buf[:c.filled])
		if err != nil {
			s.broken(c, err)
			return
		}
		if whole {
			s.answered(c, toTheEnd)
		}
		if n < len(room) && !toTheEnd {
			return
		}
	}
}

// answered counts a whole response and lets the connection go on, unless the
// server has ended it or is out of step.
func (s *stream) answered(c *conn, ended bool) {
	now := s.g.now()
	l, r, u := s.leg, &c.response, &s.users.users[c.request.user]
	if r.setsRoute {
		u.learn(r.route.of(c.buf))
	}
	class, replica := s.classify(c, u)
	s.settle(c, class, now)
	if len(replica) > 0 && l.counts(now) {
		l.replicas.count(replica)
	}
	c.proven, c.backoff = true, 0
	if ended || r.close || c.filled > r.pos {
		s.reopen(c, now)
		return
	}
	s.release(c)
}

// settle counts the end of the request in flight.
func (s *stream) settle(c *conn, class class, now int64) {
	l := s.leg
	l.inFlight--
	if l.counts(now) && s.users.use(c.request.user) {
		l.users++
	}
	l.count(class, now, now-c.request.intended)
}

// broken ends a connection; the request in flight on it has failed.
func (s *stream) broken(c *conn, err error) {
	now := s.g.now()
	if c.state == busy {
		s.leg.lastError = err
		s.settle(c, transport, now)
	}
	s.reopen(c, now)
}

// reopen connects again: at once if the old connection ever served, otherwise
// after a pause, so that a server that hangs up on everybody costs no CPU.
func (s *stream) reopen(c *conn, now int64) {
	c.close()
	if c.proven {
		s.connect(c, now)
		return
	}
	c.backoff = min(max(2*c.backoff, int64(firstBackoff)), int64(lastBackoff))
	c.retryAt = now + c.backoff
}
