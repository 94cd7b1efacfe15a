// Package analysistest builds trials for tests, without a machine: single ones
// whose figures a test sets one by one, and a whole plausible run. What comes
// out depends on nothing but the arguments, so golden files can be made from it.
package analysistest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Epoch is when every fixture begins.
var Epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Option sets one figure of a trial.
type Option func(*trial.Trial)

// Spec is a cell of one replica behind round robin, with one open step of
// 1,000 requests for each name. More factors of the cell may follow its arm.
func Spec(experiment string, a trial.Arm, steps ...string) trial.Spec {
	return In(experiment, trial.NewCell("arm", a), steps...)
}

// In is Spec of any cell; replicas and balancer are those that it names.
func In(experiment string, cell trial.Cell, steps ...string) trial.Spec {
	if _, err := arm.Lookup(cell.Arm()); err != nil {
		panic(err)
	}
	c := trial.CellSpec{Cell: cell, System: trial.System{Arm: cell.Arm(), Replicas: 1, Balancer: trial.RoundRobin, Users: 100,
		Server: map[string]string{trial.SettingLifetime: "1h0m0s", trial.SettingPool: "4"}}}
	if n, err := strconv.Atoi(cell.Get("replicas")); err == nil {
		c.System.Replicas = n
	}
	if b := cell.Get("balancer"); b != "" {
		c.System.Balancer = trial.Balancer(b)
	}
	for _, name := range steps {
		c.Steps = append(c.Steps, trial.Step{Name: name, Seconds: 1, Streams: []trial.Stream{{Name: trial.Main, Request: "GET /me",
			Connections: 8, Pacing: trial.Pacing{Mode: trial.Open, Rate: 1000}}}})
	}
	return trial.Single(experiment, c)
}

// Labelled is the same spec with a label.
func Labelled(s trial.Spec, label string) trial.Spec {
	s.Cells = slices.Clone(s.Cells)
	s.Cells[0].Label = label
	return s
}

// Trial is a good trial of a cell: every measured step serves its rate (1,000
// a second where none is given) with success alone; all else is zero until an
// option sets it.
func Trial(spec trial.Spec, block int, options ...Option) trial.Trial {
	t := trial.Trial{Spec: spec, Block: block, Attempt: 1, Order: 1, Status: trial.OK, Started: Epoch, Seconds: 2}
	for i, c := range spec.Cells {
		for _, step := range c.Steps {
			if !step.Warmup {
				m := measurement(step)
				m.Cell = i
				t.Steps = append(t.Steps, m)
			}
		}
	}
	for _, o := range options {
		o(&t)
	}
	t.Key = spec.Key(t.Block, t.Attempt)
	return t
}

func measurement(step trial.Step) trial.Measurement {
	m := trial.Measurement{Step: step.Name, Started: Epoch.Add(time.Second), Seconds: step.Seconds, Search: step.Search}
	m.Usage.Seconds, m.Usage.CPU, m.Usage.Counters = step.Seconds, map[trial.Tier]float64{}, map[string]float64{}
	for _, s := range step.Streams {
		r := &trial.StreamResult{Stream: s, Started: m.Started, Seconds: m.Seconds,
			Users: 100, Outcomes: map[string]int64{}, Replicas: map[string]int64{}, Latency: map[string]*trial.Histogram{}}
		rate := s.Pacing.Rate
		if rate == 0 {
			rate = 1000
		}
		setThroughput(r, rate)
		if m.Streams == nil {
			m.Streams = map[string]*trial.StreamResult{}
		}
		m.Streams[s.Name] = r
	}
	return m
}

func setThroughput(r *trial.StreamResult, perSecond float64) {
	n := int64(math.Round(perSecond * r.Seconds))
	r.Offered, r.Completed = n, n
	r.Outcomes[trial.Success] = n
}

// in turns a change of one step's measurement and of its one stream into an Option.
func in(step string, change func(*trial.Measurement, *trial.StreamResult)) Option {
	return func(t *trial.Trial) {
		m, ok := t.Step(0, step)
		if !ok {
			panic(fmt.Sprintf("analysistest: %s has no step %q", t.Spec, step))
		}
		r, ok := m.Result("")
		if !ok {
			panic(fmt.Sprintf("analysistest: step %q of %s has no stream", step, t.Spec))
		}
		change(m, r)
	}
}

// Beside does to the second cell of a duet what options do to the first.
func Beside(options ...Option) Option {
	return func(t *trial.Trial) {
		second := *t
		second.Spec.Cells, second.Steps = t.Spec.Cells[1:], nil
		var from []int
		for i, m := range t.Steps {
			if m.Cell == 1 {
				m.Cell = 0
				second.Steps, from = append(second.Steps, m), append(from, i)
			}
		}
		for _, o := range options {
			o(&second)
		}
		for i, m := range second.Steps {
			m.Cell = 1
			t.Steps[from[i]] = m
		}
	}
}

// Throughput sets the successes per second of a step. Give it before the
// options that count per request.
func Throughput(step string, perSecond float64) Option {
	return in(step, func(_ *trial.Measurement, r *trial.StreamResult) { setThroughput(r, perSecond) })
}

