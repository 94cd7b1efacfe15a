package campaign

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Causes of doubt that a measurement can show.
const (
	stolen      = trial.StolenCPU
	stolenOurs  = trial.StolenGeneratorCPU
	others      = trial.ForeignCPU
	latePacer   = trial.LateGenerator
	stoodStill  = trial.StoppedGenerator
	busyPacer   = "busy generator"
	clockStep   = "clock step"
	died        = "component died"
	saturated   = "saturated system"
	shortWarmup = "warm-up too short"
	dropped     = "dropped requests"
	errored     = "failed requests"
	noCapacity  = "no capacity found"
)

// clockJumpBound is how far the wall clock may part from the monotonic one over a trial.
const clockJumpBound = 50 * time.Millisecond

// lateShare of a latency may be the pacer's own lag.
const lateShare = 0.25

// smallestDoubtTicks are rounding, whatever their share: the kernel counts
// stolen and busy time in ticks of 10 ms.
const smallestDoubtTicks = 3

// DoubtRules are the bounds beyond which a cause spoils what a figure rests on,
// fixed before any run. Counts are spoiled by none of them: neither stolen time
// nor a late pacer changes how many store operations a request costs.
func DoubtRules() []trial.DoubtRule {
	duet := func(r trial.DoubtRule, bound float64) trial.DoubtRule {
		r.Beside = bound
		return r
	}
	rule := func(cause string, a trial.Aspect, bound float64, unit, why string) trial.DoubtRule {
		return trial.DoubtRule{Cause: cause, Aspect: a, Bound: bound, Unit: unit, Why: why}
	}
	const share = "share of its CPU time"
	return []trial.DoubtRule{
		rule(stolen, trial.CPUTotal, 0.10, share, "CPU clocks leave stolen time out; cold caches after it cost about 1 %"),
		rule(stolen, trial.CPUSplit, 0.03, share, "stolen time bunches arrivals, which moves work from the replicas to nginx"),
		rule(stolen, trial.Median, 0.05, share, "a request in flight waits for the CPU to come back"),
		rule(stolen, trial.Tail, 0.01, share, "one stolen tick is longer than most tails"),
		rule(stolen, trial.Rate, 0.02, share, "a stolen CPU serves nobody"),
		rule(stolenOurs, trial.Rate, 0.02, share, "a generator that stands still keeps a closed loop waiting"),
		rule(stoodStill, trial.Rate, 0.02, "share of the step", "the same, by whatever stopped it"),
		duet(rule(others, trial.CPUTotal, 0.03, share, "other work takes caches and memory bandwidth, in a duet of both sides"), 0.65),
		duet(rule(others, trial.CPUSplit, 0.03, share, "the same"), 0.10),
		rule(others, trial.Median, 0.03, share, "requests wait for other work"),
		rule(others, trial.Tail, 0.03, share, "the same; busy time comes in ticks, so that less cannot be told from rounding"),
		rule(others, trial.Rate, 0.03, share, "the same"),
		rule(latePacer, trial.CPUTotal, 0.020, "s, p99 of the pacer's lag", "late starts come in bunches, and bunches are served cheaper"),
		rule(latePacer, trial.CPUSplit, 0.005, "s, p99 of the pacer's lag", "the same, between tiers"),
		rule(latePacer, trial.Median, 0.25, "of the step's own median", "latency counts from the intended start"),
		rule(latePacer, trial.Tail, lateShare, "of the step's own p99", "latency counts from the intended start"),
		rule(busyPacer, trial.Median, 0.80, share, "the generator would be measured"),
		rule(busyPacer, trial.Tail, 0.80, share, "the generator would be measured"),
		rule(busyPacer, trial.Rate, 0.80, share, "the generator would be measured"),
		rule(clockStep, trial.WallClock, clockJumpBound.Seconds(), "s", "a token's lifetime is told by the wall clock"),
	}
}

// spoilt are what a component that died by itself leaves no figure of but counts.
func spoilt() []trial.Aspect {
	return slices.DeleteFunc(trial.Aspects(), func(a trial.Aspect) bool { return a == trial.Counts || a == trial.WallClock })
}

