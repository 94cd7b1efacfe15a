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
var machineCauses = []string{trial.StolenCPU, trial.StolenGeneratorCPU, trial.ForeignCPU, trial.LateGenerator}

// disturbance says in one sentence that the machine was noisy, how much, and
// what to do; nothing of one that was quiet. Shares are of the CPU time that
// passed in a trial on the CPUs in use.
func disturbance(trials []trial.Trial) string {
	var stolen, foreign []float64
	affected := 0
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
		stolen, foreign = append(stolen, steal/total), append(foreign, others/total)
		if slices.ContainsFunc(t.Doubts, func(d trial.Doubt) bool { return len(d.Spoils) > 0 && slices.Contains(machineCauses, d.Cause) }) {
			affected++
		}
	}
	if affected == 0 || float64(affected) < noisyShare*float64(len(stolen)) {
		return ""
	}
	slices.Sort(stolen)
	slices.Sort(foreign)
	todo := "end other programs"
	if stolen[len(stolen)/2] >= foreign[len(foreign)/2] {
		todo = "take a machine whose CPUs nobody shares, or a quieter hour"
	}
	spread := func(sorted []float64) string {
		return fmt.Sprintf("%.0f%s%% (median of a trial) to %.0f%s%% (the most)", 100*sorted[len(sorted)/2], nbsp, 100*sorted[len(sorted)-1],
			nbsp)
	}
	return fmt.Sprintf("the machine was noisy: %s of its CPU time was stolen by the hypervisor and %s went to other processes, "+
		"and figures of %d of %s were left out; for firmer verdicts %s, and run again",
		spread(stolen), spread(foreign), affected, plural(len(stolen), "trial", "trials"), todo)
}
