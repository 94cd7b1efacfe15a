package model

import (
	"fmt"

	"authbench/bench/trial"
)

// Measured is what a request took in a step: the CPU of each tier over the
// successes of the step's one stream. A store that was not charged took none. In a
// closed loop what was in flight at the end is left out, less than a hundredth
// where answers are a hundred times as many. An error says what was not read.
func Measured(m *trial.Measurement) (Demand, error) {
	r, ok := m.Result("")
	if !ok || r.Outcomes[trial.Success] == 0 {
		return Demand{}, fmt.Errorf("step %s: no request succeeded", m.Step)
	}
	for _, tier := range []trial.Tier{trial.BalancerTier, trial.ReplicaTier} {
		if _, ok := m.Usage.CPU[tier]; !ok {
			return Demand{}, fmt.Errorf("step %s: the CPU of tier %s was not read", m.Step, tier)
		}
	}
	n := float64(r.Outcomes[trial.Success])
	d := Demand{m.Usage.CPU[trial.BalancerTier] / n, m.Usage.CPU[trial.ReplicaTier] / n, m.Usage.CPU[trial.StoreTier] / n}
	return d, d.Check()
}

// Budgeted is the demand of a system whose replicas and store may use so many
// CPUs each: service takes that much longer. The balancer has no budget.
func (d Demand) Budgeted(replica, store float64) Demand {
	return Demand{d.Balancer, d.Replica / replica, d.Store / store}
}

// Whole is the CPU of all tiers.
func (d Demand) Whole() float64 { return d.Balancer + d.Replica + d.Store }
