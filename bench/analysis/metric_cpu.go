package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// serving are the tiers that serve requests: all but the generator.
func serving() []trial.Tier {
	return []trial.Tier{trial.BalancerTier, trial.ReplicaTier, trial.StoreTier}
}

// cpuMetrics are CPU per successful request: of all serving tiers and of each,
// as it is and over the control's.
func cpuMetrics() []Metric {
	metrics := []Metric{
		{Name: "cpu_us_per_request", Title: "CPU per request", Unit: "µs", Aspect: trial.CPUTotal, value: cpu(serving()...)},
		{Name: "cpu_vs_control", Title: "CPU per request relative to the control", Unit: "share", Aspect: trial.CPUTotal, derived: true,
			value: relative(serving()...)},
		{Name: "auth_cpu_us", Title: "CPU per request over the control", Unit: "µs", Aspect: trial.CPUTotal, value: overControl(serving()...)},
	}
	for _, tier := range serving() {
		metrics = append(metrics,
			Metric{Name: "cpu_us_" + string(tier), Title: fmt.Sprintf("CPU per request, %s", tier), Unit: "µs", Aspect: trial.CPUSplit,
				value: cpu(tier)},
			Metric{Name: "auth_cpu_us_" + string(tier), Title: fmt.Sprintf("CPU per request over the control, %s", tier), Unit: "µs",
				Aspect: trial.CPUSplit, value: overControl(tier)})
	}
	metrics = append(metrics,
		Metric{Name: "store_cpu_vs_control", Title: "Store CPU per request relative to the control's whole", Unit: "share",
			Aspect: trial.CPUSplit, derived: true, value: relative(trial.StoreTier)},
		Metric{Name: "store_cores_per_replica_core", Title: "Store cores that one replica core uses", Unit: "cores",
			Aspect: trial.CPUSplit, derived: true, value: perRequest(storePerReplica)})
	for i := range metrics {
		metrics[i].Better, metrics[i].overControl = trial.Less, strings.HasPrefix(metrics[i].Name, "auth_")
	}
	return append(metrics, Metric{Name: "replica_cores_per_store_core", Title: "Replica cores that one store core feeds", Unit: "cores",
		Better: trial.More, Aspect: trial.CPUSplit, derived: true, value: perRequest(replicasPerStore)})
}

// cpu sums the microseconds of some tiers per success. A tier that was not read
// is an error; a store's CPU may be missing only where the arm has no store
// process.
func cpu(tiers ...trial.Tier) func(Block, trial.Selector) (float64, error) {
	return perRequest(func(x sample) (float64, error) { return cpuOf(x, tiers...) })
}

func cpuOf(x sample, tiers ...trial.Tier) (float64, error) {
	successes := x.Outcomes[trial.Success]
	if successes == 0 {
		return 0, fmt.Errorf("no request succeeded")
	}
	seconds := 0.0
	for _, tier := range tiers {
		v, ok := x.Usage.CPU[tier]
		if !ok && (tier != trial.StoreTier || arm.Of(x.at.Spec().System.Arm).Store() != "") {
			return 0, fmt.Errorf("the CPU of tier %s was not read%s", tier, unreadCPU(x.Usage))
		}
		seconds += v
	}
	return seconds * 1e6 / float64(successes), nil
}

// overControl is what some tiers used more than the control's did, per request.
//
// In a duet that is the control beside it, which the same noise has hit at the
// same moment: the difference, as a share of the whole CPU of that control, is
// what holds from machine to machine and from minute to minute. It is given in
// microseconds at the control's quietest level of the run: see [Block.quiet].
// Of a cell that was measured alone it is the difference to the control's figure
// in the same block: same step, same cell but for the arm.
func overControl(tiers ...trial.Tier) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		own, base, err := b.withControl(s)
		if err != nil {
			return 0, err
		}
		more, err := cpuOf(own, tiers...)
		if err != nil {
			return 0, fmt.Errorf("%s, %s: %w", cellName(s), s.Step, err)
		}
		less, err := cpuOf(base, tiers...)
		if err != nil {
			return 0, fmt.Errorf("control: %w", err)
		}
		if len(own.at.Trial.Spec.Cells) == 1 {
			return more - less, nil
		}
		whole, err := cpuOf(base, serving()...)
		if err != nil {
			return 0, fmt.Errorf("control: %w", err)
		}
		return (more - less) / whole * b.quiet(s.Step), nil
	}
}

