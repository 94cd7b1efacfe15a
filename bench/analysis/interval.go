package analysis

import (
	"cmp"
	"math"
	"slices"
	"sort"

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
func Estimate(values []float64) trial.Interval { return estimateOf(values, 0).interval() }

// estimate is the mean of a figure over n blocks, how much one block differs from
// another, and how many degrees of freedom that is known with.
//
// Each effect has the spread that its own blocks show. Pooled over the comparisons
// of a rule it would be known better, but they share arms, so that 12 comparisons
// of 8 blocks are worth 37 degrees of freedom and not 84 (Box 1954): 10 %
// narrower intervals where all arms are alike. Where one is three times as noisy,
// as PostgreSQL's is, its comparisons are then wrong in 15 % of runs, and pooling
// by store moves that to whichever token is.
type estimate struct {
	mean, sd float64
	n        int
	df       float64
}

// estimateOf takes the spread for least where the values show less: figures that
// are all alike say how finely they were read, not that the next is the same.
func estimateOf(values []float64, least float64) estimate {
	e := estimate{n: len(values), df: float64(len(values) - 1)}
	switch {
	case e.n == 1:
		e.mean = values[0]
	case e.n > 1:
		e.mean, e.sd = stat.MeanStdDev(values, nil)
		largest := 0.0
		for _, v := range values {
			largest = max(largest, math.Abs(v))
		}
		if e.sd <= 1e-12*largest { // they differ by rounding alone
			e.sd = 0
		}
		e.sd = max(e.sd, least)
	}
	return e
}

func (e estimate) se() float64 { return e.sd / math.Sqrt(float64(max(1, e.n))) }

// interval holds 95 %.
func (e estimate) interval() trial.Interval {
	half := 0.0
	if e.se() > 0 {
		half = e.se() * student(e.df).Quantile(1-alpha/2)
	}
	return trial.Interval{Estimate: e.mean, Low: e.mean - half, High: e.mean + half, N: e.n}
}

// HalfWidth is that of the 95 % interval of [Estimate], over n values of a standard deviation.
func HalfWidth(sd float64, n int) float64 {
	return estimate{sd: sd, n: n, df: float64(n - 1)}.interval().High
}

// tests sets the mean against ±margin. Of a figure without any spread nothing is known.
func (e estimate) tests(margin float64) chances {
	if e.n < 2 || e.sd == 0 {
		return chances{1, 1, 1, 1, 1}
	}
	// above is the chance to see the mean so far above a bound if it truly lay there.
	above := func(gap float64) float64 { return student(e.df).CDF(-gap / e.se()) }
	return chances{
		more: min(1, 2*above(e.mean-margin)),
		less: min(1, 2*above(-e.mean-margin)),
		same: max(above(e.mean+margin), above(margin-e.mean)),

		notMore: min(1, 2*above(margin-e.mean)),
		notLess: min(1, 2*above(margin+e.mean)),
	}
}

// Bounds on what is said about more blocks.
const (
	mostBlocks = 1000 // beyond which no number of blocks decides: the effect lies on the edge
	power      = 0.8  // the chance to decide with what is said, if mean and spread are as seen
)

// more is how many more blocks would make the effect clear of what a claim turns
// on, at a level, with the chance that power says; 0 if no number of them would. To
// a claim of more or less that is one edge of ±margin, else the nearer one.
func (e estimate) more(claim trial.Direction, margin, level float64) int {
	gap := math.Abs(math.Abs(e.mean) - margin)
	switch claim {
	case trial.More:
		gap = math.Abs(e.mean - margin)
	case trial.Less:
		gap = math.Abs(e.mean + margin)
	}
	return moreBlocks(e.n, func(n int) bool {
		t := student(float64(n - 1))
		return (t.Quantile(1-level/2)+t.Quantile(power))*e.sd <= gap*math.Sqrt(float64(n))
	})
}

// moreBlocks is how many beyond n the least number is that is enough.
func moreBlocks(n int, enough func(int) bool) int {
	first := max(n+1, 2)
	if !enough(mostBlocks) {
		return 0
	}
	return first + sort.Search(mostBlocks-first, func(i int) bool { return enough(first + i) }) - n
}

func student(df float64) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: df} }

// chances are the p-values of the three outcomes of one comparison, each to be
// held against alpha: those of More and Less are doubled, for an effect may
// err in either direction, that of Same is the larger of two one-sided tests
// (Schuirmann 1987) and is not. Those of NotMore and NotLess are doubled too, so
// that the 95 % interval that is shown ends before the edge.
type chances struct{ more, less, same, notMore, notLess float64 }

// not is the outcome that merely denies a claim, with its p-value.
func (c chances) not(claim trial.Direction) (trial.Direction, float64) {
	switch claim {
	case trial.More:
		return trial.NotMore, c.notMore
	case trial.Less:
		return trial.NotLess, c.notLess
	}
	return trial.Unclear, 1 // what is not the same is more or less
}

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
