package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"authbench/bench/trial"
)

// Block holds the trials of one experiment in one block that came to their end,
// calibration left out: of each cell and label every attempt. Which of them a
// figure is read from depends on what the figure rests on: see [Block.For].
type Block struct {
	Experiment string
	Number     int           // from 1
	Trials     []trial.Trial // by cell and label, earlier attempts first

	aspect trial.Aspect
}

// Blocks gathers an experiment's trials by block, in order. The order of trials
// does not matter.
func Blocks(trials []trial.Trial, experiment string) []Block {
	byNumber := map[int]*Block{}
	for _, t := range trials {
		if t.Spec.Experiment != experiment || t.Status != trial.OK || t.Block < 1 {
			continue
		}
		b := byNumber[t.Block]
		if b == nil {
			b = &Block{Experiment: experiment, Number: t.Block}
			byNumber[t.Block] = b
		}
		b.Trials = append(b.Trials, t)
	}
	var blocks []Block
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		b := *byNumber[n]
		slices.SortFunc(b.Trials, func(x, y trial.Trial) int {
			return cmp.Or(cmp.Compare(x.Spec.Key(0, 0), y.Spec.Key(0, 0)), cmp.Compare(x.Attempt, y.Attempt))
		})
		blocks = append(blocks, b)
	}
	return blocks
}

// For is the same block as figures see it that rest on an aspect: of each cell
// the first attempt counts of which no doubt spoils that aspect. Without an
// aspect doubts are ignored, and the first attempt counts.
func (b Block) For(a trial.Aspect) Block {
	b.aspect = a
	return b
}

// First returns the first attempt of every cell and label.
func (b Block) First() []*trial.Trial {
	var first []*trial.Trial
	for i := range b.Trials {
		t := &b.Trials[i]
		if n := len(first); n == 0 || first[n-1].Spec.Label != t.Spec.Label || first[n-1].Spec.Hash() != t.Spec.Hash() {
			first = append(first, t)
		}
	}
	return first
}

// attempts are all trials of the one cell that a selector means. More than one cell is an error.
func (b Block) attempts(s trial.Selector) (ts []*trial.Trial, err error) {
	for i := range b.Trials {
		t := &b.Trials[i]
		if !s.Matches(t.Spec) {
			continue
		}
		if len(ts) > 0 && ts[0].Spec.Hash() != t.Spec.Hash() {
			return nil, fmt.Errorf("%s means more than one trial of a block: name its balancer, replicas or lifetime", cellName(s))
		}
		ts = append(ts, t)
	}
	return ts, nil
}

// Find returns the one trial that a selector means and that counts. The error
// names the doubt where there are trials and none counts.
func (b Block) Find(s trial.Selector) (*trial.Trial, error) {
	ts, err := b.attempts(s)
	if err != nil {
		return nil, err
	}
	var why trial.Doubt
	for _, t := range ts {
		d, spoiled := t.Spoiled(s.Phase, b.aspect)
		if !spoiled {
			return t, nil
		}
		why = d
	}
	if why.Cause != "" {
		return nil, fmt.Errorf("no trial of %s counts: %s", cellName(s), why.Cause)
	}
	return nil, fmt.Errorf("no good trial of %s", cellName(s))
}

// measurement returns the selected phase of the selected trial.
func (b Block) measurement(s trial.Selector) (*trial.Measurement, error) {
	t, err := b.Find(s)
	if err != nil {
		return nil, err
	}
	m, ok := t.Phase(s.Phase)
	if !ok {
		return nil, fmt.Errorf("%s has no phase %q", cellName(s), s.Phase)
	}
	return m, nil
}

// charged finds a measurement whose CPU, store operations and bytes are those of
// the requests that it counts. A closed phase leaves out what was in flight at
// its end, and a search tells of one of its steps only, so they have none.
func (b Block) charged(s trial.Selector) (*trial.Measurement, error) {
	m, err := b.measurement(s)
	if err == nil && (m.Phase.Mode == trial.Closed || m.Phase.Mode == trial.Search) {
		return nil, fmt.Errorf("%s, %s: a %s phase does not say what one request costs", cellName(s), s.Phase, m.Phase.Mode)
	}
	return m, err
}

// Values lists one metric of one cell over blocks, leaving out the blocks that
// lack it or where a doubt spoils it.
func Values(name string, blocks []Block, s trial.Selector) ([]float64, error) {
	m, err := metric(name)
	if err != nil {
		return nil, err
	}
	var vs []float64
	for _, b := range blocks {
		if v, err := m.value(b.For(m.Aspect), s); err == nil {
			vs = append(vs, v)
		}
	}
	return vs, nil
}

// Merged merges the latencies of one outcome class of one cell over blocks, and
// says how many trials are in it. Percentiles for a chart are read from this,
// never averaged; it rests on the tail.
func Merged(blocks []Block, s trial.Selector, class string) (h *trial.Histogram, trials int) {
	h = trial.NewHistogram()
	for _, b := range blocks {
		if m, err := b.For(trial.Tail).measurement(s); err == nil {
			h.Merge(m.Latency[class])
			trials++
		}
	}
	return h, trials
}

// cellName describes a selector for a person.
func cellName(s trial.Selector) string {
	name := s.Arm.String()
	if s.Balancer != "" {
		name += ", " + string(s.Balancer)
	}
	if s.Replicas > 0 {
		name += fmt.Sprintf(", N=%d", s.Replicas)
	}
	if s.Lifetime > 0 {
		name += ", lifetime " + s.Lifetime.String()
	}
	if s.Label != "" {
		name += ", half " + s.Label
	}
	return name
}
