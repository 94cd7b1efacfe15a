package analysis

import (
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/trial"
)

// figurePair is one figure of an experiment in two runs.
type figurePair struct {
	experiment string
	a, b       side
}

// pairUp finds the figures that two runs may both have, and what one of them lacks.
func pairUp(a, b Measured) (pairs []figurePair, onlyA, onlyB []string) {
	for _, e := range a.Run.Experiments {
		if !slices.Contains(b.Run.Experiments, e) {
			onlyA = append(onlyA, e)
			continue
		}
		blocksA, blocksB := Blocks(a.Trials, e), Blocks(b.Trials, e)
		pointsA, pointsB := points(blocksA), points(blocksB)
		for _, key := range slices.Sorted(maps.Keys(pointsA)) {
			if pointsB[key] == nil {
				onlyA = append(onlyA, e+": "+key)
				continue
			}
			for _, m := range Metrics() {
				if !m.derived && !m.overControl && (!m.faulty || pointsA[key].faulty) {
					pairs = append(pairs, figurePair{e, side{blocksA, pointsA[key], m}, side{blocksB, pointsB[key], m}})
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(pointsB)) {
			if pointsA[key] == nil {
				onlyB = append(onlyB, e+": "+key)
			}
		}
	}
	for _, e := range b.Run.Experiments {
		if !slices.Contains(a.Run.Experiments, e) {
			onlyB = append(onlyB, e)
		}
	}
	return pairs, onlyA, onlyB
}

// machineShift is how nginx' CPU per request changed from A to B, over all cells
// that were offered about the same: it does the same work for every arm, and what
// moves it moves every other tier (of the variance of a replica's, it explains most).
func machineShift(pairs []figurePair) (share float64, measured bool) {
	var logs []float64
	for _, p := range pairs {
		if p.a.m.Name != balancerCPU || p.otherRate() {
			continue
		}
		as, bs := p.a.values(math.Log), p.b.values(math.Log)
		if len(as) > 0 && len(bs) > 0 {
			logs = append(logs, stat.Mean(bs, nil)-stat.Mean(as, nil))
		}
	}
	if len(logs) == 0 {
		return 0, false
	}
	return math.Expm1(stat.Mean(logs, nil)), true
}

// balancerCPU is the CPU per request of nginx, which is none of our code.
const balancerCPU = "cpu_us_" + string(trial.BalancerTier)

// otherRate says of two runs whether they were offered rates too different for a
// figure. A latency grows without bound as a machine fills up; CPU per request
// falls by some percent where the rate grows by a quarter, nginx' with it.
func (p figurePair) otherRate() bool {
	bound := 0.05
	if p.a.m.Aspect == trial.CPUTotal || p.a.m.Aspect == trial.CPUSplit {
		bound = 0.25
	}
	x, y := p.a.rate(), p.b.rate()
	return math.Abs(y-x) > bound*max(x, y)
}

// change sets one figure of B against A's; ok is false where one of the runs has
// none. shift is what the machine did meanwhile, as a logarithm.
func (p figurePair) change(minEffect, shift float64) (c Change, ok bool) {
	x, y := p.a, p.b
	c = Change{Experiment: p.experiment, Cell: x.cell, Step: x.step, Metric: x.m, P: 1}
	if x.m.Counted() && !x.m.many {
		return c.ofShares(x.tallies(), y.tallies(), minEffect)
	}
	as, bs := x.values(nil), y.values(nil)
	c.A, c.B = Estimate(as), Estimate(bs)
	c.Basis = OverBlocks
	if x.m.Aspect == trial.Counts {
		c.Basis = OfCounts
	}
	switch {
	case len(as) == 0 || len(bs) == 0: // it is there in both, but for doubts, or in one of them not at all
		return c.leftOut(NoFigure), (len(as) > 0 || x.spoiled()) && (len(bs) > 0 || y.spoiled())
	case x.m.Aspect == trial.Counts && flat(as) && flat(bs):
		return c.exactly(as[0], bs[0], minEffect), true
	}
	if c.Basis == OverBlocks {
		if c.RateA, c.RateB = x.rate(), y.rate(); p.otherRate() {
			return c.leftOut(OtherRate), true
		}
	}
	if len(as) < 2 || len(bs) < 2 {
		return c.leftOut(FewOfBoth), true
	}
	bound := max(minEffect*math.Abs(c.A.Estimate), x.m.negligible())
	switch {
	case flat(as) && flat(bs) && math.Abs(bs[0]-as[0]) <= bound: // as lags of 0 in all blocks are
		return c.exactly(as[0], bs[0], minEffect), true
	case slices.Min(as) <= 0 || slices.Min(bs) <= 0: // no ratio of nothing
		c.test = &test{bound: bound, a: as, b: bs}
		return c, true
	}
	c.Relative, bound = true, math.Log1p(minEffect)
	logsA, logsB := x.values(math.Log), y.values(math.Log)
	if pairsA, pairsB := x.overPartner(), y.overPartner(); len(pairsA) >= 2 && len(pairsB) >= 2 && c.Basis == OverBlocks {
		logsA, logsB, c.Basis = pairsA, pairsB, OverPartner
	}
	if c.Basis == OverBlocks {
		bound += shift * x.m.leverage()
	}
	c.test = &test{bound: bound, a: logsA, b: logsB}
	return c, true
}

func (c Change) leftOut(why Gap) Change {
	c.Outcome, c.Gap = NotCompared, why
	return c
}

// flat says whether all values are one, but for rounding.
func flat(vs []float64) bool {
	return estimateOf(vs, 0).sd == 0
}

// exactly compares what no block of a run differs in.
func (c Change) exactly(a, b, minEffect float64) Change {
	c.Exact, c.P = true, 0
	n := min(c.A.N, c.B.N)
	c.Relative = a > 0 && b > 0
	effect, low, high := b-a, -minEffect*a, minEffect*a
	if c.Relative {
		effect, low, high = b/a, 1/(1+minEffect), 1+minEffect
	}
	c.Effect = trial.Interval{Estimate: effect, Low: effect, High: effect, N: n}
	switch {
	case low <= effect && effect <= high || math.Abs(b-a) <= c.Metric.negligible():
		c.Outcome = Unchanged
	case (b > a) == (c.Metric.Better == trial.More):
		c.Outcome = Improvement
	default:
		c.Outcome = Regression
	}
	return c
}

// negligible is a difference that no choice hangs on, in the metric's unit: a
// script asks every 10 ms whether a credential still works, a time line has
// slices of 100 ms, and a store that nobody asks idles at a fraction of 1 µs.
func (m Metric) negligible() float64 {
	switch m.Unit {
	case "µs":
		return 1
	case "s":
		return 0.1
	}
	return 0
}

// leverage is by how much more than a machine's slowness a figure grows: a
// latency R = S / (1 - u) of a half-used machine by twice as much as the time S of
// one request, since u grows with it.
func (m Metric) leverage() float64 {
	if m.Aspect == trial.Median || m.Aspect == trial.Tail {
		return 2
	}
	return 1
}
