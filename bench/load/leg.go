package load

import (
	"errors"
	"fmt"
	"time"

	"authbench/bench/trial"
)

var (
	errTimeout = errors.New("no answer in time")
	errCutOff  = errors.New("still in flight after the step")
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
	unauthorized
	classes
)

var className = [classes]string{trial.Success, trial.Refused, trial.Shed, trial.Failed, trial.Other, trial.Transport, trial.WrongUser,
	trial.UnauthorizedSuccess}

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

// leg is a stream's part of one step. All it holds is of a size that does not
// depend on the number of requests.
type leg struct {
	trial.Pacing
	stream  *stream
	seconds float64
	warmup  bool
	pacer   pacer // nil in a closed loop
	queue   *queue

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
	series                                         [][classes]uint32
	replicas                                       replicas
	pauses                                         pauses
	warmth                                         *warmth // nil where it does not decide how long a warm-up lasts
	lastError                                      error
	ended                                          *Ended // in the current second; nil unless somebody watches
}

// newLeg prepares the stream for a step or a warm-up. An even pace begins the given share of
// a gap after the step's start.
func (s *stream) newLeg(seconds float64, warmup bool, shift float64) *leg {
	l := &leg{Pacing: s.aim.Stream.Pacing, stream: s, seconds: seconds, warmup: warmup, next: never, queue: newQueue(0)}
	// Answers to what starts late may come until the queue's and the request's time are over.
	latest := time.Duration(seconds*float64(time.Second)) + queueGrace + s.g.timeout + time.Second
	l.series = make([][classes]uint32, latest/trial.SeriesSlice+1)
	if !l.closedLoop() {
		l.pacer = newPacer(l.Arrivals, l.Rate, shift, s.rng)
		l.queue = newQueue(int(min(max(l.Rate, 1024), 1<<18))) // a second's worth, within bounds
		l.pacerLag, l.queueWait = trial.NewHistogram(), trial.NewHistogram()
	}
	l.latency[s.right()] = trial.NewHistogram()
	s.leg = l
	s.users.step++
	for i := range s.sources {
		s.sources[i].waiting = list{}
	}
	for i := range s.conns { // only after an error of the step before
		if c := &s.conns[i]; c.state == busy {
			c.close()
		}
	}
	return l
}

func (l *leg) closedLoop() bool { return l.Mode == trial.Closed }

func (l *leg) begin(now int64) {
	l.start, l.lastCompletion = now, now
	l.end = now + int64(l.seconds*float64(time.Second))
	l.starting = true
	if l.warmth != nil {
		l.warmth.begin(now)
	}
	if l.pacer != nil {
		l.schedule()
	}
}

// schedule finds the next intended start of an open leg; after the last one
// nothing starts any more.
func (l *leg) schedule() {
	l.next = l.start + int64(l.pacer())
	if l.next >= l.end {
		l.next, l.starting = never, false
	}
}

// stop ends the leg's starts before their time.
func (l *leg) stop(now int64) {
	l.end, l.next, l.starting = min(now, l.end), never, false
}

// over says whether nothing is left to do. An open leg whose last start lies
// before its end waits for the end: what is measured beside it covers it all.
func (l *leg) over(now int64) bool {
	return !l.starting && now >= l.end && l.inFlight == 0 && l.queue.length == 0
}

// wake is when the leg itself has something to do next.
func (l *leg) wake(now int64) int64 {
	if now < l.end {
		return min(l.next, l.end)
	}
	return l.next
}

// draining says whether answers still in flight have had their time. Those of
// an open leg count, so each ends by itself or by its time-out; otherwise a
// short grace is enough.
func (l *leg) draining(now int64) bool {
	return !l.starting && (l.closedLoop() || l.interrupted) && now >= l.end+int64(drainGrace)
}

// counts says whether what ends now belongs to the leg.
func (l *leg) counts(now int64) bool {
	return !l.closedLoop() || now < l.end
}

// count takes in one ended request.
func (l *leg) count(c class, now, latency int64) {
	if !l.counts(now) {
		return
	}
	if l.closedLoop() {
		l.offered++
	}
	l.completed++
	l.lastCompletion = now
	l.outcomes[c]++
	if l.latency[c] == nil {
		l.latency[c] = trial.NewHistogram()
	}
	l.latency[c].Record(time.Duration(latency))
	l.series[l.slice(now)][c]++
	if l.ended != nil {
		l.ended.Outcomes[className[c]]++
		l.ended.Latency.Record(time.Duration(latency))
	}
}

// slice is the place of a moment in the series.
func (l *leg) slice(now int64) int {
	return min(int((now-l.start)/int64(trial.SeriesSlice)), len(l.series)-1)
}

// result sums up.
func (l *leg) result(base time.Time) *trial.StreamResult {
	end := l.end
	if !l.closedLoop() {
		end = max(end, l.lastCompletion)
	}
	r := &trial.StreamResult{
		Stream: l.stream.aim.Stream, Started: base.Add(time.Duration(l.start)).UTC(), Seconds: time.Duration(end - l.start).Seconds(),
		Offered: l.offered, Completed: l.completed, Dropped: l.dropped, Reconnects: l.reconnects, Users: l.users,
		Outcomes: map[string]int64{}, Replicas: l.replicas.byName(), Series: map[string][]int64{}, Latency: map[string]*trial.Histogram{},
		PacerLag: l.pacerLag, QueueWait: l.queueWait, StoodStill: time.Duration(l.pauses.all).Seconds(), SentBytes: l.sentBytes,
		ReceivedBytes: l.receivedBytes,
	}
	for c, n := range l.outcomes {
		if n > 0 {
			name := className[c]
			r.Outcomes[name], r.Latency[name], r.Series[name] = n, l.latency[c], l.seriesOf(c)
		}
	}
	if l.lastError != nil && l.outcomes[transport] > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("the last of %d broken requests: %v", l.outcomes[transport], l.lastError))
	}
	if n := l.pauses.note(); n != "" {
		r.Notes = append(r.Notes, n)
	}
	if l.interrupted {
		r.Notes = append(r.Notes, fmt.Sprintf("interrupted after %.1f s", r.Seconds))
	} else if l.warmth != nil && l.warmth.note != "" {
		r.Notes = append(r.Notes, l.warmth.note)
	}
	return r
}

// seriesOf is one class' part of the series, up to the leg's end.
func (l *leg) seriesOf(c int) []int64 {
	s := make([]int64, max(l.slice(l.end-1), l.slice(l.lastCompletion))+1)
	for i := range s {
		s[i] = int64(l.series[i][c])
	}
	return s
}
