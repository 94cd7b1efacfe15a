package load

import (
	"fmt"
	"time"
)

// standstill is the gap between two turns of the loop, which turns at every tick,
// beyond which the generator itself stood still: its process was stopped, its CPU
// was taken (stolen, or by others), or it had too much to do.
const standstill = 100 * time.Millisecond

// pauses are the times at which the generator stood still during a leg. In open
// pacing the pacer's lag and latency show them too; a closed loop hides them, as
// nothing is asked meanwhile.
type pauses struct {
	times       int
	longest, at int64 // length, and from the leg's start until it began
	all         int64 // of the leg's own time
}

// turned takes in that the loop has turned at now, and before that at last.
func (l *leg) turned(last, now int64) {
	gap := now - last
	if gap <= int64(standstill) || l.warmup || !l.counts(last) || l.over(last) {
		return
	}
	l.pauses.times++
	l.pauses.all += max(0, min(now, l.end)-last)
	if gap > l.pauses.longest {
		l.pauses.longest, l.pauses.at = gap, last-l.start
	}
}

// note says it in words; empty if there was none.
func (p *pauses) note() string {
	often, length := "", time.Duration(p.longest).Round(time.Millisecond)
	switch {
	case p.times == 0:
		return ""
	case p.times > 1:
		often = fmt.Sprintf(", and %d times in all", p.times)
	}
	return fmt.Sprintf("the load generator itself stood still for %v, %.1f s after the start%s: it was stopped or had no CPU, "+
		"and neither sent nor read anything",
		length, time.Duration(p.at).Seconds(), often)
}
