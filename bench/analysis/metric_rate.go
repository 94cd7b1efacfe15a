package analysis

import (
	"fmt"
	"time"

	"authbench/bench/trial"
)

// rateMetrics are how fast and how much: latency, throughput, capacity, and what
// is kept busy by it.
func rateMetrics() []Metric {
	metrics := []Metric{
		{Name: "latency_p50_us", Title: "Latency, median", Unit: "µs", Better: trial.Less, Aspect: trial.Median, quantile: 0.50,
			value: latency(0.50)},
		{Name: "latency_p99_us", Title: "Latency, 99th percentile", Unit: "µs", Better: trial.Less, Aspect: trial.Tail, quantile: 0.99,
			value: latency(0.99)},
		{Name: "throughput_per_second", Title: "Throughput", Unit: "requests/s", Better: trial.More, Aspect: trial.Rate,
			value: ofStep(throughput)},
		{Name: "throughput_vs_control", Title: "Throughput relative to the control", Unit: "share", Better: trial.More, Aspect: trial.Rate,
			derived: true, value: throughputVsControl},
		{Name: "capacity_per_second", Title: "Highest rate that holds the SLO", Unit: "requests/s", Better: trial.More, Aspect: trial.Rate,
			value: ofStep(capacity)},
		{Name: "store_budget_used", Title: "Share of its budget that the store used", Unit: "share", Better: trial.Less,
			Aspect: trial.CPUSplit, derived: true, value: ofStep(budgetUsed)},
	}
	for _, tier := range serving() {
		metrics = append(metrics, Metric{Name: "cores_" + string(tier), Title: fmt.Sprintf("CPUs kept busy, %s", tier), Unit: "CPUs",
			Better: trial.Less, Aspect: trial.CPUSplit, derived: true, value: ofStep(cores(tier))})
	}
	return metrics
}

// latency is a percentile of one trial's successes. Over blocks these are
// samples of a comparison; a chart's percentile comes from [Merged].
func latency(q float64) func(Block, trial.Selector) (float64, error) {
	return ofStep(func(x sample) (float64, error) {
		h := x.Latency[trial.Success]
		if h.Count() == 0 {
			return 0, fmt.Errorf("no latency of a success was recorded")
		}
		return float64(h.Quantile(q)) / float64(time.Microsecond), nil
	})
}

func throughput(x sample) (float64, error) {
	if v := x.Throughput(); v > 0 {
		return v, nil
	}
	return 0, fmt.Errorf("no request succeeded")
}

// throughputVsControl is how many times the throughput of the control beside a cell its own is.
func throughputVsControl(b Block, s trial.Selector) (float64, error) {
	own, err := b.sample(s)
	if err != nil {
		return 0, err
	}
	base, ok, err := own.at.control(s)
	if err == nil && !ok {
		err = fmt.Errorf("%s stands beside nothing", cellName(s))
	}
	if err != nil {
		return 0, err
	}
	many, err := throughput(own)
	if err != nil {
		return 0, err
	}
	one, err := throughput(base)
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	return many / one, nil
}

// capacity is the rate that a search filled into its stream.
func capacity(x sample) (float64, error) {
	if x.Search == nil {
		return 0, fmt.Errorf("no capacity was searched for")
	}
	if x.Found != nil && x.Found.End != trial.Found {
		return 0, fmt.Errorf("the search found none: %s, as %s", x.Found, x.Found.Why)
	}
	if x.Stream.Pacing.Rate <= 0 {
		return 0, fmt.Errorf("the search found no rate that holds the SLO")
	}
	return x.Stream.Pacing.Rate, nil
}

// budgetUsed is the share of its budget that the store kept busy.
func budgetUsed(x sample) (float64, error) {
	budget := x.at.Spec().System.Budgets[trial.StoreTier]
	if budget <= 0 {
		return 0, fmt.Errorf("the store has no budget")
	}
	if _, err := throughput(x); err != nil { // nothing was asked of the store
		return 0, err
	}
	busy, err := cores(trial.StoreTier)(x)
	return busy / budget, err
}

// cores is how many CPUs a tier kept busy.
func cores(tier trial.Tier) func(sample) (float64, error) {
	return func(x sample) (float64, error) {
		used, ok := x.Usage.CPU[tier]
		if !ok {
			return 0, fmt.Errorf("the CPU of tier %s was not read%s", tier, unreadCPU(x.Usage))
		}
		if x.Usage.Seconds <= 0 {
			return 0, fmt.Errorf("the CPU of tier %s was read over no time", tier)
		}
		return used / x.Usage.Seconds, nil
	}
}
