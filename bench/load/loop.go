package load

import (
	"context"
	"math"
	"time"
)

const never = math.MaxInt64

// connectAll opens what is not open, before the step's clock starts. It waits
// until each connection is open or has failed once.
func (g *Generator) connectAll(ctx context.Context) error {
	now := g.now()
	for _, l := range g.legs {
		for i := range l.stream.conns {
			if c := &l.stream.conns[i]; c.state == closed {
				l.stream.connect(c, now)
			}
		}
	}
	for deadline := now + int64(connectTimeout); ; {
		pending, wait := g.connecting(), time.Duration(0)
		if pending {
			wait = tick
		}
		events, err := g.epoll.wait(wait)
		if err != nil {
			return err
		}
		for i := range events {
			g.handle(&events[i])
		}
		if !pending && len(events) == 0 || g.now() > deadline {
			return nil
		}
		if err := ctx.Err(); err != nil {
			for _, l := range g.legs {
				l.interrupted = true
			}
			return err
		}
	}
}

func (g *Generator) connecting() bool {
	for _, l := range g.legs {
		for i := range l.stream.conns {
			if l.stream.conns[i].state == connecting {
				return true
			}
		}
	}
	return false
}

// loop carries out the step: it starts what is due, waits for whatever comes
// first, takes answers, until nothing is left to do.
func (g *Generator) loop(ctx context.Context) error {
	start := g.now()
	for _, l := range g.legs {
		l.begin(start)
	}
	if g.watch != nil {
		g.watch.begin(g.legs, start)
		defer func() { g.watch.look(g.legs, g.now(), true) }()
	}
	for last, nextTick := start, start; ; {
		now := g.now()
		if now-last > int64(standstill) {
			for _, l := range g.legs {
				l.turned(last, now)
			}
		}
		last = now
		if now >= nextTick {
			g.look(ctx, now)
			nextTick = now + int64(tick)
		}
		g.startDue()
		wake, over := nextTick, true
		for _, l := range g.legs {
			wake, over = min(wake, l.wake(now)), over && l.over(now)
		}
		if over {
			return nil
		}
		events, err := g.epoll.wait(time.Duration(wake - g.now()))
		if err != nil {
			return err
		}
		for i := range events {
			g.handle(&events[i])
			g.startDue() // between answers too, so that a burst of them delays no start
		}
	}
}

// startDue starts what is due by now: of closed legs as much as may be in
// flight, of open ones what their pacers say, the most overdue first.
func (g *Generator) startDue() {
	for {
		var first *leg
		for _, l := range g.legs {
			switch {
			case !l.starting:
			case l.closedLoop():
				l.stream.fill()
			case first == nil || l.next < first.next:
				first = l
			}
		}
		if first == nil {
			return
		}
		now := g.now()
		if first.next > now {
			return
		}
		first.stream.startNext(now)
	}
}

// startNext starts the next request of an open leg.
func (s *stream) startNext(now int64) {
	l := s.leg
	r := request{intended: l.next, dispatched: now, user: s.users.pick()}
	l.schedule()
	l.offered++
	l.pacerLag.Record(since(r.intended, now))
	from := &s.sources[int(r.user)%len(s.sources)]
	if c := from.takeFree(); c != nil {
		s.start(c, r)
	} else if !l.queue.push(&from.waiting, r) {
		l.dropped++
	}
}

// fill brings a closed leg to its concurrency, source after source.
func (s *stream) fill() {
	l := s.leg
	for l.inFlight < l.Concurrency {
		var c *conn
		for range s.sources {
			c = s.sources[s.turn].takeFree()
			if s.turn++; s.turn == len(s.sources) {
				s.turn = 0
			}
			if c != nil {
				break
			}
		}
		if c == nil {
			return
		}
		now := s.g.now()
		if now >= l.end {
			s.sources[c.source].giveBack(c)
			l.stop(l.end)
			return
		}
		s.start(c, request{intended: now, dispatched: now, user: s.users.pickOf(int(c.source))})
	}
}

// look does what need not be done for every request: time-outs, connecting
// again, the end of warm-ups and steps.
func (g *Generator) look(ctx context.Context, now int64) {
	if g.watch != nil {
		g.watch.look(g.legs, now, false)
	}
	interrupted, warm := ctx.Err() != nil, warm(g.legs, now)
	for _, l := range g.legs {
		l.stream.mend(now)
		if interrupted && !l.interrupted {
			l.interrupted = true
			l.stop(now)
			l.stream.dropWaiting()
		}
		if warm {
			l.stop(now)
		}
		if l.starting && now >= l.end && l.closedLoop() { // with no connection to start on
			l.stop(l.end)
		}
		if !l.starting && now >= l.end+int64(queueGrace) {
			l.stream.dropWaiting()
		}
		if l.draining(now) {
			l.stream.cutOff()
		}
	}
}

// mend ends what has taken too long and connects again.
func (s *stream) mend(now int64) {
	for i := range s.conns {
		c := &s.conns[i]
		switch {
		case c.state == busy && now >= c.deadline:
			s.broken(c, errTimeout)
		case c.state == connecting && now >= c.deadline:
			s.connectFailed(c, now, errTimeout)
		case c.state == closed && now >= c.retryAt:
			s.connect(c, now)
		}
	}
}

// dropWaiting gives up what never found a connection.
func (s *stream) dropWaiting() {
	for i := range s.sources {
		for {
			if _, ok := s.leg.queue.pop(&s.sources[i].waiting); !ok {
				break
			}
			s.leg.dropped++
		}
	}
}

// cutOff ends the connections whose answers nobody waits for any more.
func (s *stream) cutOff() {
	for i := range s.conns {
		if c := &s.conns[i]; c.state == busy {
			s.broken(c, errCutOff)
		}
	}
}

// since is a time span that is never negative.
func since(from, to int64) time.Duration { return time.Duration(max(to-from, 0)) }
