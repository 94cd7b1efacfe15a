package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
		{Name: "cpu_us_per_request", Title: "CPU per request", Aspect: trial.CPUTotal, value: cpu(serving()...)},
		{Name: "auth_cpu_us", Title: "CPU per request over the control", Aspect: trial.CPUTotal, value: overControl(cpu(serving()...))},
	}
	for _, tier := range serving() {
		metrics = append(metrics,
			Metric{Name: "cpu_us_" + string(tier), Title: fmt.Sprintf("CPU per request, %s", tier), Aspect: trial.CPUSplit, value: cpu(tier)},
			Metric{Name: "auth_cpu_us_" + string(tier), Title: fmt.Sprintf("CPU per request over the control, %s", tier), Aspect: trial.CPUSplit,
				value: overControl(cpu(tier))})
	}
	for i := range metrics {
		metrics[i].Unit, metrics[i].Better = "µs", trial.Less
	}
	return metrics
}

// cpu sums the microseconds of some tiers per success. A tier that was not read
// is an error; a store's CPU may be missing only where the arm has no store
// process.
func cpu(tiers ...trial.Tier) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		return perRequest(func(x sample) (float64, error) {
			successes := x.Outcomes[trial.Success]
			if successes == 0 {
				return 0, fmt.Errorf("no request succeeded")
			}
			seconds := 0.0
			for _, tier := range tiers {
				v, ok := x.Usage.CPU[tier]
				if !ok && (tier != trial.StoreTier || arm.Of(s.Cell.Arm()).Store() != "") {
					return 0, fmt.Errorf("the CPU of tier %s was not read%s", tier, unreadCPU(x.Usage))
				}
				seconds += v
			}
			return seconds * 1e6 / float64(successes), nil
		})(b, s)
	}
}

// overControl subtracts the control's figure: same block, same step, same cell but for the arm.
func overControl(value func(Block, trial.Selector) (float64, error)) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		at, err := b.Find(s)
		if err != nil {
			return 0, err
		}
		own, err := value(b, s)
		if err != nil {
			return 0, err
		}
		base, err := value(b, controlOf(at, s))
		if err != nil {
			return 0, fmt.Errorf("control: %w", err)
		}
		return own - base, nil
	}
}

// controlOf selects the control of a cell: all its factors but the arm's.
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
