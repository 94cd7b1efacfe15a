package analysis

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/trial"
)

// test is one figure's values of both runs by block, whose effects add up, and
// how far their means must lie apart.
type test struct {
	bound float64
	a, b  []float64
}

// weigh tests a change whose blocks scatter as these priors say that others' do.
//
// It is Student's t with Welch's degrees of freedom, for variances that differ.
func (c *Change) weigh(priorA, priorB prior) {
	meanA, meanB := stat.Mean(c.test.a, nil), stat.Mean(c.test.b, nil)
	varA, dfA := priorA.moderate(c.test.a)
	varB, dfB := priorB.moderate(c.test.b)
	varA, varB = varA/float64(len(c.test.a)), varB/float64(len(c.test.b)) // of the means
	effect, se := meanB-meanA, math.Sqrt(varA+varB)
	half, above := 0.0, func(gap float64) float64 { // the chance of so far above the bound, if it truly lay there
		if gap > 0 {
			return 0
		}
		return 1
	}
	if se > 0 {
		t := distuv.StudentsT{Sigma: 1, Nu: math.Pow(se, 4) / (varA*varA/dfA + varB*varB/dfB)}
		half = se * t.Quantile(1-alpha/2)
		above = func(gap float64) float64 { return t.CDF(-gap / se) }
	}
	c.Effect = trial.Interval{Estimate: effect, Low: effect - half, High: effect + half, N: min(len(c.test.a), len(c.test.b))}
	shift := math.Abs(effect)
	if c.Relative {
		c.Effect.Estimate, c.Effect.Low, c.Effect.High = math.Exp(effect), math.Exp(effect-half), math.Exp(effect+half)
		shift = c.A.Estimate * math.Abs(c.Effect.Estimate-1)
	}
	more, less := min(1, 2*above(effect-c.test.bound)), min(1, 2*above(-effect-c.test.bound))
	if shift <= c.Metric.negligible() {
		more, less = 1, 1
	}
	c.worse, c.better = more, less
	if c.Metric.Better == trial.More {
		c.worse, c.better = less, more
	}
}

// runTests tests all changes. Log ratios of duets are of trials of their own, and
// alike but for the arm, so that their scatter is told from all arms together.
func runTests(all []Change) {
	type group struct {
		experiment, step, metric string
	}
	groups := map[group][]*Change{}
	for i := range all {
		c := &all[i]
		switch {
		case c.test == nil:
		case c.Basis == OverPartner:
			g := group{c.Experiment, c.Step, c.Metric.Name}
			groups[g] = append(groups[g], c)
		default:
			c.weigh(prior{}, prior{})
		}
	}
	for _, g := range groups {
		var as, bs [][]float64
		for _, c := range g {
			as, bs = append(as, c.test.a), append(bs, c.test.b)
		}
		a, b := priorOf(as), priorOf(bs)
		for _, c := range g {
			c.weigh(a, b)
		}
	}
}

// prior is what samples of one kind tell of the variance of any one of them: a
// variance, and the degrees of freedom that it is worth.
type prior struct{ variance, df float64 }

// priorOf fits a scaled F distribution to the variances of samples by the moments
// of their logarithms (Smyth 2004, section 6.2): samples whose variances differ
// as much as chance has them differ lend each other all they know, others little.
func priorOf(samples [][]float64) prior {
	var logs, expected []float64
	most := 0.0
	for _, s := range samples {
		if v, df := (prior{}).moderate(s); v > 0 && df > 0 {
			logs = append(logs, math.Log(v)-mathext.Digamma(df/2)+math.Log(df/2))
			expected = append(expected, trigamma(df/2))
			most += df
		}
	}
	if len(logs) < 3 {
		return prior{}
	}
	mean, variance := stat.MeanVariance(logs, nil)
	excess := variance - stat.Mean(expected, nil)
	if excess <= trigamma(most/2) { // worth no more than all of them together
		return prior{math.Exp(mean + mathext.Digamma(most/2) - math.Log(most/2)), most}
	}
	low, high := 1e-3, most // of half the degrees of freedom
	for range 100 {
		if middle := (low + high) / 2; trigamma(middle) > excess {
			low = middle
		} else {
			high = middle
		}
	}
	return prior{math.Exp(mean + mathext.Digamma(low) - math.Log(low)), 2 * low}
}

