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

// warmth follows a warm-up phase.
type warmth struct {
	windowEnd int64
	before    int64 // completions up to the window's start
	last      int64 // completions of the window before; -1 for none
	change    float64
	note      string // why it is not warm yet
}

func (w *warmth) begin(now int64) {
	*w = warmth{windowEnd: now + int64(warmWindow), last: -1, note: "the warm-up was shorter than two windows of " + warmWindow.String()}
}

// warm says whether the warm-up has done its work. It is asked at every tick.
func (ph *phase) warm(now int64) bool {
	w := &ph.warmth
	if now < w.windowEnd {
		return false
	}
	n := ph.outcomes[success] - w.before
	stable := false
	if w.last >= 0 {
		w.change = math.Abs(float64(n-w.last)) / float64(max(n, w.last, 1))
		stable = n > 0 && w.change <= warmChange
	}
	fewest := ph.replicas.fewest(ph.outcomes[success])
	first := w.last < 0
	w.before, w.last, w.windowEnd = ph.outcomes[success], n, w.windowEnd+int64(warmWindow)
	if first { // nothing to compare with yet
		return false
	}
	if stable && fewest >= warmAnswers {
		w.note = ""
		return true
	}
	w.note = fmt.Sprintf("the warm-up ended by time: throughput still moved by %.0f %% and the least used replica had answered %d requests", 100*w.change, fewest)
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
