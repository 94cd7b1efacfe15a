package analysis

import (
	"fmt"
	"math"
	"strings"

	"authbench/bench/trial"
)

// compared is a finding before Holm's correction.
type compared struct {
	trial.Finding
	chances  chances
	tested   bool     // false: too little was measured, and Why says what is missing
	within   bool     // the whole interval lies within the margin
	drowned  bool     // it reaches over the rule's margin, but lies below the noise floor
	warnings []string // of this comparison
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
	missing := newGaps()
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
		f.Why = fmt.Sprintf("%d of the %d blocks needed%s", len(effects), need, missing)
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
		return 0, fmt.Errorf("no ratio can be made of %s and %s", number(x), number(y))
	}
	return math.Log(x / y), nil
}

// raiseMargin takes the noise floor as the margin that an effect must pass where
// that is larger. It makes nothing the same: for that the rule's margin stands.
func (f *compared) raiseMargin(r trial.Rule, m Metric, blocks []Block) {
	floors := []string{f.Comparison.A.Step}
	if p := f.Comparison.B.Step; r.Contrast != trial.Against && p != floors[0] {
		floors = append(floors, p)
	}
	for _, step := range floors {
		floor, ok := noiseFloor(blocks, m, step, r.Contrast)
		if !ok || floor <= f.Margin {
			continue
		}
		f.Margin = floor
		f.warnings = append(f.warnings, fmt.Sprintf("two identical cells differ by %s in %s%s, more than the margin of %s: no effect below that noise floor counts",
			marginText(floor, r.Contrast, m.Unit), m.Name, at(step), marginText(r.Margin, r.Contrast, m.Unit)))
	}
}

// count pools events and chances over blocks. Pooling takes every chance for
// independent; where trials differ more than that allows, a warning says so.
func (f *compared) count(r trial.Rule, m Metric, blocks []Block) {
	var tallies []tally
	missing := newGaps()
	for _, b := range blocks {
		events, chances, err := m.count(b, f.Comparison.A)
		if err == nil && events > chances && !m.many {
			err = fmt.Errorf("%s events in %s chances", number(events), number(chances))
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
		f.Why = fmt.Sprintf("%d of the %d blocks needed%s", len(tallies), need, missing)
		return
	}
	ref := f.Comparison.Reference
	f.within = ref-f.Margin <= f.Interval.Low && f.Interval.High <= ref+f.Margin
	f.tested, f.chances = true, pooled(tallies).tests(ref, f.Margin)
	if factor, p, ok := dispersion(tallies); ok && p < 0.01 {
		f.warnings = append(f.warnings, fmt.Sprintf("%s: the share varies %s times as much between trials as chance allows: its interval is too narrow",
			f.Comparison.Name, number(factor)))
	}
}

// decide gives each comparison of a rule its outcome, all of them as one family.
func decide(r trial.Rule, unit string, family []compared) {
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
		outcome, _ := f.chances.best()
		if p >= alpha || outcome == trial.Same && !f.within {
			f.Why = unclearWhy(r, unit, *f)
			continue
		}
		f.Outcome = outcome
	}
}

func unclearWhy(r trial.Rule, unit string, f compared) string {
	margin := "the margin of " + marginText(f.Margin, r.Contrast, unit) + around(r, unit, f.Comparison)
	s := effectText(r, unit, f.Finding)
	if f.drowned {
		return fmt.Sprintf("%s lies below the noise floor of %s", s, marginText(f.Margin, r.Contrast, unit))
	}
	outcome, p := f.chances.best()
	if p >= alpha || outcome == trial.Same && !f.within {
		return fmt.Sprintf("%s reaches over %s", s, margin)
	}
	place := "beyond"
	if outcome == trial.Same {
		place = "within"
	}
	return fmt.Sprintf("%s lies %s %s by itself, but one of %d comparisons may do so by chance (p = %s)", s, place, margin, len(r.Compare), number(f.P))
}

// gaps gathers why blocks are missing, each reason once.
type gaps struct {
	order  []string
	blocks map[string][]string
}

func newGaps() *gaps { return &gaps{blocks: map[string][]string{}} }

func (g *gaps) add(block int, err error) {
	why := err.Error()
	if g.blocks[why] == nil {
		g.order = append(g.order, why)
	}
	g.blocks[why] = append(g.blocks[why], fmt.Sprint(block))
}

func (g *gaps) String() string {
	var parts []string
	for _, why := range g.order {
		parts = append(parts, fmt.Sprintf("%s (block %s)", why, strings.Join(g.blocks[why], ", ")))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}