// trigamma is the second derivative of the logarithm of the gamma function.
func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// moderate is a sample's variance and degrees of freedom together with the prior's.
func (p prior) moderate(sample []float64) (variance, df float64) {
	e := estimateOf(sample, 0)
	df = p.df + e.df
	return (p.df*p.variance + e.df*e.sd*e.sd) / df, df
}

// ofShares compares events in chances, pooled over blocks.
func (c Change) ofShares(as, bs []tally, minEffect float64) (Change, bool) {
	if len(as) == 0 || len(bs) == 0 {
		return c, false
	}
	c.Basis = OfCounts
	a, b := pooled(as), pooled(bs)
	c.A, c.B = a.independent().interval(), b.independent().interval()
	c.A.N, c.B.N = int(a.chances), int(b.chances)
	effect := c.B.Estimate - c.A.Estimate
	// Newcombe's square and add (1998), of the exact limits of each.
	c.Effect = trial.Interval{Estimate: effect, N: min(c.A.N, c.B.N),
		Low:  effect - math.Hypot(c.B.Estimate-c.B.Low, c.A.High-c.A.Estimate),
		High: effect + math.Hypot(c.B.High-c.B.Estimate, c.A.Estimate-c.A.Low)}
	if none := a.events+b.events == 0; none || a.events == a.chances && b.events == b.chances {
		c.Effect.Low, c.Effect.High = 0, 0
		c.Exact, c.Outcome, c.P = true, Unchanged, 0
		return c, true
	}
	if c.Metric.bursts && (len(as) < 2 || len(bs) < 2) {
		return c.leftOut(FewOfBoth), true
	}
	crowd := 1.0 // clusters of one user say themselves how alike their chances are
	if c.Metric.clusters == nil {
		crowd = crowding(as, bs)
	}
	bad := func(t tally) tally { // what nobody wants more of
		if c.Metric.Better == trial.More {
			t.events = t.chances - t.events
		}
		return t
	}
	a, b = bad(a.independent()), bad(b.independent())
	shareA, shareB := a.events/a.chances, b.events/b.chances
	c.worse, c.better = 1, 1
	switch {
	case shareB > shareA*(1+minEffect):
		c.worse = min(1, 2*fisher(a, b, crowd))
	case shareA > shareB*(1+minEffect):
		c.better = min(1, 2*fisher(b, a, crowd))
	}
	return c, true
}

// crowding is how much more shares differ between the blocks of one run than
// independent events would, at least 1: Pearson's chi squared by its degrees of
// freedom, of both runs.
func crowding(as, bs []tally) float64 {
	chi, df := 0.0, 0.0
	for _, run := range [][]tally{as, bs} {
		total := pooled(run)
		share := total.events / total.chances
		if share <= 0 || share >= 1 {
			continue
		}
		for _, t := range run {
			chi += math.Pow(t.events-t.chances*share, 2) / (t.chances * share * (1 - share))
		}
		df += float64(len(run) - 1)
	}
	if df == 0 {
		return 1
	}
	return max(1, chi/df)
}

// fisher is the chance of at least so many of all events on the side of b, if
// both shares were one (Fisher 1935, one-sided). Events that come in crowds count
// as that many fewer.
func fisher(a, b tally, crowd float64) float64 {
	size := func(v float64) float64 { return math.Round(v / crowd) }
	nA, nB := max(1, size(a.chances)), max(1, size(b.chances))
	eA, eB := min(nA, size(a.events)), min(nB, size(b.events))
	k := eA + eB
	choose := func(n, r float64) float64 {
		x, _ := math.Lgamma(n + 1)
		y, _ := math.Lgamma(r + 1)
		z, _ := math.Lgamma(n - r + 1)
		return x - y - z
	}
	term := math.Exp(choose(nB, eB) + choose(nA, eA) - choose(nA+nB, k))
	p := 0.0
	for x := eB; x <= min(k, nB) && term > 0; x++ {
		p += term
		term *= (nB - x) * (k - x) / ((x + 1) * (nA - k + x + 1))
	}
	return min(1, p)
}