// Instrument knows which CPUs serve whom, by "cpu0", ...
type Instrument struct{ Generator, System []string }

// NewInstrument reads lists of CPUs such as "0" or "1-3".
func NewInstrument(generator, system string) Instrument {
	names := func(list string) (cpus []string) {
		ns, _ := process.ParseCPUs(list) // our own list
		for _, n := range ns {
			cpus = append(cpus, fmt.Sprintf("cpu%d", n))
		}
		return cpus
	}
	return Instrument{names(generator), names(system)}
}

// doubts judges one step by the rules. What the system under test did (errors,
// drops) is a remark at most: it is a result. Nothing is said against a k6
// journey: it counts answers, which stolen time does not change. The trial has so
// many cells: in a duet noise hits both sides, and the bounds are wider.
func (in Instrument) doubts(m *trial.Measurement, expect trial.Expect, cells int) (found []trial.Doubt) {
	if m.Found != nil { // its tries were judged one by one
		if m.Found.End == trial.Found {
			return nil
		}
		return []trial.Doubt{{Step: m.Step, Cause: noCapacity, Text: fmt.Sprintf("no capacity was found: %s, as %s", m.Found, m.Found.Why)}}
	}
	return append(in.causes(m, cells), remarks(m, expect)...)
}

// Spoilt says why the rate or the tail of latency that a step showed may not be
// the system's own, "" if nothing speaks against it, and whether that is because
// the generator was at its ceiling. A late pacer counts by the SLO that is at
// stake where latency itself is far below it.
func (in Instrument) Spoilt(m *trial.Measurement, slo trial.SLO) (why string, limited bool) {
	var texts []string
	for _, d := range in.causes(m, 1) {
		if d.Cause == latePacer && d.Amount <= lateShare*slo.P99Milliseconds/1000 {
			continue
		}
		if slices.Contains(d.Spoils, trial.Tail) || slices.Contains(d.Spoils, trial.Rate) {
			texts = append(texts, d.Text)
			limited = limited || d.Cause == busyPacer
		}
	}
	return strings.Join(texts, "; "), limited
}

// causes are those of the machine and the generator.
func (in Instrument) causes(m *trial.Measurement, cells int) (found []trial.Doubt) {
	if len(m.Streams) == 0 {
		return nil
	}
	// over holds an amount against all rules of a cause; least is what cannot be told from rounding.
	over := func(cause string, amount, least float64, text string) {
		d := trial.Doubt{Step: m.Step, Cause: cause, Amount: amount, Text: text}
		for _, r := range DoubtRules() {
			bound := max(r.In(cells), least)
			if r.Cause != cause || !(amount > bound) {
				continue
			}
			if d.Spoils = append(d.Spoils, r.Aspect); d.Bound == 0 || bound < d.Bound {
				d.Bound, d.Unit = bound, r.Unit
			}
		}
		if len(d.Spoils) > 0 {
			found = append(found, d)
		}
	}
	open, closed := paced(m, trial.Open), paced(m, trial.Closed)
	system, generator := in.sum(m.Usage.Ticks, in.System), in.sum(m.Usage.Ticks, in.Generator)
	if system.Total > 0 {
		share := func(ticks int64) float64 { return float64(ticks) / float64(system.Total) }
		over(stolen, share(system.Steal), share(smallestDoubtTicks),
			fmt.Sprintf("%.0f %% of the system's CPU time was stolen", 100*share(system.Steal)))
		known := serving(m.Usage) + m.Usage.Beside
		if slices.Equal(in.System, in.Generator) {
			known += m.Usage.CPU[trial.GeneratorTier]
		}
		if _, unknown := m.Usage.Missing[trial.MissingForeign]; !unknown {
			foreign := share(system.Busy) - known/(float64(system.Total)*trial.TickSeconds)
			over(others, foreign, share(smallestDoubtTicks), fmt.Sprintf("other processes used %.0f %% of the system's CPU time", 100*foreign))
		}
		if busy := share(system.Busy); len(open) > 0 && busy > 0.95 {
			found = append(found, trial.Doubt{Step: m.Step, Cause: saturated, Amount: busy, Bound: 0.95, Unit: "share of the system's CPUs",
				Text: fmt.Sprintf("the system's CPUs were %.0f %% busy: this is overload, not a share of it", 100*busy)})
		}
	}
	if generator.Total > 0 && len(closed) > 0 {
		share := float64(generator.Steal) / float64(generator.Total)
		over(stolenOurs, share, smallestDoubtTicks/float64(generator.Total), fmt.Sprintf("%.0f %% of the generator's CPU was stolen", 100*share))
	}
	for _, r := range closed {
		if r.Seconds > 0 {
			share := r.StoodStill / r.Seconds
			over(stoodStill, share, 0, fmt.Sprintf("the generator stood still for %.0f %% of the step", 100*share))
		}
	}
	for _, r := range open {
		if r.PacerLag.Count() > 0 {
			found = append(found, latePacerDoubt(m.Step, r)...)
		}
	}
	if cpu := m.Usage.CPU[trial.GeneratorTier]; m.Usage.Seconds > 0 {
		over(busyPacer, cpu/m.Usage.Seconds, 0, fmt.Sprintf("the generator used %.0f %% of its CPU", 100*cpu/m.Usage.Seconds))
	}
	return found
}

