package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/trial"
)

// Start is what one start of an arm's system showed, and the block it was made in.
type Start struct {
	Block  int
	Demand Demand
}

// Draws are the mean demands of some arms, as measured and as they might have
// been had other starts come about: blocks are drawn with replacement, as many as
// there are, all arms of a block together, so that what slows a whole block slows
// every arm of a draw (Efron 1979; the start is the sample, not the request, and
// several starts of an arm in one block are drawn together).
type Draws struct {
	Means []Demand // by arm, as measured

	blocks []int      // by arm: in how many it was started
	drawn  [][]Demand // by draw, then by arm
}

// Draw draws from some arms' starts. The same seed gives the same draws. No
// start of an arm, or a demand that cannot be one, is an error.
func Draw(arms [][]Start, draws int, seed uint64) (Draws, error) {
	var blocks []int
	for i, starts := range arms {
		if len(starts) == 0 {
			return Draws{}, fmt.Errorf("arm %d has no start: a mean needs one", i)
		}
		for _, s := range starts {
			if err := s.Demand.Check(); err != nil {
				return Draws{}, fmt.Errorf("arm %d, block %d: %w", i, s.Block, err)
			}
			blocks = append(blocks, s.Block)
		}
	}
	slices.Sort(blocks)
	blocks = slices.Compact(blocks)
	d := Draws{blocks: make([]int, len(arms))}
	for i, starts := range arms {
		seen := map[int]bool{}
		for _, s := range starts {
			seen[s.Block] = true
		}
		d.blocks[i] = len(seen)
	}
	times := make([]int, len(blocks))
	for i := range times {
		times[i] = 1
	}
	d.Means, _ = means(arms, blocks, times)
	rng := rand.New(rand.NewPCG(seed, 0))
	for len(d.drawn) < draws {
		clear(times)
		for range blocks {
			times[rng.IntN(len(blocks))]++
		}
		if m, ok := means(arms, blocks, times); ok { // else an arm is in none of the blocks drawn
			d.drawn = append(d.drawn, m)
		}
	}
	return d, nil
}

// means are the arms' mean demands where each of the sorted blocks counts so many times.
func means(arms [][]Start, blocks, times []int) ([]Demand, bool) {
	out := make([]Demand, len(arms))
	for i, starts := range arms {
		n := 0.0
		for _, s := range starts {
			at, _ := slices.BinarySearch(blocks, s.Block)
			t := float64(times[at])
			n += t
			out[i].Balancer += t * s.Demand.Balancer
			out[i].Replica += t * s.Demand.Replica
			out[i].Store += t * s.Demand.Store
		}
		if n == 0 {
			return nil, false
		}
		out[i] = Demand{out[i].Balancer / n, out[i].Replica / n, out[i].Store / n}
	}
	return out, true
}

// Of is a figure of one arm's mean demand with its 95 % interval.
func (d Draws) Of(arm int, figure func(Demand) float64) trial.Interval {
	return d.interval(d.blocks[arm], func(arms []Demand) float64 { return figure(arms[arm]) })
}

// Between is a figure of two arms' mean demands with its 95 % interval.
func (d Draws) Between(a, b int, figure func(a, b Demand) float64) trial.Interval {
	return d.interval(min(d.blocks[a], d.blocks[b]), func(arms []Demand) float64 { return figure(arms[a], arms[b]) })
}

// interval is a figure's percentile interval over draws of n blocks. With few that
// is too narrow: draws spread by (n-1)/n too little, and know nothing of how badly n
// blocks show their own spread. So the percentiles taken lie further out, by the
// quantile of Student's t over that of the normal (Hesterberg 2015, "expanded").
// With 3 blocks or fewer they are the lowest and the highest draw, and a single
// block has no interval: Low and High are the estimate, and N says so.
func (d Draws) interval(n int, figure func([]Demand) float64) trial.Interval {
	iv := trial.Interval{Estimate: figure(d.Means), N: n}
	iv.Low, iv.High = iv.Estimate, iv.Estimate
	if n < 2 || len(d.drawn) == 0 {
		return iv
	}
	values := make([]float64, len(d.drawn))
	for i, m := range d.drawn {
		values[i] = figure(m)
	}
	slices.Sort(values)
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
	tail := distuv.UnitNormal.CDF(-math.Sqrt(float64(n)/float64(n-1)) * t)
	at := int(tail * float64(len(values)))
	iv.Low, iv.High = values[at], values[len(values)-1-at]
	return iv
}