// relative is what some tiers of an arm use per request over the control's
// whole: of all tiers, 1.5 is half as much again.
func relative(tiers ...trial.Tier) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		own, base, err := b.withControl(s)
		if err != nil {
			return 0, err
		}
		used, err := cpuOf(own, tiers...)
		if err != nil {
			return 0, fmt.Errorf("%s, %s: %w", cellName(s), s.Step, err)
		}
		whole, err := cpuOf(base, serving()...)
		if err != nil {
			return 0, fmt.Errorf("control: %w", err)
		}
		return used / whole, nil
	}
}

// storePerReplica is D(store) / D(replicas), of demands in one step: so much of a
// store core does a busy replica core use. What slows the step slows both. It is 0
// where no store is asked.
func storePerReplica(x sample) (float64, error) {
	replicas, err := cpuOf(x, trial.ReplicaTier)
	if err != nil {
		return 0, err
	}
	store, err := cpuOf(x, trial.StoreTier)
	if err == nil && replicas <= 0 {
		err = fmt.Errorf("the replicas used no CPU")
	}
	return store / replicas, err
}

// replicasPerStore is its inverse: so many replica cores use up one of the store.
func replicasPerStore(x sample) (float64, error) {
	share, err := storePerReplica(x)
	if err == nil && share <= 0 {
		err = fmt.Errorf("no store is asked")
	}
	return 1 / share, err
}

// withControl is a cell's step and the control's that it is held against: beside
// it in a duet, else in the same block.
func (b Block) withControl(s trial.Selector) (own, base sample, err error) {
	if own, err = b.charged(s); err != nil {
		return own, base, err
	}
	base, ok, err := own.at.control(s)
	if err == nil && !ok {
		if base, err = b.charged(controlOf(own.at, s)); err != nil {
			err = fmt.Errorf("control: %w", err)
		}
	}
	return own, base, err
}

// quiet is the whole CPU per request (µs) of the controls in a run's duets in a
// step, when they used least: the mean of the lowest third. Noise only adds.
func (b Block) quiet(step string) float64 {
	r := b.run
	r.mu.Lock()
	defer r.mu.Unlock()
	key := quietKey{step, b.aspect}
	if level, ok := r.quiet[key]; ok {
		return level
	}
	var levels []float64
	for _, peer := range r.blocks {
		for i := range peer.Trials {
			t := &peer.Trials[i]
			if _, spoiled := t.Spoiled(step, b.aspect); spoiled || len(t.Spec.Cells) < 2 {
				continue
			}
			for cell, c := range t.Spec.Cells {
				x, err := At{t, cell}.sample(trial.Selector{Cell: c.Cell, Step: step})
				if c.System.Arm != trial.Control || err != nil {
					continue
				}
				if v, err := cpuOf(x, serving()...); err == nil {
					levels = append(levels, v)
				}
			}
		}
	}
	r.quiet[key] = QuietLevel(levels)
	return r.quiet[key]
}

// QuietLevel is the mean of the lowest third of some levels, of which noise only adds to any.
func QuietLevel(levels []float64) float64 {
	sorted := slices.Sorted(slices.Values(levels))
	return stat.Mean(sorted[:(len(sorted)+2)/3], nil)
}

// controlOf selects the control of a cell that was measured alone: all its factors but the arm's.
func controlOf(at At, s trial.Selector) trial.Selector {
	return trial.Selector{Cell: at.Spec().Cell.With("arm", trial.Control), Step: s.Step, Stream: s.Stream}
}

// unreadCPU says why the CPU of components is missing, for the end of an error.
func unreadCPU(u trial.Usage) (why string) {
	for _, what := range slices.Sorted(maps.Keys(u.Missing)) {
		if strings.HasSuffix(what, " CPU") {
			why += fmt.Sprintf("; %s: %s", what, u.Missing[what])
		}
	}
	return why
}
