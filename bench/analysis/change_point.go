package analysis

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/trial"
)

// point is a cell and a step of it, with the cells of each block that are its
// like: the two halves of an A/A pair, and a control beside whichever arm.
type point struct {
	cell    trial.Cell
	step    string
	members map[int][]member // by block
	rates   []float64        // that members were offered
	faulty  bool             // something is broken on schedule
}

// member is a cell of a trial.
type member struct {
	block   Block // what its figures are read from
	of      trial.Selector
	partner *trial.Selector // the control beside it
}

// points gathers what an experiment measured, by a name that two runs share.
func points(blocks []Block) map[string]*point {
	found := map[string]*point{}
	for _, b := range blocks {
		for t := range b.first {
			spec := b.Trials[t].Spec
			from := b
			if len(spec.Cells) > 1 { // others of the block may hold the same control
				from = b.only(b.identities[t])
			}
			for _, m := range b.Trials[t].Steps {
				c, x := spec.Cells[m.Cell], member{block: from}
				cell := c.Cell
				if partner, ok := (At{&b.Trials[t], m.Cell}).partner(); ok {
					switch other := partner.Spec(); {
					case c.System.Arm == trial.Control && (m.Cell == 1 || other.System.Arm != trial.Control):
						cell = cell.With(beside, anyArm)
					case other.System.Arm == trial.Control:
						sel := selectorOf(other, m.Step)
						x.partner = &sel
					}
				}
				x.of = selectorOf(c, m.Step)
				key := cell.Words() + ", " + m.Step
				p := found[key]
				if p == nil {
					p = &point{cell: cell, step: m.Step, members: map[int][]member{}}
					found[key] = p
				}
				p.members[b.Number] = append(p.members[b.Number], x)
				p.rates, p.faulty = append(p.rates, offered(c, m.Step)), p.faulty || len(m.Marks) > 0
			}
		}
	}
	return found
}

// A control beside an arm is the same as one beside another, and compared with
// both runs' as one cell that has this factor.
const (
	beside = "beside"
	anyArm = "any"
)

// only is the block with the attempts of one trial alone.
func (b Block) only(id identity) Block {
	from := slices.Index(b.identities, id)
	to := from
	for to < len(b.identities) && b.identities[to] == id {
		to++
	}
	b.Trials, b.identities, b.places = b.Trials[from:to], b.identities[from:to], nil
	return b
}

// offered is the rate of a step's main stream, where the step sets one.
func offered(c trial.CellSpec, step string) float64 {
	for _, s := range c.Steps {
		if s.Name != step || s.Search != nil {
			continue
		}
		for _, stream := range s.Streams {
			if stream.Pacing.Mode == trial.Open && (stream.Name == trial.Main || len(s.Streams) == 1) {
				return stream.Pacing.Rate
			}
		}
	}
	return 0
}

// side is one figure of one run.
type side struct {
	blocks []Block
	*point
	m Metric
}

// values lists the figure by block, the mean of its members, each first passed
// through scale where that is not nil.
func (x side) values(scale func(float64) float64) (vs []float64) {
	for _, b := range x.blocks {
		sum, n := 0.0, 0.0
		for _, member := range x.members[b.Number] {
			if v, err := x.m.value(member.block.For(x.m.Aspect), member.of); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
				if scale != nil {
					v = scale(v)
				}
				sum, n = sum+v, n+1
			}
		}
		if n > 0 {
			vs = append(vs, sum/n)
		}
	}
	return vs
}

// overPartner lists the log ratios to what stood beside it, by block; none where
// a cell had no partner, or one of the two has nothing to be divided.
func (x side) overPartner() (logs []float64) {
	for _, b := range x.blocks {
		sum, n := 0.0, 0.0
		for _, member := range x.members[b.Number] {
			if member.partner == nil {
				return nil
			}
			b := member.block.For(x.m.Aspect)
			own, err := x.m.value(b, member.of)
			if err != nil {
				continue
			}
			other, err := x.m.value(b, *member.partner)
			if err != nil {
				continue
			}
			if own <= 0 || other <= 0 {
				return nil
			}
			sum, n = sum+math.Log(own/other), n+1
		}
		if n > 0 {
			logs = append(logs, sum/n)
		}
	}
	return logs
}

// rate is what the members were offered on average; 0 where none is set.
func (x side) rate() float64 { return stat.Mean(x.rates, nil) }

// spoiled says of a figure that no block has whether one had it but for a doubt.
func (x side) spoiled() bool {
	x.m.Aspect = ""
	return len(x.values(nil)) > 0
}

// tallies are the events and chances of each block.
func (x side) tallies() (all []tally) {
	for _, b := range x.blocks {
		var ts []tally
		for _, member := range x.members[b.Number] {
			if t, err := x.m.tally(member.block.For(x.m.Aspect), member.of); err == nil && t.events <= t.chances {
				ts = append(ts, t)
			}
		}
		if sum := pooled(ts); sum.chances > 0 {
			all = append(all, sum)
		}
	}
	return all
}
