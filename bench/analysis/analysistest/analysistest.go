// Package analysistest builds trials for tests, without a machine: single ones
// whose figures a test sets one by one, and a whole plausible run. What comes
// out depends on nothing but the arguments, so golden files can be made from it.
package analysistest

import (
	"fmt"
	"math"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"

	"gonum.org/v1/gonum/stat/distuv"
)

// Epoch is when every fixture begins.
var Epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Option sets one figure of a trial.
type Option func(*trial.Trial)

// Spec is a cell of one replica behind round robin, with one open phase of
// 1,000 requests for each name.
func Spec(experiment string, a trial.Arm, phases ...string) trial.Spec {
	if _, err := arm.Lookup(a); err != nil {
		panic(err)
	}
	s := trial.Spec{Experiment: experiment, Arm: a, Replicas: 1, Balancer: trial.RoundRobin,
		Lifetime: trial.Duration(time.Hour), Users: 100, Pool: 4}
	for _, name := range phases {
		s.Load.Phases = append(s.Load.Phases, trial.Phase{Name: name, Mode: trial.Open, Rate: 1000, Seconds: 1})
	}
	return s
}

// Trial is a good trial of a cell: every measured phase serves its rate (1,000
// a second where none is given) with success alone; all else is zero until an
// option sets it.
func Trial(spec trial.Spec, block int, options ...Option) trial.Trial {
	t := trial.Trial{Spec: spec, Block: block, Attempt: 1, Order: 1, Status: trial.OK, Started: Epoch, Seconds: 2}
	for _, ph := range spec.Load.Phases {
		if !ph.Warmup {
			t.Phases = append(t.Phases, measurement(ph))
		}
	}
	for _, o := range options {
		o(&t)
	}
	t.Key = spec.Key(t.Block, t.Attempt)
	return t
}

func measurement(ph trial.Phase) trial.Measurement {
	m := trial.Measurement{Phase: ph, Started: Epoch.Add(time.Second), Seconds: ph.Seconds,
		Users: 100, Outcomes: map[string]int64{}, Replicas: map[string]int64{}, Latency: map[string]*trial.Histogram{}}
	m.Usage.CPU, m.Usage.Counters = map[trial.Tier]float64{}, map[string]float64{}
	rate := ph.Rate
	if rate == 0 {
		rate = 1000
	}
	setThroughput(&m, rate)
	return m
}

func setThroughput(m *trial.Measurement, perSecond float64) {
	n := int64(math.Round(perSecond * m.Seconds))
	m.Offered, m.Completed = n, n
	m.Outcomes[trial.Success] = n
	m.PerSecond = nil
	for range int(m.Seconds) {
		m.PerSecond = append(m.PerSecond, int64(perSecond))
	}
}

// in turns a change of one phase's measurement into an Option.
func in(phase string, change func(*trial.Measurement)) Option {
	return func(t *trial.Trial) {
		m, ok := t.Phase(phase)
		if !ok {
			panic(fmt.Sprintf("analysistest: %s has no phase %q", t.Spec, phase))
		}
		change(m)
	}
}

// Throughput sets the successes per second of a phase. Give it before the
// options that count per request.
func Throughput(phase string, perSecond float64) Option {
	return in(phase, func(m *trial.Measurement) { setThroughput(m, perSecond) })
}

// CPU sets the microseconds that one tier spent per successful request.
func CPU(phase string, tier trial.Tier, usPerRequest float64) Option {
	return in(phase, func(m *trial.Measurement) {
		m.Usage.CPU[tier] = usPerRequest / 1e6 * float64(m.Outcomes[trial.Success])
	})
}

// Counter sets a store's or the balancer's counter as a multiple of the completed requests.
func Counter(phase, name string, perRequest float64) Option {
	return in(phase, func(m *trial.Measurement) {
		m.Usage.Counters[name] = math.Round(perRequest * float64(m.Completed))
	})
}

// Bytes sets the mean size of a request and of its answer at the client's socket.
func Bytes(phase string, request, response float64) Option {
	return in(phase, func(m *trial.Measurement) {
		m.SentBytes = int64(math.Round(request * float64(m.Completed)))
		m.ReceivedBytes = int64(math.Round(response * float64(m.Completed)))
	})
}

// Latency gives the successes of a phase log-normal latencies with this median and 99th percentile.
func Latency(phase string, median, p99 time.Duration) Option {
	return in(phase, func(m *trial.Measurement) {
		m.Latency[trial.Success] = LogNormal(m.Outcomes[trial.Success], median, p99)
	})
}

// Errors turns a number of a phase's successes into another outcome.
func Errors(phase, class string, n int64) Option {
	return in(phase, func(m *trial.Measurement) {
		m.Outcomes[trial.Success] -= n
		m.Outcomes[class] += n
	})
}

// Rate sets the rate with which a phase was carried out: for a search, the one it found.
func Rate(phase string, perSecond float64) Option {
	return in(phase, func(m *trial.Measurement) { m.Phase.Rate = perSecond })
}

// Status sets what the trial is worth.
func Status(s trial.Status) Option { return func(t *trial.Trial) { t.Status = s } }

// Doubt adds a doubt that spoils some aspects.
func Doubt(cause string, spoils ...trial.Aspect) Option {
	return func(t *trial.Trial) { t.Doubt(trial.Doubt{Cause: cause, Spoils: spoils, Text: cause}) }
}

// Attempt sets which attempt at its cell the trial is.
func Attempt(n int) Option { return func(t *trial.Trial) { t.Attempt = n } }

// Warning adds a remark.
func Warning(text string) Option {
	return func(t *trial.Trial) { t.Warnings = append(t.Warnings, text) }
}

// JourneyCounter sets a counter of a k6 script.
func JourneyCounter(name string, v float64) Option {
	return func(t *trial.Trial) { journey(t).Counters[name] = v }
}

// JourneySamples sets the samples that a k6 script reported under a name.
func JourneySamples(name string, vs ...float64) Option {
	return func(t *trial.Trial) { journey(t).Samples[name] = vs }
}

func journey(t *trial.Trial) *trial.Journey {
	if t.Journey == nil {
		t.Journey = &trial.Journey{Script: t.Spec.Load.Script, Counters: map[string]float64{}, Samples: map[string][]float64{}}
	}
	return t.Journey
}

// LogNormal is a histogram of n values that lie evenly over the quantiles of a
// log-normal distribution with this median and 99th percentile.
func LogNormal(n int64, median, p99 time.Duration) *trial.Histogram {
	h := trial.NewHistogram()
	sigma := math.Log(float64(p99)/float64(median)) / distuv.UnitNormal.Quantile(0.99)
	for i := range n {
		z := distuv.UnitNormal.Quantile((float64(i) + 0.5) / float64(n))
		h.Record(time.Duration(float64(median) * math.Exp(sigma*z)))
	}
	return h
}
