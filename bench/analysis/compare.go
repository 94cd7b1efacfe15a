package analysis

import (
	"fmt"
	"math"

	"authbench/bench/trial"
)

// compared is a finding with what it was drawn from.
type compared struct {
	trial.Finding
	rule    trial.Rule // as it applies to the comparison
	chances chances
	tested  bool                    // false: too little was measured, and Reason says what is missing
	within  bool                    // the whole interval lies within the margin
	low     struct{ a, b bool }     // figures of a side are lower bounds
	more    func(level float64) int // blocks that would make it clear at a level
}

// compare sets one comparison's figures against each other.
func compare(r trial.Rule, m Metric, c trial.Comparison, blocks []Block) compared {
	r = r.Of(c)
	f := compared{Finding: trial.Finding{Comparison: c, Margin: r.Margin, P: 1, Outcome: trial.Unclear}, rule: r}
	if r.Contrast == trial.Count {
		f.count(m, blocks)
	} else {
		f.pair(m, blocks)
	}
	f.settle()
	return f
}

// pair sets A against B, or against the reference, block by block.
func (f *compared) pair(m Metric, blocks []Block) {
	c, contrast := f.Comparison, f.rule.Contrast
	var as, bs, effects []float64
	var missing gaps
	for _, b := range blocks {
		x, err := m.value(b, c.A)
		y := c.Reference
		if err == nil && contrast != trial.Against {
			y, err = m.value(b, c.B)
		}
		var e float64
		if err == nil {
			e, err = effect(contrast, x, y)
		}
		if err != nil {
			missing.add(b.Number, err)
			continue
		}
		as, effects = append(as, x), append(effects, e)
		f.low.a = f.low.a || m.lowerBound(b, c.A)
		if contrast != trial.Against {
			bs = append(bs, y)
			f.low.b = f.low.b || m.lowerBound(b, c.B)
		}
	}
	f.A, f.B = Estimate(as), Estimate(bs)
	margin := f.Margin
	if contrast == trial.Ratio {
		margin = math.Log1p(margin)
	}
	e := estimateOf(effects, max(m.grain(contrast, as, bs), grains*margin))
	f.Interval = e.interval()
	f.within = -margin <= f.Interval.Low && f.Interval.High <= margin
	if contrast == trial.Against && e.n > 0 { // the interval that is shown is the one that decides
		f.A = trial.Interval{Estimate: c.Reference + e.mean, Low: c.Reference + f.Interval.Low, High: c.Reference + f.Interval.High, N: e.n}
	}
	if contrast == trial.Ratio && e.n > 0 {
		f.Interval.Estimate, f.Interval.Low, f.Interval.High = math.Exp(f.Interval.Estimate), math.Exp(f.Interval.Low), math.Exp(f.Interval.High)
	}
	if f.few(len(blocks), e.n, BlocksNeeded(f.rule), missing) {
		return
	}
	f.tested, f.chances = true, e.tests(margin)
	f.more = func(level float64) int { return e.more(f.rule.Supports, margin, level) }
}

// few notes that fewer blocks have figures than are needed.
func (f *compared) few(blocks, have, need int, missing gaps) bool {
	if have >= need {
		return false
	}
	f.Reason = &trial.Reason{Cause: trial.FewBlocks, Blocks: have, Needed: need, Missing: missing}
	if have > 0 || blocks < need { // else whatever keeps the figure away would do so in further blocks
		f.Reason.More = need - have
	}
	return true
}

// effect is how x stands to y on the scale where effects add up.
func effect(contrast trial.Contrast, x, y float64) (float64, error) {
	if contrast != trial.Ratio {
		return x - y, nil
	}
	if x <= 0 || y <= 0 {
		return 0, fmt.Errorf("no ratio can be made of %.3g and %.3g", x, y)
	}
	return math.Log(x / y), nil
}

// count pools events and chances over blocks. Chances that come in clusters count
// as many as stand for themselves; where trials differ more than chance allows,
// the finding says so.
func (f *compared) count(m Metric, blocks []Block) {
	var tallies []tally
	var missing gaps
	for _, b := range blocks {
		t, err := m.tally(b, f.Comparison.A)
		if err == nil && t.events > t.chances && !m.many {
			err = fmt.Errorf("%.0f events in %.0f chances", t.events, t.chances)
		}
		if err != nil {
			missing.add(b.Number, err)
			continue
		}
		tallies = append(tallies, t)
	}
	if f.few(len(blocks), len(tallies), BlocksNeeded(f.rule), missing) && len(tallies) == 0 {
		return
	}
	t, ref := pooled(tallies).independent(), f.Comparison.Reference
	f.Interval = t.interval()
	f.A = f.Interval
	f.within = ref-f.Margin <= f.Interval.Low && f.Interval.High <= ref+f.Margin
	if f.Reason != nil {
		return
	}
	f.tested, f.chances = true, t.tests(ref, f.Margin)
	f.more = func(float64) int { return t.more(len(tallies), f.rule.Supports, ref, f.Margin) }
	if factor, p, ok := dispersion(tallies); ok && p < 0.01 {
		f.Dispersion = factor
	}
}

// settle gives the comparison its outcome, by itself. Where the three are not
// told apart, it may be clear all the same that the claim's does not hold.
func (f *compared) settle() {
	if !f.tested {
		return
	}
	outcome, p := f.chances.best()
	if not, other := f.chances.not(f.rule.Supports); other < alpha && (p >= alpha || outcome == trial.Same && !f.within) {
		outcome, p = not, other
	}
	f.P = p
	switch {
	case f.hidden(outcome):
		f.Reason = &trial.Reason{Cause: trial.Censored}
	case p >= alpha || outcome == trial.Same && !f.within:
		f.Reason = &trial.Reason{Cause: trial.AcrossEdge, More: f.more(alpha)}
	default:
		f.Outcome = outcome
	}
}

// hidden says whether an outcome cannot be told because figures are lower bounds.
func (f *compared) hidden(outcome trial.Direction) bool {
	return f.low.a && outcome != trial.More && outcome != trial.NotLess || f.low.b && outcome != trial.Less && outcome != trial.NotMore
}

// unsettle takes an outcome back.
func (f *compared) unsettle(why trial.Reason) {
	f.Outcome, f.Reason = trial.Unclear, &why
}

// correct holds the comparisons of a family to having been looked at together:
// where some hold and some do not, that each of these exists is the claim.
func correct(family []*compared) {
	ps := make([]float64, len(family))
	for i, f := range family {
		ps[i] = 1 // what could not be tested stays in the family: its size was fixed before the run
		if f.tested {
			ps[i] = f.P
		}
	}
	for i, p := range holm(ps) {
		f := family[i]
		if !f.tested {
			continue
		}
		f.P = p
		if p >= alpha && f.Outcome != trial.Unclear {
			f.unsettle(trial.Reason{Cause: trial.ByChance, Alone: f.Outcome, More: f.more(alpha / float64(len(family)))})
		}
	}
}

// gaps gathers why blocks are missing, each error once.
type gaps []trial.Missing

func (g *gaps) add(block int, err error) {
	for i, m := range *g {
		if m.Error == err.Error() {
			(*g)[i].Blocks = append(m.Blocks, block)
			return
		}
	}
	*g = append(*g, trial.Missing{Error: err.Error(), Blocks: []int{block}})
}
