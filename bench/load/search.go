package load

import (
	"context"
	"fmt"
	"time"

	"authbench/bench/trial"
)

// Search looks for the highest rate below ceiling (requests per second) that
// holds the phase's SLO: p99 within its bound, no error, none dropped. It makes
// Steps open steps of Seconds each: the first at three quarters of the ceiling,
// then upwards or downwards until the rate is bracketed, then halving the
// bracket. It returns the best step's measurement with its rate in Phase.Rate;
// when none held, the lowest step's with rate 0. Notes tell each step.
func (d *Driver) Search(ctx context.Context, p trial.Phase, ceiling float64) (trial.Measurement, error) {
	switch {
	case p.Mode != trial.Search || p.Steps < 1 || p.SLO == nil || !(p.SLO.P99Milliseconds > 0):
		return trial.Measurement{Phase: p}, fmt.Errorf("phase %s: a search needs mode %s, at least one step and a p99 bound", p.Name, trial.Search)
	case !(ceiling > 0):
		return trial.Measurement{Phase: p}, fmt.Errorf("phase %s: the ceiling of the search is %g requests per second: a closed phase with successes must come before it", p.Name, ceiling)
	}
	return search(p, ceiling, func(step trial.Phase) (trial.Measurement, error) { return d.Run(ctx, step) })
}

// search is Search with any way to carry out a step.
func search(p trial.Phase, ceiling float64, run func(trial.Phase) (trial.Measurement, error)) (trial.Measurement, error) {
	var best trial.Measurement
	var notes []string
	finish := func(err error) (trial.Measurement, error) {
		rate := best.Phase.Rate
		best.Phase = p
		best.Phase.Rate, best.Notes = rate, append(notes, best.Notes...)
		return best, err
	}
	b := Bracket{High: ceiling}
	for range p.Steps {
		step := p
		step.Mode, step.Rate = trial.Open, b.Middle()
		m, err := run(step)
		if err != nil {
			if len(notes) == 0 {
				best = m
				best.Phase.Rate = 0
			}
			return finish(err)
		}
		fault := breach(&m, *p.SLO)
		held := fault == ""
		if held {
			fault = "held"
		}
		notes = append(notes, fmt.Sprintf("%.0f/s: %s (p99 %s, pacer lag p99 %s)", step.Rate, fault, ms(m.Latency[trial.Success]), ms(m.PacerLag)))
		if held || b.Low == 0 { // steps that hold rise; until one does, they fall
			best = m
		}
		if !held && b.Low == 0 {
			best.Phase.Rate = 0
		}
		b.Narrow(step.Rate, held)
	}
	return finish(nil)
}

// breach says how a step failed its SLO; empty if it held.
func breach(m *trial.Measurement, slo trial.SLO) string {
	p99 := m.Latency[trial.Success].Quantile(0.99)
	switch {
	case m.Dropped > 0:
		return fmt.Sprintf("%d dropped", m.Dropped)
	case m.Errors() > 0:
		return fmt.Sprintf("%d errors", m.Errors())
	case m.Completed == 0:
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
