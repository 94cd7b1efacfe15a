package main

import (
	"fmt"
	"time"

	"authbench/bench/trial"
)

// Bounds of a trial that counts, fixed before any run. Beyond them the
// instrument is in doubt, not the system: the trial is invalid and made again.
const (
	pacerLagP99Bound   = 5 * time.Millisecond
	generatorCPUBound  = 0.80                  // share of its CPU
	stealBound         = 0.01                  // share of one used CPU over the trial's measured time
	foreignBound       = 0.03                  // CPU used by neither us nor the system: busy time, counted in ticks, less CPU time, counted in ns; 0 to 0.02 on a quiet machine
	clockJumpBound     = 50 * time.Millisecond // wall clock against monotonic clock over a trial
	tick               = 0.01                  // seconds; the kernel's own resolution of steal and busy time
	smallestDoubtTicks = 3                     // so few ticks are rounding, whatever their share
)

// doubt is a reason to distrust a trial.
type doubt struct {
	text  string
	fatal bool // makes the trial invalid; otherwise it is a warning only
}

// doubts judges a trial's measurements as a whole.
func doubts(phases []trial.Measurement) (found []doubt) {
	var seconds, steal, foreign float64
	for i := range phases {
		m := &phases[i]
		if m.Phase.Mode == "" { // a k6 journey: it counts answers, which stolen time does not change
			continue
		}
		seconds += m.Usage.Seconds
		steal += m.Usage.Steal
		foreign += m.Usage.Foreign
		found = append(found, phaseDoubts(m)...)
	}
	over := func(what string, used, bound float64) {
		if used > max(bound*seconds, smallestDoubtTicks*tick) {
			found = append(found, doubt{fmt.Sprintf("%s took %.0f ms in %.1f s, more than %.0f %% of a CPU", what, used*1000, seconds, bound*100), true})
		}
	}
	over("steal", steal, stealBound)
	over("foreign work", foreign, foreignBound)
	return found
}

func phaseDoubts(m *trial.Measurement) (found []doubt) {
	name := m.Phase.Name
	if m.Phase.Mode == trial.Open && m.PacerLag != nil {
		if lag := m.PacerLag.Quantile(0.99); lag > pacerLagP99Bound {
			found = append(found, doubt{fmt.Sprintf("%s: the generator started late: pacer lag p99 %v, bound %v", name, lag.Round(time.Microsecond), pacerLagP99Bound), true})
		}
	}
	if cpu := m.Usage.CPU[trial.GeneratorTier]; m.Usage.Seconds > 0 && cpu/m.Usage.Seconds > generatorCPUBound { // a closed phase would measure the generator
		found = append(found, doubt{fmt.Sprintf("%s: the generator used %.0f %% of its CPU, bound %.0f %%", name, 100*cpu/m.Usage.Seconds, 100*generatorCPUBound), true})
	}
	if m.Outcomes[trial.Success] == 0 {
		found = append(found, doubt{fmt.Sprintf("%s: no request succeeded: %v", name, m.Outcomes), true})
	}
	if m.Dropped > 0 { // the pacer being healthy, that is the system's failure
		found = append(found, doubt{fmt.Sprintf("%s: %d of %d requests never started", name, m.Dropped, m.Offered), false})
	}
	if e := m.Errors(); e > 0 {
		found = append(found, doubt{fmt.Sprintf("%s: %d of %d requests failed: %v", name, e, m.Completed, m.Outcomes), false})
	}
	for _, n := range m.Notes {
		if m.Phase.Mode != trial.Search {
			found = append(found, doubt{name + ": " + n, false})
		}
	}
	return found
}
