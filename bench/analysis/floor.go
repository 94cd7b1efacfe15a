package analysis

import (
	"fmt"
	"math"
	"slices"

	"authbench/bench/trial"
)

// NoiseFloor is the difference that two identical cells show: of all A/A pairs
// (trials of one identity under two labels in the same block) the root mean
// square of the effects over blocks, the largest if several cells have pairs.
// For [trial.Ratio] it is a share as a margin is, for other contrasts it is in
// the metric's unit. ok is false if the experiment has no A/A pair that gives
// the metric in that step.
//
// A root mean square neither grows nor shrinks with the number of blocks, and is
// never below the mean effect: an A/A comparison never passes its own floor.
func NoiseFloor(blocks []Block, name, step string, contrast trial.Contrast) (floor float64, ok bool) {
	m, err := Lookup(name)
	if err != nil {
		return 0, false
	}
	return noiseFloor(seen(blocks, m.Aspect), m, step, contrast)
}

func noiseFloor(blocks []Block, m Metric, step string, contrast trial.Contrast) (floor float64, ok bool) {
	effects := map[string][]float64{} // by the cell's identity
	for _, b := range blocks {
		if m.overControl && contrast == trial.Difference {
			for _, s := range b.duetsOfOne(step) { // the figure is what the two differ by
				if e, err := m.value(b, s); err == nil {
					effects[s.Cell.String()] = append(effects[s.Cell.String()], e)
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
				effects[p.hash] = append(effects[p.hash], e)
			}
		}
	}
	for _, es := range effects {
		squares := 0.0
		for _, e := range es {
			squares += e * e
		}
		floor, ok = max(floor, math.Sqrt(squares/float64(len(es)))), true
	}
	if contrast == trial.Ratio {
		floor = math.Expm1(floor)
	}
	return floor, ok
}

type pair struct {
	hash          string
	first, second trial.Selector
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

// pairs finds the block's cells of one identity under two labels.
func (b Block) pairs(step string) (pairs []pair) {
	byHash := map[string][]trial.CellSpec{}
	for t := range b.first {
		if len(b.Trials[t].Spec.Cells) > 1 {
			continue
		}
		for i, c := range b.Trials[t].Spec.Cells {
			h := fmt.Sprint(b.identities[t].hash, i)
			if j := slices.IndexFunc(byHash[h], func(o trial.CellSpec) bool { return o.Label != c.Label }); j >= 0 {
				pairs = append(pairs, pair{h, selectorOf(byHash[h][j], step), selectorOf(c, step)})
			}
			byHash[h] = append(byHash[h], c)
		}
	}
	return pairs
}

func selectorOf(c trial.CellSpec, step string) trial.Selector {
	return trial.Selector{Cell: c.Cell, Label: c.Label, Step: step}
}
