package analysis

import (
	"fmt"
	"time"

	"authbench/bench/trial"
)

// rateMetrics are how fast and how much: latency, throughput, capacity, and how
// throughput grows with replicas.
func rateMetrics() []Metric {
	return []Metric{
		{Name: "latency_p50_us", Title: "Latency, median", Unit: "us", Better: trial.Less, Aspect: trial.Median, value: latency(0.50)},
		{Name: "latency_p99_us", Title: "Latency, 99th percentile", Unit: "us", Better: trial.Less, Aspect: trial.Tail, value: latency(0.99)},
		{Name: "throughput_per_second", Title: "Throughput", Unit: "requests/s", Better: trial.More, Aspect: trial.Rate, value: ofPhase(throughput)},
		{Name: "capacity_per_second", Title: "Highest rate that holds the SLO", Unit: "requests/s", Better: trial.More, Aspect: trial.Rate, value: ofPhase(capacity)},
		{Name: "efficiency", Title: "Efficiency X(N) / (N X(1))", Unit: "share", Better: trial.More, Aspect: trial.Rate, value: efficiency},
		{Name: "efficiency_vs_control", Title: "Efficiency relative to the control", Unit: "share", Better: trial.More, Aspect: trial.Rate, value: efficiencyVsControl},
	}
}

// latency is a percentile of one trial's successes. Over blocks these are
// samples of a comparison; a chart's percentile comes from [Merged].
func latency(q float64) func(Block, trial.Selector) (float64, error) {
	return ofPhase(func(m *trial.Measurement) (float64, error) {
		h := m.Latency[trial.Success]
		if h.Count() == 0 {
			return 0, fmt.Errorf("no latency of a success was recorded")
		}
		return float64(h.Quantile(q)) / float64(time.Microsecond), nil
	})
}

func throughput(m *trial.Measurement) (float64, error) {
	if x := m.Throughput(); x > 0 {
		return x, nil
	}
	return 0, fmt.Errorf("no request succeeded")
}

// capacity is the rate that a search filled into its phase.
func capacity(m *trial.Measurement) (float64, error) {
	if m.Phase.Rate <= 0 {
		return 0, fmt.Errorf("the search found no rate that holds the SLO")
	}
	return m.Phase.Rate, nil
}

// efficiency is X(N) / (N X(1)) of the same arm behind the same balancer.
func efficiency(b Block, s trial.Selector) (float64, error) {
	t, err := b.Find(s)
	if err != nil {
		return 0, err
	}
	s.Balancer, s.Replicas = t.Spec.Balancer, t.Spec.Replicas
	n := float64(s.Replicas)
	many, err := ofPhase(throughput)(b, s)
	if err != nil {
		return 0, err
	}
	s.Replicas = 1
	one, err := ofPhase(throughput)(b, s)
	if err != nil {
		return 0, err
	}
	return many / (n * one), nil
}

// efficiencyVsControl sets an arm's efficiency against the control's at the same
// N, because CPU quotas bend even the control's curve. The control's balancer
// may be another one: an arm has the one it works behind.
func efficiencyVsControl(b Block, s trial.Selector) (float64, error) {
	t, err := b.Find(s)
	if err != nil {
		return 0, err
	}
	own, err := efficiency(b, s)
	if err != nil {
		return 0, err
	}
	base, err := efficiency(b, trial.Selector{Arm: trial.Control, Replicas: t.Spec.Replicas, Phase: s.Phase})
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	return own / base, nil
}
