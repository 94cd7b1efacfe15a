package load

// source is one network that requests come from: its free connections and the
// requests that wait for one. A request's user decides its source, so that a
// balancer that looks at addresses sees a user in one place.
type source struct {
	free    []*conn // last in, first out; a closed one is skipped when it is taken
	waiting list
}

// takeFree returns a connection that can send now, or nil.
func (s *source) takeFree() *conn {
	for n := len(s.free); n > 0; n = len(s.free) {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		c.listed = false
		if c.state == idle {
			return c
		}
	}
	return nil
}

// giveBack lists a connection as free.
func (s *source) giveBack(c *conn) {
	if !c.listed {
		c.listed = true
		s.free = append(s.free, c)
	}
}

// request is one that is due.
type request struct {
	intended, dispatched int64
	user                 int32
}

// queue holds the waiting requests of all sources in one slab of fixed size.
type queue struct {
	slots  []slot
	unused int32 // list of slots
	length int
}

type slot struct {
	request
	next int32
}

// list is a first-in-first-out list of slots; empty while length is 0.
type list struct {
	first, last int32
	length      int
}

func newQueue(size int) *queue {
	q := &queue{slots: make([]slot, size)}
	for i := range q.slots {
		q.slots[i].next = int32(i + 1)
	}
	return q
}

// push is false when the queue is full.
func (q *queue) push(l *list, r request) bool {
	if q.length == len(q.slots) {
		return false
	}
	i := q.unused
	q.unused = q.slots[i].next
	q.slots[i].request = r
	if l.length == 0 {
		l.first = i
	} else {
		q.slots[l.last].next = i
	}
	l.last = i
	l.length++
	q.length++
	return true
}

func (q *queue) pop(l *list) (request, bool) {
	if l.length == 0 {
		return request{}, false
	}
	i := l.first
	l.first = q.slots[i].next
	l.length--
	q.slots[i].next = q.unused
	q.unused = i
	q.length--
	return q.slots[i].request, true
}
