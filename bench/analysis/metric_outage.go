package analysis

import (
	"fmt"
	"math"
	"time"

	"authbench/bench/trial"
)

// outageMetrics are what a fault does to those who ask meanwhile.
func outageMetrics() []Metric {
	return []Metric{
		counted(Metric{Name: "outage_availability", Title: "Share of valid users' requests answered 2xx during the fault",
			Unit: "share", Better: trial.More, Aspect: trial.Counts, bursts: true, faulty: true},
			during(trial.Success)),
		counted(Metric{Name: "outage_refused_share", Title: "Share of valid users' requests answered 401 during the fault",
			Unit: "share", Better: trial.Less, Aspect: trial.Counts, bursts: true, faulty: true},
			during(trial.Refused)),
		counted(Metric{Name: "refused_after_share", Title: "Share of valid users' requests answered 401 once the fault was over",
			Unit: "share", Better: trial.Less, Aspect: trial.Counts, bursts: true, faulty: true},
			after(trial.Refused)),
		counted(Metric{Name: "unauthorized_success_share", Title: "Share of requests answered 2xx that should have been refused",
			Unit: "share", Better: trial.Less, Aspect: trial.Counts}, unauthorized),
		{Name: "error_time_p99_us", Title: "Time to an error, 99th percentile", Unit: "µs", Better: trial.Less, Aspect: trial.Tail,
			value: ofStep(errorTime)},
		{Name: "recovery_seconds", Title: "From the fault's end to the last failed request",
			Unit: "s", Better: trial.Less, Aspect: trial.WallClock, value: recovery},
	}
}

// window are the seconds from the step's start in which its fault was in effect,
// of several from the first to the last; ok is false for a step without faults.
func window(m *trial.Measurement) (from, to float64, ok bool, err error) {
	for i, mark := range m.Marks {
		if mark.InEffect == nil || mark.Ended == nil {
			return 0, 0, false, fmt.Errorf("the fault %s of %s was not in effect: %s", mark.Fault.Kind, mark.Fault.Target, mark.Why)
		}
		if i == 0 {
			from = *mark.InEffect
		}
		from, to = min(from, *mark.InEffect), max(to, *mark.Ended)
	}
	return from, to, len(m.Marks) > 0, nil
}

// during counts the valid users' requests that ended in an outcome while the
// fault was in effect, and all that ended meanwhile: in slices that lie wholly
// within.
func during(class string) func(Block, trial.Selector) (float64, float64, error) {
	return within(class, "requests that ended during the fault", window)
}

// after counts likewise what ended once the fault was seen to be over.
func after(class string) func(Block, trial.Selector) (float64, float64, error) {
	return within(class, "requests that ended after the fault", func(m *trial.Measurement) (from, to float64, ok bool, err error) {
		if _, _, ok, err = window(m); err != nil || !ok {
			return 0, 0, ok, err
		}
		for _, mark := range m.Marks {
			if mark.Recovered == nil {
				return 0, 0, false, fmt.Errorf("the fault %s of %s was not over: %s", mark.Fault.Kind, mark.Fault.Target, mark.Why)
			}
			from = max(from, *mark.Recovered)
		}
		return from, math.Inf(1), true, nil
	})
}

// within counts in a part of the step. Without a fault it is all of the step.
func within(class, chancesAre string, part func(*trial.Measurement) (from, to float64, ok bool, err error)) func(Block, trial.Selector) (
	float64, float64, error) {
	return func(b Block, s trial.Selector) (events, chances float64, err error) {
		x, err := b.sample(s)
		if err != nil {
			return 0, 0, err
		}
		from, to, faulty, err := part(x.Measurement)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", cellName(s), err)
		}
		if !faulty {
			return chancesOf(s, float64(x.Outcomes[class]), float64(x.Completed), "completed requests")
		}
		late := x.StreamResult.Started.Sub(x.Measurement.Started).Seconds()
		width := trial.SeriesSlice.Seconds()
		for c, slices := range x.Series {
			for i, n := range slices {
				if at := late + float64(i)*width; at < from || at+width > to {
					continue
				}
				chances += float64(n)
				if c == class {
					events += float64(n)
				}
			}
		}
		return chancesOf(s, events, chances, chancesAre)
	}
}

// unauthorized counts over all streams that show what must be refused.
func unauthorized(b Block, s trial.Selector) (events, chances float64, err error) {
	m, err := b.measurement(s)
	if err != nil {
		return 0, 0, err
	}
	for _, r := range m.Streams {
		if p := r.Stream.Present; p != "" && p != trial.Valid {
			events += float64(r.Outcomes[trial.UnauthorizedSuccess])
			chances += float64(r.Completed)
		}
	}
	return chancesOf(s, events, chances, "requests that should have been refused")
}

func errorTime(x sample) (float64, error) {
	h := x.Latency[trial.Failed]
	if h.Count() == 0 {
		return 0, fmt.Errorf("no request was answered by a 5xx")
	}
	return float64(h.Quantile(0.99)) / float64(time.Microsecond), nil
}

// recovery is how long after the fault's end the last request failed; 0 if none did.
func recovery(b Block, s trial.Selector) (float64, error) {
	x, err := b.sample(s)
	if err != nil {
		return 0, err
	}
	_, to, faulty, err := window(x.Measurement)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", cellName(s), err)
	case !faulty:
		return 0, fmt.Errorf("%s: nothing was broken", cellName(s))
	}
	late := x.StreamResult.Started.Sub(x.Measurement.Started).Seconds()
	last := 0.0
	for _, c := range []string{trial.Failed, trial.Transport, trial.Shed, trial.Other} {
		for i, n := range x.Series[c] {
			if n > 0 {
				last = max(last, late+float64(i+1)*trial.SeriesSlice.Seconds()-to)
			}
		}
	}
	return last, nil
}
