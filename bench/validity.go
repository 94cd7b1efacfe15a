package main

import (
	"fmt"
	"slices"
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
	busyPacer   = "busy generator"
	clockStep   = "clock step"
	died        = "component died"
	saturated   = "saturated system"
	shortWarmup = "warm-up too short"
	dropped     = "dropped requests"
	errored     = "failed requests"
)

// clockJumpBound is how far the wall clock may part from the monotonic one over a trial.
const clockJumpBound = 50 * time.Millisecond

// smallestDoubtTicks are rounding, whatever their share: the kernel counts
// stolen and busy time in ticks of 10 ms.
const smallestDoubtTicks = 3

// doubtRules are the bounds beyond which a cause spoils what a figure rests on,
// fixed before any run. Counts are spoiled by none of them: neither stolen time
// nor a late pacer changes how many store operations a request costs.
func doubtRules() []trial.DoubtRule {
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
		rule(others, trial.CPUTotal, 0.03, share, "other work takes caches and memory bandwidth"),
		rule(others, trial.CPUSplit, 0.03, share, "the same"),
		rule(others, trial.Median, 0.03, share, "requests wait for other work"),
		rule(others, trial.Tail, 0.03, share, "the same; busy time comes in ticks, so that less cannot be told from rounding"),
		rule(others, trial.Rate, 0.03, share, "the same"),
		rule(latePacer, trial.CPUTotal, 0.020, "s, p99 of the pacer's lag", "late starts come in bunches, and bunches are served cheaper"),
		rule(latePacer, trial.CPUSplit, 0.005, "s, p99 of the pacer's lag", "the same, between tiers"),
		rule(latePacer, trial.Median, 0.25, "of the phase's own median", "latency counts from the intended start"),
		rule(latePacer, trial.Tail, 0.25, "of the phase's own p99", "latency counts from the intended start"),
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

// instrument knows which CPUs serve whom.
type instrument struct{ generator, system []string } // by "cpu0", ...

func newInstrument(m machine) instrument {
	names := func(list string) (cpus []string) {
		ns, _ := process.ParseCPUs(list) // our own list
		for _, n := range ns {
			cpus = append(cpus, fmt.Sprintf("cpu%d", n))
		}
		return cpus
	}
	return instrument{names(m.generator), names(m.system)}
}

// doubts judges one phase by the rules. What the system under test did (errors,
// drops) is a remark: it is a result.
func (in instrument) doubts(m *trial.Measurement) (found []trial.Doubt) {
	if m.Phase.Mode == "" { // a k6 journey: it counts answers, which stolen time does not change
		return nil
	}
	name := m.Phase.Name
	// over holds an amount against all rules of a cause; least is what cannot be told from rounding.
	over := func(cause string, amount, least float64, text string) {
		d := trial.Doubt{Phase: name, Cause: cause, Amount: amount, Text: text}
		for _, r := range doubtRules() {
			bound := max(r.Bound, least)
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
	system, generator := in.sum(m.Usage.Ticks, in.system), in.sum(m.Usage.Ticks, in.generator)
	if system.Total > 0 {
		share := func(ticks int64) float64 { return float64(ticks) / float64(system.Total) }
		over(stolen, share(system.Steal), share(smallestDoubtTicks), fmt.Sprintf("%.0f %% of the system's CPU time was stolen", 100*share(system.Steal)))
		known := m.Usage.CPU[trial.BalancerTier] + m.Usage.CPU[trial.ReplicaTier] + m.Usage.CPU[trial.StoreTier]
		if slices.Equal(in.system, in.generator) {
			known += m.Usage.CPU[trial.GeneratorTier]
		}
		foreign := share(system.Busy) - known/(float64(system.Total)*trial.TickSeconds)
		over(others, foreign, share(smallestDoubtTicks), fmt.Sprintf("other processes used %.0f %% of the system's CPU time", 100*foreign))
		if busy := float64(system.Busy) / float64(system.Total); m.Phase.Mode == trial.Open && busy > 0.95 {
			found = append(found, trial.Doubt{Phase: name, Cause: saturated, Amount: busy, Bound: 0.95, Unit: "share of the system's CPUs",
				Text: fmt.Sprintf("the system's CPUs were %.0f %% busy: this is overload, not a share of it", 100*busy)})
		}
	}
	if generator.Total > 0 && m.Phase.Mode == trial.Closed {
		share := float64(generator.Steal) / float64(generator.Total)
		over(stolenOurs, share, smallestDoubtTicks/float64(generator.Total), fmt.Sprintf("%.0f %% of the generator's CPU was stolen", 100*share))
	}
	if m.Phase.Mode == trial.Open && m.PacerLag.Count() > 0 {
		found = append(found, latePacerDoubt(m)...)
	}
	if cpu := m.Usage.CPU[trial.GeneratorTier]; m.Usage.Seconds > 0 {
		over(busyPacer, cpu/m.Usage.Seconds, 0, fmt.Sprintf("the generator used %.0f %% of its CPU", 100*cpu/m.Usage.Seconds))
	}
	return append(found, remarks(m)...)
}

// latePacerDoubt holds the pacer's lag against its own bounds: absolute ones for
// CPU, shares of the phase's own latency for latency.
func latePacerDoubt(m *trial.Measurement) []trial.Doubt {
	lag, ok := m.PacerLag.Quantile(0.99), m.Latency[trial.Success]
	d := trial.Doubt{Phase: m.Phase.Name, Cause: latePacer, Amount: lag.Seconds(), Unit: "s, p99 of the pacer's lag",
		Text: fmt.Sprintf("the generator started late: pacer lag p99 %v", lag.Round(time.Microsecond))}
	for _, r := range doubtRules() {
		if r.Cause != latePacer {
			continue
		}
		amount, bound := lag.Seconds(), r.Bound
		switch r.Aspect {
		case trial.Median:
			amount, bound = m.PacerLag.Quantile(0.5).Seconds(), r.Bound*ok.Quantile(0.5).Seconds()
		case trial.Tail:
			bound = r.Bound * ok.Quantile(0.99).Seconds()
		}
		if amount > bound && bound > 0 {
			if d.Spoils = append(d.Spoils, r.Aspect); d.Bound == 0 || bound < d.Bound {
				d.Bound = bound
			}
		}
	}
	if len(d.Spoils) == 0 {
		return nil
	}
	return []trial.Doubt{d}
}

// remarks are what a reader should know of a phase that spoils nothing.
func remarks(m *trial.Measurement) (found []trial.Doubt) {
	add := func(cause, format string, args ...any) {
		found = append(found, trial.Doubt{Phase: m.Phase.Name, Cause: cause, Text: fmt.Sprintf(format, args...)})
	}
	if m.Dropped > 0 {
		add(dropped, "%d of %d requests never started", m.Dropped, m.Offered)
	}
	if e := m.Errors(); e > 0 {
		add(errored, "%d of %d requests failed: %v", e, m.Completed, m.Outcomes)
	}
	for _, n := range m.Notes {
		if m.Phase.Mode != trial.Search {
			add("note of the driver", "%s", n)
		}
	}
	return found
}

// sum adds up the ticks of some CPUs.
func (in instrument) sum(ticks map[string]trial.CPUTicks, cpus []string) (sum trial.CPUTicks) {
	for _, name := range cpus {
		t := ticks[name]
		sum.Busy, sum.Steal, sum.Total = sum.Busy+t.Busy, sum.Steal+t.Steal, sum.Total+t.Total
	}
	return sum
}
