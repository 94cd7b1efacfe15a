package load

import (
	"context"
	"math"
	"time"
)

const never = math.MaxInt64

// connectAll opens what is not open, before the phase's clock starts. It waits
// until each connection is open or has failed once.
func (d *Driver) connectAll(ctx context.Context) error {
	now := d.now()
	for i := range d.conns {
		if c := &d.conns[i]; c.state == closed {
			d.connect(c, now)
		}
	}
	for deadline := now + int64(connectTimeout); ; {
		pending, wait := false, time.Duration(0)
		for i := range d.conns {
			pending = pending || d.conns[i].state == connecting
		}
		if pending {
			wait = tick
		}
		events, err := d.epoll.wait(wait)
		if err != nil {
			return err
		}
		for i := range events {
			d.handle(&events[i])
		}
		if !pending && len(events) == 0 || d.now() > deadline {
			return nil
		}
		if err := ctx.Err(); err != nil {
			d.phase.interrupted = true
			return err
		}
	}
}

// loop carries out the phase: it starts what is due, waits for whatever comes
// first, takes answers, until nothing is left to do.
func (d *Driver) loop(ctx context.Context) error {
	ph := d.phase
	ph.begin(d.now())
	for nextTick := ph.start; ; {
		now := d.now()
		if now >= nextTick {
			d.look(ctx, now)
			nextTick = now + int64(tick)
		}
		d.startDue()
		if ph.over(now) {
			return nil
		}
		events, err := d.epoll.wait(time.Duration(min(nextTick, ph.wake(now)) - d.now()))
		if err != nil {
			return err
		}
		for i := range events {
			d.handle(&events[i])
			d.startDue() // between answers too, so that a burst of them delays no start
		}
	}
}

// startDue starts what is due by now: in an open phase what the pacer says, in
// a closed one as much as may be in flight.
func (d *Driver) startDue() {
	ph := d.phase
	if !ph.starting {
		return
	}
	if ph.closedLoop() {
		d.fill()
		return
	}
	for now := d.now(); ph.next <= now; now = d.now() {
		r := request{intended: ph.next, dispatched: now, user: d.users.pick()}
		ph.schedule()
		ph.offered++
		ph.pacerLag.Record(since(r.intended, now))
		s := &d.sources[int(r.user)%len(d.sources)]
		if c := s.takeFree(); c != nil {
			d.start(c, r)
		} else if !ph.queue.push(&s.waiting, r) {
			ph.dropped++
		}
	}
}

// fill brings a closed phase to its concurrency, source after source.
func (d *Driver) fill() {
	ph := d.phase
	for ph.inFlight < ph.Concurrency {
		var c *conn
		for range d.sources {
			c = d.sources[d.turn].takeFree()
			if d.turn++; d.turn == len(d.sources) {
				d.turn = 0
			}
			if c != nil {
				break
			}
		}
		if c == nil {
			return
		}
		now := d.now()
		if now >= ph.end {
			d.sources[c.source].giveBack(c)
			ph.stop(ph.end)
			return
		}
		d.start(c, request{intended: now, dispatched: now, user: d.users.pickOf(int(c.source))})
	}
}

// look does what need not be done for every request: time-outs, connecting
// again, the end of the phase.
func (d *Driver) look(ctx context.Context, now int64) {
	ph := d.phase
	for i := range d.conns {
		c := &d.conns[i]
		switch {
		case c.state == busy && now >= c.deadline:
			d.broken(c, errTimeout)
		case c.state == connecting && now >= c.deadline:
			d.connectFailed(c, now, errTimeout)
		case c.state == closed && now >= c.retryAt:
			d.connect(c, now)
		}
	}
	if ctx.Err() != nil && !ph.interrupted {
		ph.interrupted = true
		ph.stop(now)
		d.dropWaiting()
	}
	if ph.Warmup && ph.starting && ph.warm(now) {
		ph.stop(now)
	}
	if ph.starting && now >= ph.end && ph.closedLoop() { // with no connection to start on
		ph.stop(ph.end)
	}
	if !ph.starting && now >= ph.end+int64(queueGrace) {
		d.dropWaiting()
	}
	if ph.draining(now) {
		d.cutOff()
	}
}

// dropWaiting gives up what never found a connection.
func (d *Driver) dropWaiting() {
	for i := range d.sources {
		for {
			if _, ok := d.phase.queue.pop(&d.sources[i].waiting); !ok {
				break
			}
			d.phase.dropped++
		}
	}
}

// cutOff ends the connections whose answers nobody waits for any more.
func (d *Driver) cutOff() {
	for i := range d.conns {
		if c := &d.conns[i]; c.state == busy {
			d.broken(c, errCutOff)
		}
	}
}

// since is a time span that is never negative.
func since(from, to int64) time.Duration { return time.Duration(max(to-from, 0)) }
