package analysis

import (
	"cmp"
	"math"
	"slices"

	"authbench/bench/trial"
)

// Identical is what two identical cells differ by: of an A/A pair (the control
// beside itself in a duet, or trials of one identity under two labels in the same
// block) the mean effect over blocks with its 95 % interval; of several pairs that
// of the one which errs most. For
// [trial.Ratio] it is a share as a margin is, for other contrasts it is in the
// metric's unit. ok is false if no pair gives the metric in that step, in two
// blocks at least.
//
// It judges the instrument alone. What another cell's effect is uncertain by is
// in that effect's own interval.
func Identical(blocks []Block, name, step string, contrast trial.Contrast) (iv trial.Interval, ok bool) {
	m, err := Lookup(name)
	if err != nil {
		return iv, false
	}
	return identical(seen(blocks, m.Aspect), m, step, contrast)
}

func identical(blocks []Block, m Metric, step string, contrast trial.Contrast) (worst trial.Interval, ok bool) {
	type pairs struct{ effects, values []float64 }
	byCell := map[string]pairs{}
	for _, b := range blocks {
		if m.overControl && contrast != trial.Ratio {
			for _, s := range b.duetsOfOne(step) { // the figure is what the two differ by
				if e, err := m.value(b, s); err == nil {
					cell := s.Cell.String()
					byCell[cell] = pairs{append(byCell[cell].effects, e), nil}
				}
			}
		}
		for _, p := range b.pairs(step) {
			x, errX := m.value(b, p.first)
			y, errY := m.value(b, p.second)
			if errX != nil || errY != nil {
				continue
			}
			if e, err := effect(contrast, x, y); err == nil {
				seen := byCell[p.cell]
				byCell[p.cell] = pairs{append(seen.effects, e), append(seen.values, x)}
			}
		}
	}
	for _, p := range byCell {
		if len(p.effects) < 2 {
			continue
		}
		iv := estimateOf(p.effects, m.grain(contrast, p.values, p.values)).interval()
		if !ok || furthest(iv) > furthest(worst) {
			worst, ok = iv, true
		}
	}
	if contrast == trial.Ratio {
		worst.Estimate, worst.Low, worst.High = math.Expm1(worst.Estimate), math.Expm1(worst.Low), math.Expm1(worst.High)
	}
	return worst, ok
}

// furthest is the end of an interval that lies farther from 0: |mean| + t se.
func furthest(iv trial.Interval) float64 { return max(iv.High, -iv.Low) }

// instrument checks the A/A pairs of the steps that a rule reads. The bound is
// the rule's margin, for that is the smallest effect that a claim may rest on:
// an instrument passes if it shows no such effect where there is none. Few blocks
// of a noisy machine cannot show that, and prove nothing against it either.
func instrument(r trial.Rule, m Metric, blocks []Block) (checks []trial.Check) {
	if r.Contrast == trial.Count { // counts are exact
		return nil
	}
	bounds := map[string]float64{} // by step: the smallest
	for _, c := range r.Compare {
		for _, s := range sidesOf(r, c) {
			if margin := r.Of(c).Margin; bounds[s.Step] == 0 || margin < bounds[s.Step] {
				bounds[s.Step] = margin
			}
		}
	}
	for step, bound := range bounds {
		iv, ok := identical(blocks, m, step, r.Contrast)
		if !ok || bound == 0 {
			continue
		}
		low := -bound
		if r.Contrast == trial.Ratio {
			low = 1/(1+bound) - 1
		}
		checks = append(checks, trial.Check{Step: step, Interval: iv, Bound: bound,
			Unproven: iv.Low < low || iv.High > bound, Biased: iv.Low > bound || iv.High < low})
	}
	slices.SortFunc(checks, func(a, b trial.Check) int { return cmp.Compare(a.Step, b.Step) })
	return checks
}

// duetsOfOne finds the cells that stand beside themselves.
func (b Block) duetsOfOne(step string) (found []trial.Selector) {
	for t := range b.first {
		cells := b.Trials[t].Spec.Cells
		if len(cells) == 2 && cells[0].Cell.String() == cells[1].Cell.String() {
			found = append(found, selectorOf(cells[0], step))
		}
	}
	return found
}

type pair struct {
	cell          string // identity
	first, second trial.Selector
}

// pairs finds the block's trials of one identity under two labels.
func (b Block) pairs(step string) (pairs []pair) {
	byHash := map[string][]trial.CellSpec{}
	for t := range b.first {
		if len(b.Trials[t].Spec.Cells) > 1 {
			continue
		}
		c, h := b.Trials[t].Spec.Cells[0], b.identities[t].hash
		if j := slices.IndexFunc(byHash[h], func(o trial.CellSpec) bool { return o.Label != c.Label }); j >= 0 {
			pairs = append(pairs, pair{h, selectorOf(byHash[h][j], step), selectorOf(c, step)})
		}
		byHash[h] = append(byHash[h], c)
	}
	return pairs
}

func selectorOf(c trial.CellSpec, step string) trial.Selector {
	return trial.Selector{Cell: c.Cell, Label: c.Label, Step: step}
}