// paced are the step's streams of a mode, in the order of their names.
func paced(m *trial.Measurement, mode trial.Mode) (rs []*trial.StreamResult) {
	for _, name := range slices.Sorted(maps.Keys(m.Streams)) {
		if r := m.Streams[name]; r.Stream.Pacing.Mode == mode {
			rs = append(rs, r)
		}
	}
	return rs
}

// latePacerDoubt holds the pacer's lag against its own bounds: absolute ones for
// CPU, shares of the stream's own latency for latency.
func latePacerDoubt(step string, r *trial.StreamResult) []trial.Doubt {
	lag, ok := r.PacerLag.Quantile(0.99), r.Latency[trial.Success]
	d := trial.Doubt{Step: step, Cause: latePacer, Amount: lag.Seconds(), Unit: "s, p99 of the pacer's lag",
		Text: fmt.Sprintf("the generator started late: pacer lag p99 %v", lag.Round(time.Microsecond))}
	for _, rule := range DoubtRules() {
		if rule.Cause != latePacer {
			continue
		}
		amount, bound := lag.Seconds(), rule.Bound
		switch rule.Aspect {
		case trial.Median:
			amount, bound = r.PacerLag.Quantile(0.5).Seconds(), rule.Bound*ok.Quantile(0.5).Seconds()
		case trial.Tail:
			bound = rule.Bound * ok.Quantile(0.99).Seconds()
		}
		if amount > bound && bound > 0 {
			if d.Spoils = append(d.Spoils, rule.Aspect); d.Bound == 0 || bound < d.Bound {
				d.Bound = bound
			}
		}
	}
	if len(d.Spoils) == 0 {
		return nil
	}
	return []trial.Doubt{d}
}

// remarks are what a reader should know of a step that spoils nothing. What the
// step was expected to do is none.
func remarks(m *trial.Measurement, expect trial.Expect) (found []trial.Doubt) {
	for _, name := range slices.Sorted(maps.Keys(m.Streams)) {
		r := m.Streams[name]
		add := func(cause, format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			if len(m.Streams) > 1 {
				text = name + ": " + text
			}
			found = append(found, trial.Doubt{Step: m.Step, Cause: cause, Text: text})
		}
		if r.Dropped > 0 && !expect.Errors {
			add(dropped, "%d of %d requests never started", r.Dropped, r.Offered)
		}
		if e := r.Errors(); e > 0 && !expect.Errors && (r.Stream.Present == "" || r.Stream.Present == trial.Valid) {
			add(errored, "%d of %d requests failed: %v", e, r.Completed, r.Outcomes)
		}
		for _, n := range r.Notes {
			add("note of the driver", "%s", n)
		}
	}
	return found
}

// sum adds up the ticks of some CPUs.
func (in Instrument) sum(ticks map[string]trial.CPUTicks, cpus []string) (sum trial.CPUTicks) {
	for _, name := range cpus {
		t := ticks[name]
		sum.Busy, sum.Steal, sum.Total = sum.Busy+t.Busy, sum.Steal+t.Steal, sum.Total+t.Total
	}
	return sum
}
