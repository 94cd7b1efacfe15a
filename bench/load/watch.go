package load

import (
	"math"
	"time"

	"authbench/bench/trial"
)

// Second is what ended in one second of a step that is watched.
type Second struct {
	At      float64          // where it ends, in seconds from the step's start
	Streams map[string]Ended // by the key of the stream
	Last    bool             // the step is over: it may be no whole second
}

// Ended are the requests of a stream that ended within a second.
type Ended struct {
	Outcomes map[string]int64 // by outcome class
	Latency  *trial.Histogram // of all of them
}

// watch hands out the seconds of a step. The generator's thread only puts them
// into a channel that has room for all: who looks at them cannot hold it up.
type watch struct {
	keys []string // of the legs
	out  chan Second
	over chan struct{}
	next int64   // when the second that is counted ends
	at   float64 // where it ends, in seconds from the step's start
}

// watching begins to hand out the seconds of a step to see, if that is not nil.
// What it returns waits until the last one has been seen.
func (g *Generator) watching(keys []string, seconds float64, see func(Second)) (done func()) {
	if see == nil {
		return func() {}
	}
	latest := int(math.Ceil((time.Duration(seconds*float64(time.Second)) + queueGrace + g.timeout).Seconds())) + 2
	w := &watch{keys: keys, out: make(chan Second, latest), over: make(chan struct{})}
	go func() {
		defer close(w.over)
		for s := range w.out {
			see(s)
		}
	}()
	g.watch = w
	return func() {
		g.watch = nil
		close(w.out)
		<-w.over
	}
}

// begin starts the first second.
func (w *watch) begin(legs []*leg, now int64) {
	w.next = now + int64(time.Second)
	for _, l := range legs {
		l.ended = newEnded()
	}
}

func newEnded() *Ended { return &Ended{map[string]int64{}, trial.NewHistogram()} }

// look hands out a second that is over, or what there is of the last one.
func (w *watch) look(legs []*leg, now int64, last bool) {
	for ; now >= w.next || last; w.next += int64(time.Second) {
		w.at++
		s := Second{At: w.at, Streams: map[string]Ended{}, Last: last}
		for i, l := range legs {
			s.Streams[w.keys[i]] = *l.ended
			l.ended = newEnded()
		}
		select {
		case w.out <- s:
		default: // a step longer than it can be
		}
		if last {
			return
		}
	}
}
