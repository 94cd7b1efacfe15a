package analysis

import (
	"slices"

	"authbench/bench/trial"
)

// Checked is a prediction beside what was measured.
type Checked struct {
	trial.Prediction
	Measured trial.Interval // N is 0 where nothing was
	Error    float64        // predicted over measured, less 1: 0.1 is 10 % too much
}

// Hold holds predictions of an experiment against its blocks.
func Hold(predictions []trial.Prediction, blocks []Block) (all []Checked) {
	for _, p := range predictions {
		if len(blocks) == 0 || p.Experiment != blocks[0].Experiment {
			continue
		}
		c := Checked{Prediction: p, Measured: Summary(p.Metric, blocks, p.Of)}
		if c.Measured.Estimate > 0 {
			c.Error = p.Value/c.Measured.Estimate - 1
		}
		all = append(all, c)
	}
	return all
}

// MedianError is the median of the errors' sizes, of those that were measured;
// their number comes along.
func MedianError(all []Checked) (median float64, n int) {
	var sizes []float64
	for _, c := range all {
		if c.Measured.N > 0 {
			sizes = append(sizes, max(c.Error, -c.Error))
		}
	}
	if len(sizes) == 0 {
		return 0, 0
	}
	slices.Sort(sizes)
	return (sizes[(len(sizes)-1)/2] + sizes[len(sizes)/2]) / 2, len(sizes)
}
