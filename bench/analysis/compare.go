package analysis

import (
	"fmt"
	"math"

	"authbench/bench/trial"
)

// compared is a finding before Holm's correction.
type compared struct {
	trial.Finding
	chances chances
	tested  bool               // false: too little was measured, and Reason says what is missing
	within  bool               // the whole interval lies within the margin
	drowned bool               // it reaches over the rule's margin, but lies below the noise floor
	floors  []trial.NoiseFloor // that raised the margin
}

// compare sets one comparison's figures against each other.
func compare(r trial.Rule, m Metric, c trial.Comparison, blocks []Block) compared {
	f := compared{Finding: trial.Finding{Comparison: c, Margin: r.Margin, P: 1, Outcome: trial.Unclear}}
	if r.Contrast == trial.Count {
		f.count(r, m, blocks)
		return f
	}
	f.raiseMargin(r, m, blocks)
	var as, bs, effects []float64
	var missing gaps
	for _, b := range blocks {
		x, err := m.value(b, c.A)
		y := c.Reference
		if err == nil && r.Contrast != trial.Against {
			y, err = m.value(b, c.B)
		}
		var e float64
		if err == nil {
			e, err = effect(r.Contrast, x, y)
		}
		if err != nil {
			missing.add(b.Number, err)
			continue
		}
		as, effects = append(as, x), append(effects, e)
		if r.Contrast != trial.Against {
			bs = append(bs, y)
		}
	}
	f.A, f.B, f.Interval = Estimate(as), Estimate(bs), Estimate(effects)
	beyond, within := f.Margin, r.Margin
	if r.Contrast == trial.Ratio {
		beyond, within = math.Log1p(beyond), math.Log1p(within)
	}
	f.within = -within <= f.Interval.Low && f.Interval.High <= within
	f.drowned = -beyond <= f.Interval.Low && f.Interval.High <= beyond && !f.within
	if r.Contrast == trial.Ratio {
		f.Interval.Estimate, f.Interval.Low, f.Interval.High = math.Exp(f.Interval.Estimate), math.Exp(f.Interval.Low), math.Exp(f.Interval.High)
		if len(effects) == 0 {
			f.Interval = trial.Interval{}
		}
	}
	if need := max(2, r.MinBlocks); len(effects) < need {
		f.Reason = &trial.Reason{Cause: trial.FewBlocks, Blocks: len(effects), Needed: need, Missing: missing}
		return f
	}
	f.tested, f.chances = true, studentTests(effects, beyond, within)
	return f
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

// raiseMargin takes the noise floor as the margin that an effect must pass where
// that is larger. It makes nothing the same: for that the rule's margin stands.
func (f *compared) raiseMargin(r trial.Rule, m Metric, blocks []Block) {
	steps := []string{f.Comparison.A.Step}
	if p := f.Comparison.B.Step; r.Contrast != trial.Against && p != steps[0] {
		steps = append(steps, p)
	}
	for _, step := range steps {
		if floor, ok := noiseFloor(blocks, m, step, r.Contrast); ok && floor > r.Margin {
			f.Margin = max(f.Margin, floor)
			f.floors = append(f.floors, trial.NoiseFloor{Step: step, Floor: floor})
		}
	}
}

// count pools events and chances over blocks. Pooling takes every chance for
// independent; where trials differ more than that allows, the finding says so.
func (f *compared) count(r trial.Rule, m Metric, blocks []Block) {
	var tallies []tally
	var missing gaps
	for _, b := range blocks {
		events, chances, err := m.count(b, f.Comparison.A)
		if err == nil && events > chances && !m.many {
			err = fmt.Errorf("%.0f events in %.0f chances", events, chances)
		}
		if err != nil {
			missing.add(b.Number, err)
			continue
		}
		tallies = append(tallies, tally{events, chances, m.many})
	}
	need := max(1, r.MinBlocks)
	if len(tallies) > 0 {
		f.Interval = pooled(tallies).interval()
		f.A = f.Interval
	}
	if len(tallies) < need {
		f.Reason = &trial.Reason{Cause: trial.FewBlocks, Blocks: len(tallies), Needed: need, Missing: missing}
		return
	}
	ref := f.Comparison.Reference
	f.within = ref-f.Margin <= f.Interval.Low && f.Interval.High <= ref+f.Margin
	f.tested, f.chances = true, pooled(tallies).tests(ref, f.Margin)
	if factor, p, ok := dispersion(tallies); ok && p < 0.01 {
		f.Dispersion = factor
	}
}

// decide gives each comparison of a rule its outcome, all of them as one family.
func decide(family []compared) {
	ps := make([]float64, len(family))
	for i, f := range family {
		ps[i] = 1 // what could not be tested stays in the family: its size was fixed before the run
		if f.tested {
			_, ps[i] = f.chances.best()
		}
	}
	for i, p := range holm(ps) {
		f := &family[i]
		if !f.tested {
			continue
		}
		f.P = p
		if f.Reason = unclear(*f); f.Reason == nil {
			f.Outcome, _ = f.chances.best()
		}
	}
}

// unclear says why a tested comparison has no outcome; nil where it has one.
func unclear(f compared) *trial.Reason {
	outcome, p := f.chances.best()
	open := func(p float64) bool { return p >= alpha || outcome == trial.Same && !f.within }
	switch {
	case !open(f.P):
		return nil
	case f.drowned:
		return &trial.Reason{Cause: trial.BelowFloor}
	case open(p):
		return &trial.Reason{Cause: trial.AcrossEdge}
	}
	return &trial.Reason{Cause: trial.ByChance, Alone: outcome}
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
