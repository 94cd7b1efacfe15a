package analysis_test

import (
	"fmt"

	"authbench/bench/analysis"
)

// Effects of six blocks, in microseconds, and what they say with 95 % confidence.
func ExampleEstimate() {
	i := analysis.Estimate([]float64{31, 28, 35, 30, 33, 29})
	fmt.Printf("%.1f us, %.1f to %.1f, of %d blocks\n", i.Estimate, i.Low, i.High, i.N)
	// Output: 31.0 us, 28.3 to 33.7, of 6 blocks
}
