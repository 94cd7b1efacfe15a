package analysis

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/trial"
)

// alpha is the chance of a wrong outcome that a rule accepts: intervals hold 1 - alpha.
const alpha = 0.05

// Estimate is the mean over blocks with its 95 % interval by Student's t. The
// trial, not the request, is the sample: requests of one trial share a start of
// the processes and a state of the machine, so that thousands of them say little
// about the next trial (Kalibera and Jones, ISMM 2013). With the few blocks of a
// run t is what Hoefler and Belli (SC 2015) give for means; a rank-based
// interval would need at least 6 blocks to reach 95 % at all.
//
// One value has no interval: Low and High are the value, and N says so.
func Estimate(values []float64) trial.Interval {
	mean, se := meanAndError(values)
	half := 0.0
	if n := len(values); n > 1 && se > 0 {
		half = se * student(n-1).Quantile(1-alpha/2)
	}
	return trial.Interval{Estimate: mean, Low: mean - half, High: mean + half, N: len(values)}
}

func student(df int) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: float64(df)} }

// meanAndError returns the mean and its standard error; the error is exactly 0
// where the values differ by rounding alone.
func meanAndError(values []float64) (mean, se float64) {
	switch len(values) {
	case 0:
		return 0, 0
	case 1:
		return values[0], 0
	}
	mean, sd := stat.MeanStdDev(values, nil)
	largest := 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(v))
	}
	if sd <= 1e-12*largest {
		return mean, 0
	}
	return mean, sd / math.Sqrt(float64(len(values)))
}

// chances are the p-values of the three outcomes of one comparison, each to be
// held against alpha: those of More and Less are doubled, for an effect may
// err in either direction, that of Same is the larger of two one-sided tests
// (Schuirmann 1987) and is not.
type chances struct{ more, less, same float64 }

// best is the likeliest outcome and its p-value.
func (c chances) best() (trial.Direction, float64) {
	switch least := min(c.more, c.less, c.same); least {
	case c.same:
		return trial.Same, least
	case c.more:
		return trial.More, least
	default:
		return trial.Less, least
	}
}

// studentTests tests the mean of effects: More and Less against ±beyond, Same
// against ±within. They differ where the noise floor exceeds the rule's margin:
// what lies between is neither.
func studentTests(effects []float64, beyond, within float64) chances {
	mean, se := meanAndError(effects)
	// above is the chance to see the mean so far above a bound if it truly lay there.
	above := func(gap, exactTie float64) float64 {
		switch {
		case se > 0:
			return student(len(effects) - 1).CDF(-gap / se)
		case gap > 0:
			return 0
		case gap == 0:
			return exactTie
		}
		return 1
	}
	return chances{
		more: min(1, 2*above(mean-beyond, 1)),
		less: min(1, 2*above(-mean-beyond, 1)),
		same: max(above(mean+within, 0), above(within-mean, 0)), // at the edge without any spread is within
	}
}

// holm adjusts p-values for having been looked at together (Holm 1979): the
// smallest of m is multiplied by m, the next by m-1 and so on, never falling.
func holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	adjusted, floor := make([]float64, len(ps)), 0.0
	for rank, i := range order {
		floor = max(floor, min(1, ps[i]*float64(len(ps)-rank)))
		adjusted[i] = floor
	}
	return adjusted
}
