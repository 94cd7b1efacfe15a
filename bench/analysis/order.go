package analysis

import (
	"cmp"
	"slices"

	"authbench/bench/trial"
)

// Placed is a cell's place in an order.
type Placed struct {
	Of    trial.Selector
	Value trial.Interval
	// Tie: the 95 % interval of the difference to the cell before, paired by block,
	// holds 0; of the first, its own does, which is over the control.
	Tie bool
}

// Order sorts cells by a metric that is over the control's, the least first. Cells
// that fewer than two blocks have are left out, for nothing tells them from others.
// Ties hold between neighbours alone: what ties with both of two may part them.
func Order(name string, blocks []Block, cells []trial.Selector) (order []Placed) {
	m, err := Lookup(name)
	if err != nil {
		return nil
	}
	for _, s := range cells {
		if v := Summary(name, blocks, s); v.N > 1 {
			order = append(order, Placed{Of: s, Value: v})
		}
	}
	slices.SortStableFunc(order, func(x, y Placed) int { return cmp.Compare(x.Value.Estimate, y.Value.Estimate) })
	for i := range order {
		apart := order[i].Value
		if i > 0 {
			var differences []float64
			for _, b := range seen(blocks, m.Aspect) {
				x, errX := m.value(b, order[i].Of)
				y, errY := m.value(b, order[i-1].Of)
				if errX == nil && errY == nil {
					differences = append(differences, x-y)
				}
			}
			apart = Estimate(differences)
		}
		order[i].Tie = apart.N < 2 || apart.Low <= 0 && 0 <= apart.High
	}
	return order
}
