package analysis

import (
	"cmp"
	"math"
	"slices"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Measured is a run's manifest and all of its trials.
type Measured struct {
	Run    trial.Run
	Trials []trial.Trial
}

// Outcome is how a figure of one run stands to that of another.
type Outcome string

const (
	Regression  Outcome = "regression"      // worse by more than the smallest effect that counts, beyond chance
	Improvement Outcome = "improvement"     // better likewise
	Unchanged   Outcome = "same"            // all of the interval lies within the smallest effect
	NoClear     Outcome = "no clear change" // the interval reaches over its edge, and chance may have done that
	NotCompared Outcome = "not compared"
)

// Basis is what a change rests on, and so what can pass for one.
type Basis string

const (
	// OverPartner: B's log ratio to the cell that stood beside it, minus A's. What slows a whole machine cancels.
	OverPartner Basis = "over the control"
	// OverBlocks: B's blocks against A's. A machine that was slower in one of the runs shows, too.
	OverBlocks Basis = "blocks"
	// OfCounts: numbers of events, which no machine's speed changes.
	OfCounts Basis = "counts"
)

// Gap is why a figure that both runs have was not compared.
type Gap string

const (
	OtherRate Gap = "offered at other rates"
	FewOfBoth Gap = "fewer than 2 blocks in a run"
	NoFigure  Gap = "left out by doubts"
)

// Change is how one figure of a run B stands to the same figure of a run A.
type Change struct {
	Experiment string
	Cell       trial.Cell // controls that stood beside different arms are one, beside=any
	Step       string
	Metric     Metric
	Basis      Basis

	A, B     trial.Interval // the figure in each run, over its blocks or chances, in the metric's unit
	Effect   trial.Interval // B / A where Relative, else B - A in the metric's unit; 95 %, for this figure alone
	Relative bool

	Outcome Outcome
	Exact   bool    // no chance is in it: every block of a run says the same
	P       float64 // that so much comes about by chance, after Holm's correction; of what is worse, or better where that is likelier
	Alone   bool    // would be a regression or an improvement if nothing else had been looked at
	Gap     Gap     // of what is not compared

	RateA, RateB  float64 // requests offered per second, of [OtherRate]
	worse, better float64 // p-values before the correction
	test          *test   // nil of what needs no Student's t
}

// Changes are two runs set against each other, figure by figure.
type Changes struct {
	MinEffect float64 // the smallest effect that counts, as a share: 0.05 is 5 %
	// Machine is how much more CPU nginx took for a request in B than in A, as a share: no code of ours is in that. It is
	// 0 where that was not measured at equal rates, and MachineKnown says so. What has no partner must pass it, too.
	Machine      float64
	MachineKnown bool
	All          []Change
	Chances      int      // of All, how many rest on chance: they share Holm's correction
	OnlyA, OnlyB []string // experiments, and cells with their step, that the other run lacks
}

// Of are the changes that came out one way.
func (c Changes) Of(o Outcome) (found []Change) {
	for _, x := range c.All {
		if x.Outcome == o {
			found = append(found, x)
		}
	}
	return found
}

// CompareRuns sets run b against run a: every cell, step and metric that both have.
// A change counts from minEffect on, a share of a's figure.
//
// The sample is the block. Cells that stood beside a control are compared by
// their log ratio to it (Bulej et al., ICPE 2020), others by their logarithms, by
// Welch's t (1947) against ±minEffect. The variances of duets are moderated by
// each other (Smyth 2004), since few blocks tell little of one alone. What stood
// beside no control must also pass what the machine did meanwhile: see
// [Changes.Machine]. Shares of events are compared by Fisher's exact test (1935);
// counts that are the same in every block need none.
//
// Regressions are one family under Holm's correction (1979) and improvements
// another, each with two-sided p-values: of comparisons of two runs of the same
// code at most 5 % show any change.
func CompareRuns(a, b Measured, minEffect float64) Changes {
	c := Changes{MinEffect: minEffect}
	var pairs []figurePair
	pairs, c.OnlyA, c.OnlyB = pairUp(a, b)
	c.Machine, c.MachineKnown = machineShift(pairs)
	for _, p := range pairs {
		if x, ok := p.change(minEffect, math.Abs(math.Log1p(c.Machine))); ok {
			c.All = append(c.All, x)
		}
	}
	runTests(c.All)
	c.decide()
	c.sort(a.Run.Experiments)
	return c
}

// decide corrects for the number of figures looked at.
func (c *Changes) decide() {
	var tested []int
	var worse, better []float64
	for i, x := range c.All {
		if x.Outcome == "" {
			tested, worse, better = append(tested, i), append(worse, x.worse), append(better, x.better)
		}
	}
	c.Chances = len(tested)
	worseAll, betterAll := holm(worse), holm(better)
	for k, i := range tested {
		x := &c.All[i]
		x.P = min(worseAll[k], betterAll[k])
		x.Alone = min(worse[k], better[k]) < alpha
		switch {
		case worseAll[k] < alpha:
			x.Outcome = Regression
		case betterAll[k] < alpha:
			x.Outcome = Improvement
		case x.within(c.MinEffect):
			x.Outcome = Unchanged
		default:
			x.Outcome = NoClear
		}
	}
}

// within says whether all of the interval is less than what counts.
func (c Change) within(minEffect float64) bool {
	if c.Relative {
		return c.Effect.Low >= 1/(1+minEffect) && c.Effect.High <= 1+minEffect
	}
	bound := max(minEffect*math.Abs(c.A.Estimate), c.Metric.negligible())
	return c.Effect.Low >= -bound && c.Effect.High <= bound
}

// sort puts experiments in their order and within each what is worse first, then
// what is better, then what is unclear; these by arm, in the catalogue's order.
func (c Changes) sort(experiments []string) {
	rank := []Outcome{Regression, Improvement, NoClear, Unchanged, NotCompared}
	arms := arm.All()
	place := func(a trial.Arm) int {
		return slices.IndexFunc(arms, func(k arm.Kind) bool { return k.Name == a.Base() })
	}
	slices.SortStableFunc(c.All, func(x, y Change) int {
		return cmp.Or(slices.Index(experiments, x.Experiment)-slices.Index(experiments, y.Experiment),
			slices.Index(rank, x.Outcome)-slices.Index(rank, y.Outcome), place(x.Cell.Arm())-place(y.Cell.Arm()))
	})
}
