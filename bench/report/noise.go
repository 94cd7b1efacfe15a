package report

import (
	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// noiseMetrics are those of which it is published what identical cells differ by:
// in their own unit, or as a share.
var noiseMetrics = []struct {
	Head, Metric string
	Contrast     trial.Contrast
}{
	{"CPU over the control (µs)", "auth_cpu_us", trial.Difference},
	{"p50", "latency_p50_us", trial.Ratio},
	{"p99", "latency_p99_us", trial.Ratio},
	{"request bytes", "request_bytes", trial.Ratio},
}

// instrumentText heads the table of what identical cells differ by.
const instrumentText = "The same cell ran twice in each block under two names. What the two differ by is the instrument's own doing: " +
	"their mean difference with its 95 % interval. It must lie within a claim's margin; where it does not, the claim says so."

// noise is what two identical cells differ by, with its 95 % interval, for each
// experiment and step that has such a pair.
func (d *data) noise() table {
	t := table{Head: []string{"step"}}
	for _, m := range noiseMetrics {
		t.Head = append(t.Head, m.Head)
	}
	for _, e := range d.experiments() {
		for _, step := range d.steps(e) {
			row, any := []string{e + ", " + step}, false
			for _, m := range noiseMetrics {
				iv, ok := analysis.Identical(d.blocks[e], m.Metric, step, m.Contrast)
				switch {
				case !ok:
					row = append(row, absent)
				case m.Contrast == trial.Ratio:
					row, any = append(row, interval(iv, percent)), true
				default:
					row, any = append(row, interval(iv, number)), true
				}
			}
			if any {
				t.Rows = append(t.Rows, row)
			}
		}
	}
	return t
}
