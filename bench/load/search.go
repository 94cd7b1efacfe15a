package load

import (
	"fmt"
	"time"

	"authbench/bench/trial"
)

// Search looks for the highest rate below ceiling (requests per second) that
// holds the SLO: p99 within its bound, no error, none dropped. run carries out an
// open step at a rate; the first is at three quarters of the ceiling, then
// upwards or downwards until the rate is bracketed, then halving the bracket. It
// returns the best step's result with its rate in Stream.Pacing; when none held,
// the lowest step's with rate 0. Notes tell each step.
func Search(s trial.Search, ceiling float64, run func(rate float64) (*trial.StreamResult, error)) (*trial.StreamResult, error) {
	switch {
	case s.Steps < 1 || !(s.SLO.P99Milliseconds > 0):
		return nil, fmt.Errorf("a search needs at least one step and a p99 bound")
	case !(ceiling > 0):
		return nil, fmt.Errorf("the ceiling of the search is %g requests per second: a closed step with successes must come before it", ceiling)
	}
	var best *trial.StreamResult
	var notes []string
	found := 0.0
	finish := func(err error) (*trial.StreamResult, error) {
		if best != nil {
			best.Stream.Pacing.Rate, best.Notes = found, append(notes, best.Notes...)
		}
		return best, err
	}
	b := Bracket{High: ceiling}
	for range s.Steps {
		rate := b.Middle()
		r, err := run(rate)
		if err != nil {
			if len(notes) == 0 {
				best = r
			}
			return finish(err)
		}
		fault := breach(r, s.SLO)
		held := fault == ""
		if held {
			fault, found = "held", rate
		}
		notes = append(notes, fmt.Sprintf("%.0f/s: %s (p99 %s, pacer lag p99 %s)", rate, fault, ms(r.Latency[trial.Success]), ms(r.PacerLag)))
		if held || b.Low == 0 { // steps that hold rise; until one does, they fall
			best = r
		}
		b.Narrow(rate, held)
	}
	return finish(nil)
}

// breach says how a step failed its SLO; empty if it held.
func breach(r *trial.StreamResult, slo trial.SLO) string {
	p99 := r.Latency[trial.Success].Quantile(0.99)
	switch {
	case r.Dropped > 0:
		return fmt.Sprintf("%d dropped", r.Dropped)
	case r.Errors() > 0:
		return fmt.Sprintf("%d errors", r.Errors())
	case r.Completed == 0:
		return "nothing was asked"
	case float64(p99)/float64(time.Millisecond) > slo.P99Milliseconds:
		return fmt.Sprintf("p99 over %g ms", slo.P99Milliseconds)
	}
	return ""
}

func ms(h *trial.Histogram) string {
	return fmt.Sprintf("%.2f ms", float64(h.Quantile(0.99))/float64(time.Millisecond))
}

// Bracket closes in on the highest rate that holds: it lies from Low, which held
// (0: none has yet), to High, which did not or is taken not to.
type Bracket struct{ Low, High float64 }

// Middle is the next rate to try. While nothing has held the answer may lie far
// below, so it goes down in steps of a constant ratio.
func (b Bracket) Middle() float64 {
	if b.Low == 0 {
		return b.High * 0.75
	}
	return (b.Low + b.High) / 2
}

// Narrow takes in whether a rate held.
func (b *Bracket) Narrow(rate float64, held bool) {
	if held {
		b.Low = rate
	} else {
		b.High = rate
	}
}
