package report

import (
	"fmt"
	"slices"

	"authbench/bench/trial"
)

// noisyShare of the driver's trials must have lost figures to the machine before it
// is called noisy: on a quiet one, too, a few do.
const noisyShare = 0.1

// machineCauses are the doubts that another machine, or another hour, would lift.
var machineCauses = []string{trial.StolenCPU, trial.StolenGeneratorCPU, trial.ForeignCPU, trial.LateGenerator,
	trial.StoppedGenerator}

// machineNoise is how much the machine disturbed the driver's trials.
type machineNoise struct {
	stolen, foreign []float64 // shares of the CPU time that passed in a trial on the CPUs in use, in order
	affected        int       // trials of which figures were left out for it
}

func noiseOf(trials []trial.Trial) (n machineNoise) {
	for i := range trials {
		t := &trials[i]
		steal, others, total := 0.0, 0.0, 0.0
		for _, m := range t.Steps {
			if len(m.Streams) == 0 { // a k6 journey counts answers, which no noise changes
				continue
			}
			steal, others, total = steal+m.Usage.Steal, others+m.Usage.Foreign, total+m.Usage.Seconds*float64(max(1, len(m.Usage.Busy)))
		}
		if total == 0 {
			continue
		}
		n.stolen, n.foreign = append(n.stolen, steal/total), append(n.foreign, others/total)
		if slices.ContainsFunc(t.Doubts, func(d trial.Doubt) bool { return len(d.Spoils) > 0 && slices.Contains(machineCauses, d.Cause) }) {
			n.affected++
		}
	}
	slices.Sort(n.stolen)
	slices.Sort(n.foreign)
	return n
}

// shares says where CPU time went that was not the run's.
func (n machineNoise) shares() string {
	whole := func(share float64) string { return fmt.Sprintf("%.0f%s%%", 100*share, nbsp) }
	most := func(sorted []float64) string { return "up to " + whole(sorted[len(sorted)-1]) }
	median := func(sorted []float64) string { return " (median " + whole(sorted[len(sorted)/2]) + ")" }
	return most(n.stolen) + " of a trial's CPU time was stolen by the hypervisor" + median(n.stolen) +
		" and " + most(n.foreign) + " went to other processes" + median(n.foreign)
}

// leftOut counts other trials than the table of validity, which has those of k6 too
// and calibration in a column of its own.
func (n machineNoise) leftOut() string {
	return fmt.Sprintf("figures of %d of the driver's %s, calibration included, were left out",
		n.affected, plural(len(n.stolen), "trial", "trials"))
}

// disturbance says in one sentence that the machine was noisy, how much, and
// what to do; nothing of one that was quiet.
func disturbance(trials []trial.Trial) string {
	n := noiseOf(trials)
	if n.affected == 0 || float64(n.affected) < noisyShare*float64(len(n.stolen)) {
		return ""
	}
	todo := "end other programs"
	if n.stolen[len(n.stolen)/2] >= n.foreign[len(n.foreign)/2] {
		todo = "take a machine whose CPUs nobody shares, or a quieter hour"
	}
	return fmt.Sprintf("the machine was noisy: %s, and %s; for firmer verdicts %s, and run again", n.shares(), n.leftOut(), todo)
}
