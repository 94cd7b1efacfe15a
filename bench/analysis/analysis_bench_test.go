package analysis_test

import (
	"testing"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
)

// BenchmarkEvaluate judges a run of 10,000 trials.
func BenchmarkEvaluate(b *testing.B) {
	run, trials := analysistest.Long(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := analysis.Evaluate(run, trials); err != nil {
			b.Fatal(err)
		}
	}
}
