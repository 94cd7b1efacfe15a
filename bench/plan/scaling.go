package plan

import (
	"slices"

	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

// Scaling is what every arm but the control serves with one store, by replicas up
// to most, and where arms overtake each other: what can be said without a target.
// Stores have so many cores; an arm whose store can use more of them has a curve
// for each size, those of the first size before all others. Nothing is written to
// a store.
func (b Basis) Scaling(storeCores []int, most int) (curves []Curve, crossed []Crossing, err error) {
	drawn, err := b.draw()
	if err != nil {
		return nil, nil, err
	}
	for size, cores := range storeCores {
		t := Target{StoreCores: cores}
		differs := func(a trial.Arm) bool { return a != trial.Control && (size == 0 || t.coresFor(a) == cores) }
		for i, m := range b.Arms {
			if !differs(m.Arm) {
				continue
			}
			c := curve(t, drawn, i, m.Arm, most)
			if c.StoreCores = t.coresFor(m.Arm); c.StoreCores > 0 {
				system := model.System{StoreCores: c.StoreCores, InFlight: inFlight}
				c.Ceiling, c.Knee = drawn.Of(i, system.Ceiling), drawn.Of(i, system.Knee)
			}
			curves = append(curves, c)
		}
		for _, x := range crossings(b, t, drawn, most, differs) {
			x.StoreCores = t.coresFor(x.Over)
			crossed = append(crossed, x)
		}
	}
	return curves, crossed, nil
}

// Control is what so many replicas of the control serve at most; 0 where it was not measured.
func (b Basis) Control(replicas int) float64 {
	i := slices.IndexFunc(b.Arms, func(m Measured) bool { return m.Arm == trial.Control })
	if i < 0 {
		return 0
	}
	drawn, err := model.Draw([][]model.Start{b.Arms[i].Starts}, 0, 0) // its mean alone
	if err != nil {
		return 0
	}
	return Target{}.serves(trial.Control)(drawn.Means[0], replicas)
}

// coresFor are the cores that one store of an arm uses at most; 0 where it asks none.
func (t Target) coresFor(a trial.Arm) int {
	if kind := arm.Of(a); kind.Store() != "" {
		return int(load{Target: t, kind: kind}.coresOfOne())
	}
	return 0
}