// CPU sets the microseconds that one tier spent per successful request.
func CPU(step string, tier trial.Tier, usPerRequest float64) Option {
	return in(step, func(m *trial.Measurement, r *trial.StreamResult) {
		m.Usage.CPU[tier] = usPerRequest / 1e6 * float64(r.Outcomes[trial.Success])
	})
}

// Counter sets a store's or the balancer's counter as a multiple of the completed requests.
func Counter(step, name string, perRequest float64) Option {
	return in(step, func(m *trial.Measurement, r *trial.StreamResult) {
		m.Usage.Counters[name] = math.Round(perRequest * float64(r.Completed))
	})
}

// Bytes sets the mean size of a request and of its answer at the client's socket.
func Bytes(step string, request, response float64) Option {
	return in(step, func(_ *trial.Measurement, r *trial.StreamResult) {
		r.SentBytes = int64(math.Round(request * float64(r.Completed)))
		r.ReceivedBytes = int64(math.Round(response * float64(r.Completed)))
	})
}

// Latency gives the successes of a step log-normal latencies with this median and 99th percentile.
func Latency(step string, median, p99 time.Duration) Option {
	return in(step, func(_ *trial.Measurement, r *trial.StreamResult) {
		r.Latency[trial.Success] = LogNormal(r.Outcomes[trial.Success], median, p99)
	})
}

// Errors turns a number of a step's successes into another outcome.
func Errors(step, class string, n int64) Option {
	return in(step, func(_ *trial.Measurement, r *trial.StreamResult) {
		r.Outcomes[trial.Success] -= n
		r.Outcomes[class] += n
	})
}

// Outage makes of a step with a fault what the fault does: it is in effect from
// 1 to 2.5 s, so many of the main stream's requests end meanwhile, and this share
// of them is served. A step without a fault serves the share throughout.
func Outage(step string, requests int64, available float64) Option {
	return func(t *trial.Trial) {
		in(step, func(m *trial.Measurement, r *trial.StreamResult) {
			served := int64(math.Round(available * float64(requests)))
			r.Completed, r.Outcomes = requests, map[string]int64{trial.Success: served, trial.Failed: requests - served}
			for _, s := range t.Spec.Cells[0].Steps {
				if s.Name != step || len(s.Faults) == 0 {
					continue
				}
				begun, inEffect, ended, recovered := 1.0, 1.02, 2.5, 2.53
				m.Marks = []trial.Mark{{Fault: s.Faults[0], Begun: &begun, InEffect: &inEffect, Ended: &ended, Recovered: &recovered}}
				r.Started = m.Started
				r.Series = map[string][]int64{trial.Success: make([]int64, 50), trial.Failed: make([]int64, 50)}
				r.Series[trial.Success][11], r.Series[trial.Failed][11] = served, requests-served
				r.Series[trial.Success][5], r.Series[trial.Success][30], r.Series[trial.Failed][25] = 10, 10, 1
			}
		})(t)
	}
}

// LoggedOut makes of a step with a fault one from which on this share of the main
// stream's requests is refused: of so many during the fault, and of as many after it.
func LoggedOut(step string, requests int64, refused float64) Option {
	return func(t *trial.Trial) {
		Outage(step, 2*requests, 1)(t)
		in(step, func(_ *trial.Measurement, r *trial.StreamResult) {
			out := int64(math.Round(refused * float64(requests)))
			r.Outcomes = map[string]int64{trial.Success: 2 * (requests - out), trial.Refused: 2 * out}
			if r.Series == nil {
				return
			}
			r.Series[trial.Refused] = make([]int64, len(r.Series[trial.Success]))
			for _, slice := range []int{11, 40} {
				r.Series[trial.Success][slice], r.Series[trial.Refused][slice] = requests-out, out
			}
			r.Series[trial.Success][30], r.Series[trial.Failed][25] = 0, 0
		})(t)
	}
}

// Rate sets the rate with which a step was carried out: for a search, the one it found.
func Rate(step string, perSecond float64) Option {
	return in(step, func(_ *trial.Measurement, r *trial.StreamResult) { r.Stream.Pacing.Rate = perSecond })
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

// Lost sets what sticky.js counts: so many requests by so many users, and those
// lost of them, which fall on all users as evenly as whole requests can.
func Lost(users, requests, lost float64) Option {
	return func(t *trial.Trial) {
		for name, v := range map[string]float64{"authenticated_requests": requests, "lost_sessions": lost, "users_asked": users,
			"users_who_lost": min(users, lost), "lost_by_user_squared": max(lost, lost*lost/users)} {
			JourneyCounter(name, v)(t)
		}
	}
}

// JourneySamples sets the samples that a k6 script reported under a name.
func JourneySamples(name string, vs ...float64) Option {
	return func(t *trial.Trial) { journey(t).Samples[name] = vs }
}

// journey is that of the trial's first step; a step "journey" is made where there is none.
func journey(t *trial.Trial) *trial.Journey {
	if len(t.Steps) == 0 {
		t.Steps = append(t.Steps, trial.Measurement{Step: "journey", Started: Epoch.Add(time.Second), Seconds: 1})
	}
	m := &t.Steps[0]
	if m.Journey == nil {
		m.Journey = &trial.Journey{Counters: map[string]float64{}, Samples: map[string][]float64{}}
		for _, step := range t.Spec.Cells[0].Steps {
			if step.Script != nil {
				m.Journey.Script = step.Script.File
			}
		}
	}
	return m.Journey
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
