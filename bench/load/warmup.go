package load

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// A system is warm when every replica has answered often enough to have its
// connections and code ready, and throughput no longer moves.
const (
	warmAnswers = 200 // of each replica that answers at all
	warmWindow  = 250 * time.Millisecond
	warmChange  = 0.10 // of throughput from one window to the next
)

// warmth follows a leg of a warm-up.
type warmth struct {
	windowEnd int64
	before    int64 // right answers up to the window's start
	last      int64 // right answers of the window before; -1 for none
	change    float64
	note      string // why it is not warm yet
}

// chooseJudges picks the legs that decide how long a warm-up lasts: of each target
// the busiest. What warms a system is what it has most of, and a few requests a
// second beside it would be too few to call steady.
func chooseJudges(legs []*leg) {
	busiest := map[string]*leg{}
	for _, l := range legs {
		url := l.stream.aim.Target.URL
		if b := busiest[url]; b == nil || l.pace() > b.pace() {
			busiest[url] = l
		}
	}
	for _, l := range busiest {
		l.warmth = &warmth{}
	}
}

// pace is the rate that a leg aims at: in a closed loop whatever can be had.
func (l *leg) pace() float64 {
	if l.closedLoop() {
		return math.Inf(1)
	}
	return l.Rate
}

// warm says whether a warm-up has done its work: all legs that decide are warm
// at the same time. It is asked at every tick.
func warm(legs []*leg, now int64) bool {
	judges, warm := 0, 0
	for _, l := range legs {
		if l.warmth == nil || !l.starting {
			continue
		}
		judges++
		right := l.outcomes[l.stream.right()]
		if l.warmth.look(now, right, l.replicas.fewest(right)) {
			warm++
		}
	}
	return judges > 0 && warm == judges
}

func (w *warmth) begin(now int64) {
	*w = warmth{windowEnd: now + int64(warmWindow), last: -1, note: "the warm-up was shorter than two windows of " + warmWindow.String()}
}

// look says whether the window that ends now has shown a warm system, after so
// many right answers in all and of the least used replica.
func (w *warmth) look(now, right, fewest int64) bool {
	if now < w.windowEnd {
		return false
	}
	n := right - w.before
	stable := false
	if w.last >= 0 {
		w.change = math.Abs(float64(n-w.last)) / float64(max(n, w.last, 1))
		stable = n > 0 && w.change <= warmChange
	}
	first := w.last < 0
	w.before, w.last, w.windowEnd = right, n, w.windowEnd+int64(warmWindow)
	if first { // nothing to compare with yet
		return false
	}
	if stable && fewest >= warmAnswers {
		w.note = ""
		return true
	}
	w.note = fmt.Sprintf("the warm-up timed out: throughput still moved by %.0f %% and the least used replica had answered %d requests",
		100*w.change, fewest)
	return false
}

// replicas counts answers by replica. Their number is bounded: names beyond it
// are counted together.
type replicas struct {
	names   []string
	answers []int64
}

const (
	maxReplicas   = 256
	otherReplicas = "(others)"
)

func (r *replicas) count(name []byte) {
	for i, n := range r.names {
		if n == string(name) { // no allocation
			r.answers[i]++
			return
		}
	}
	if len(r.names) < maxReplicas {
		r.names, r.answers = append(r.names, string(name)), append(r.answers, 1)
		return
	}
	if len(r.names) == maxReplicas {
		r.names, r.answers = append(r.names, otherReplicas), append(r.answers, 0)
	}
	r.answers[maxReplicas]++
}

// fewest is the least number of answers of any replica; where answers name
// none, it is all of them.
func (r *replicas) fewest(all int64) int64 {
	if len(r.answers) == 0 {
		return all
	}
	return slices.Min(r.answers)
}

func (r *replicas) byName() map[string]int64 {
	m := map[string]int64{}
	for i, n := range r.names {
		m[n] = r.answers[i]
	}
	return m
}
