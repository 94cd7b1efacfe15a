package load

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// conn is one connection to the target and the request in flight on it.
type conn struct {
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
	c.fd, c.state = -1, closed
	c.generation++ // events of the old socket that are still in the batch go unheard
}

// connect starts to open a connection.
func (d *Driver) connect(c *conn, now int64) {
	c.deadline = now + int64(connectTimeout)
	fd, err := dial(&d.target, c.from)
	if err != nil {
		d.connectFailed(c, now, err)
		return
	}
	c.fd, c.state, c.proven = fd, connecting, false
	if err := d.epoll.add(fd, c.slot, c.generation); err != nil {
		d.connectFailed(c, now, err)
	}
}

// connected is called when connecting has ended, well or not.
func (d *Driver) connected(c *conn) {
	if err := socketError(c.fd); err != nil {
		d.connectFailed(c, d.now(), fmt.Errorf("connect: %w", err))
		return
	}
	if c.opened {
		d.phase.reconnects++
	}
	c.opened = true
	d.release(c)
}

// connectFailed charges the failure to the request that would have used the
// connection, if one waits, and tries again a little later.
func (d *Driver) connectFailed(c *conn, now int64, err error) {
	started := c.deadline - int64(connectTimeout)
	c.close()
	c.backoff = min(max(2*c.backoff, int64(firstBackoff)), int64(lastBackoff))
	c.retryAt = now + c.backoff
	ph := d.phase
	ph.lastError = err
	if r, ok := ph.queue.pop(&d.sources[c.source].waiting); ok {
		ph.count(transport, now, now-r.intended)
	} else if ph.closedLoop() && ph.starting && ph.inFlight < ph.Concurrency {
		ph.count(transport, now, max(now-started, 0))
	}
}

// release makes a connection take the next waiting request, or lists it as free.
func (d *Driver) release(c *conn) {
	c.state = idle
	s := &d.sources[c.source]
	if r, ok := d.phase.queue.pop(&s.waiting); ok {
		d.start(c, r)
		return
	}
	s.giveBack(c)
}

// start sends a request on an idle connection.
func (d *Driver) start(c *conn, r request) {
	now := d.now()
	ph := d.phase
	ph.inFlight++
	if !ph.closedLoop() {
		ph.queueWait.Record(since(r.dispatched, now))
	}
	c.state, c.request, c.filled = busy, r, 0
	c.deadline = now + int64(d.timeout)
	c.response.reset()
	whole := d.users.users[r.user].request
	n := d.write(c, whole)
	if n < len(whole) && c.state == busy {
		c.unsent = append(c.unsent[:0], whole[n:]...) // a copy: the user may learn a cookie meanwhile
	}
}

// write sends what the socket takes; a broken connection fails the request.
func (d *Driver) write(c *conn, b []byte) int {
	n, errno := send(c.fd, b)
	switch errno {
	case 0:
		d.phase.sentBytes += int64(n)
		return n
	case unix.EAGAIN, unix.EINTR:
		return 0
	}
	d.broken(c, fmt.Errorf("send: %w", errno))
	return 0
}

// handle deals with one event of a connection.
func (d *Driver) handle(event *unix.EpollEvent) {
	c := &d.conns[event.Fd]
	if c.generation != event.Pad || c.state == closed {
		return
	}
	const hangUp = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if c.state == connecting {
		if event.Events&(unix.EPOLLOUT|hangUp) == 0 {
			return
		}
		d.connected(c)
	}
	if len(c.unsent) > 0 && event.Events&unix.EPOLLOUT != 0 {
		if n := d.write(c, c.unsent); c.state == busy {
			c.unsent = c.unsent[n:]
		}
	}
	if event.Events&(unix.EPOLLIN|hangUp) != 0 && c.state != closed {
		d.read(c, event.Events&hangUp != 0)
	}
}

// read takes everything the socket has. A read that does not fill the buffer
// has emptied the socket, unless the end of the stream stands behind.
func (d *Driver) read(c *conn, toTheEnd bool) {
	generation := c.generation
	for c.generation == generation && c.fd >= 0 {
		room := c.buf[c.filled:]
		if len(room) == 0 {
			d.broken(c, errTooLarge)
			return
		}
		n, errno := receive(c.fd, room)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			d.broken(c, fmt.Errorf("receive: %w", errno))
			return
		case n == 0:
			if c.state == busy && c.response.ended() {
				d.answered(c, true)
			} else {
				d.broken(c, fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF))
			}
			return
		}
		d.phase.receivedBytes += int64(n)
		if c.state != busy || len(c.unsent) > 0 {
			d.broken(c, errors.New("the server answered what was not asked"))
			return
		}
		c.filled += n
		whole, err := c.response.parse(c.buf[:c.filled])
		if err != nil {
			d.broken(c, err)
			return
		}
		if whole {
			d.answered(c, toTheEnd)
		}
		if n < len(room) && !toTheEnd {
			return
		}
	}
}

// answered counts a whole response and lets the connection go on, unless the
// server has ended it or is out of step.
func (d *Driver) answered(c *conn, ended bool) {
	now := d.now()
	ph, r, u := d.phase, &c.response, &d.users.users[c.request.user]
	if r.setsRoute {
		u.learn(r.route.of(c.buf))
	}
	sub, replica, ok := identity(r.body.of(c.buf))
	class := classOf(r.status)
	if class == success && d.check && !(ok && names(sub, u.name)) {
		class = wrongUser
	}
	d.settle(c, class, now)
	if len(replica) > 0 && ph.counts(now) {
		ph.replicas.count(replica)
	}
	c.proven, c.backoff = true, 0
	if ended || r.close || c.filled > r.pos {
		d.reopen(c, now)
		return
	}
	d.release(c)
}

// settle counts the end of the request in flight.
func (d *Driver) settle(c *conn, class class, now int64) {
	ph := d.phase
	ph.inFlight--
	if ph.counts(now) && d.users.use(c.request.user) {
		ph.users++
	}
	ph.count(class, now, now-c.request.intended)
}

// broken ends a connection; the request in flight on it has failed.
func (d *Driver) broken(c *conn, err error) {
	now := d.now()
	if c.state == busy {
		d.phase.lastError = err
		d.settle(c, transport, now)
	}
	d.reopen(c, now)
}

// reopen connects again: at once if the old connection ever served, otherwise
// after a pause, so that a server that hangs up on everybody costs no CPU.
func (d *Driver) reopen(c *conn, now int64) {
	c.close()
	c.unsent = c.unsent[:0]
	if c.proven {
		d.connect(c, now)
		return
	}
	c.backoff = min(max(2*c.backoff, int64(firstBackoff)), int64(lastBackoff))
	c.retryAt = now + c.backoff
}
