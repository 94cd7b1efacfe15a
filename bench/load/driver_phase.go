package load

import (
	"errors"
	"fmt"
	"time"

	"authbench/bench/trial"
)

var (
	errTimeout = errors.New("no answer in time")
	errCutOff  = errors.New("still in flight after the phase")
)

// class is an outcome class, for counting without a map.
type class uint8

const (
	success class = iota
	refused
	shed
	failed
	other
	transport
	wrongUser
	classes
)

var className = [classes]string{trial.Success, trial.Refused, trial.Shed, trial.Failed, trial.Other, trial.Transport, trial.WrongUser}

func classOf(status int) class {
	switch {
	case status/100 == 2:
		return success
	case status == 401 || status == 403:
		return refused
	case status == 429:
		return shed
	case status/100 == 5:
		return failed
	}
	return other
}

// phase is one phase in the making. All it holds is of a size that does not
// depend on the number of requests.
type phase struct {
	trial.Phase
	pacer pacer // nil in a closed loop
	queue *queue

	start, end  int64 // end: from here on nothing starts, and in a closed loop nothing counts
	next        int64 // intended start of the next request; never if there is none
	starting    bool
	interrupted bool
	inFlight    int

	offered, completed, dropped, reconnects, users int64
	sentBytes, receivedBytes                       int64
	lastCompletion                                 int64
	outcomes                                       [classes]int64
	latency                                        [classes]*trial.Histogram
	pacerLag, queueWait                            *trial.Histogram
	perSecond                                      []int64
	replicas                                       replicas
	warmth                                         warmth
	lastError                                      error
}

func (d *Driver) newPhase(p trial.Phase) (*phase, error) {
	ph := &phase{Phase: p, next: never, perSecond: make([]int64, int(p.Seconds)), queue: newQueue(0)}
	if !ph.closedLoop() {
		var err error
		if ph.pacer, err = newPacer(p.Arrivals, p.Rate, d.rng); err != nil {
			return nil, err
		}
		ph.queue = newQueue(int(min(max(p.Rate, 1024), 1<<18))) // a second's worth, within bounds
		ph.pacerLag, ph.queueWait = trial.NewHistogram(), trial.NewHistogram()
	}
	ph.latency[success] = trial.NewHistogram()
	d.users.phase++
	for i := range d.sources {
		d.sources[i].waiting = list{}
	}
	for i := range d.conns { // only after an error of the phase before
		if c := &d.conns[i]; c.state == busy {
			c.close()
		}
	}
	return ph, nil
}

func (ph *phase) closedLoop() bool { return ph.Mode == trial.Closed }

func (ph *phase) begin(now int64) {
	ph.start, ph.lastCompletion = now, now
	ph.end = now + int64(ph.Seconds*float64(time.Second))
	ph.starting = true
	ph.warmth.begin(now)
	if ph.pacer != nil {
		ph.schedule()
	}
}

// schedule finds the next intended start of an open phase; after the last one
// nothing starts any more.
func (ph *phase) schedule() {
	ph.next = ph.start + int64(ph.pacer())
	if ph.next >= ph.end {
		ph.next, ph.starting = never, false
	}
}

// stop ends the phase's starts before their time.
func (ph *phase) stop(now int64) {
	ph.end, ph.next, ph.starting = min(now, ph.end), never, false
}

// over says whether nothing is left to do. An open phase whose last start lies
// before its end waits for the end: what is measured beside it covers it all.
func (ph *phase) over(now int64) bool {
	return !ph.starting && now >= ph.end && ph.inFlight == 0 && ph.queue.length == 0
}

// wake is when the phase itself has something to do next.
func (ph *phase) wake(now int64) int64 {
	if now < ph.end {
		return min(ph.next, ph.end)
	}
	return ph.next
}

// draining says whether answers still in flight have had their time. Those of
// an open phase count, so each ends by itself or by its time-out; otherwise a
// short grace is enough.
func (ph *phase) draining(now int64) bool {
	return !ph.starting && (ph.closedLoop() || ph.interrupted) && now >= ph.end+int64(drainGrace)
}

// counts says whether what ends now belongs to the phase.
func (ph *phase) counts(now int64) bool {
	return !ph.closedLoop() || now < ph.end
}

// count takes in one ended request.
func (ph *phase) count(c class, now, latency int64) {
	if !ph.counts(now) {
		return
	}
	if ph.closedLoop() {
		ph.offered++
	}
	ph.completed++
	ph.lastCompletion = now
	ph.outcomes[c]++
	if ph.latency[c] == nil {
		ph.latency[c] = trial.NewHistogram()
	}
	ph.latency[c].Record(time.Duration(latency))
	if s := (now - ph.start) / int64(time.Second); s < int64(len(ph.perSecond)) {
		ph.perSecond[s]++
	}
}

// measurement sums up.
func (ph *phase) measurement(base time.Time) trial.Measurement {
	end := ph.end
	if !ph.closedLoop() {
		end = max(end, ph.lastCompletion)
	}
	m := trial.Measurement{
		Phase: ph.Phase, Started: base.Add(time.Duration(ph.start)).UTC(), Seconds: time.Duration(end - ph.start).Seconds(),
		Offered: ph.offered, Completed: ph.completed, Dropped: ph.dropped, Reconnects: ph.reconnects, Users: ph.users,
		Outcomes: map[string]int64{}, Replicas: ph.replicas.byName(), Latency: map[string]*trial.Histogram{},
		PerSecond: ph.perSecond[:min(len(ph.perSecond), int((end-ph.start)/int64(time.Second)))],
		PacerLag:  ph.pacerLag, QueueWait: ph.queueWait, SentBytes: ph.sentBytes, ReceivedBytes: ph.receivedBytes,
	}
	for c, n := range ph.outcomes {
		if n > 0 {
			m.Outcomes[className[c]], m.Latency[className[c]] = n, ph.latency[c]
		}
	}
	if ph.lastError != nil && ph.outcomes[transport] > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("the last of %d broken requests: %v", ph.outcomes[transport], ph.lastError))
	}
	if ph.interrupted {
		m.Notes = append(m.Notes, fmt.Sprintf("interrupted after %.1f s", m.Seconds))
	} else if note := ph.warmth.note; ph.Warmup && note != "" {
		m.Notes = append(m.Notes, note)
	}
	return m
}
