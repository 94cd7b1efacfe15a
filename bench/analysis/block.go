package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"authbench/bench/trial"
)

// Block holds the trials of one experiment that count in one block: status ok,
// no calibration, of each cell and label the latest attempt.
type Block struct {
	Experiment string
	Number     int           // from 1
	Trials     []trial.Trial // sorted by key
}

// Blocks gathers an experiment's trials that count, by block, in order. The
// order of trials does not matter.
func Blocks(trials []trial.Trial, experiment string) []Block {
	type cell struct {
		hash, label string
		block       int
	}
	latest := map[cell]trial.Trial{}
	for _, t := range trials {
		if t.Spec.Experiment != experiment || t.Status != trial.OK || t.Block < 1 {
			continue
		}
		c := cell{t.Spec.Hash(), t.Spec.Label, t.Block}
		if old, ok := latest[c]; !ok || t.Attempt > old.Attempt {
			latest[c] = t
		}
	}
	byNumber := map[int]*Block{}
	for c, t := range latest {
		b := byNumber[c.block]
		if b == nil {
			b = &Block{Experiment: experiment, Number: c.block}
			byNumber[c.block] = b
		}
		b.Trials = append(b.Trials, t)
	}
	var blocks []Block
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		b := *byNumber[n]
		slices.SortFunc(b.Trials, func(x, y trial.Trial) int { return cmp.Compare(x.Key, y.Key) })
		blocks = append(blocks, b)
	}
	return blocks
}

// Find returns the one trial that a selector means. None, or more than one, is an error.
func (b Block) Find(s trial.Selector) (*trial.Trial, error) {
	var found *trial.Trial
	for i := range b.Trials {
		if !s.Matches(b.Trials[i].Spec) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s means more than one trial of a block: name its balancer, replicas or lifetime", cellName(s))
		}
		found = &b.Trials[i]
	}
	if found == nil {
		return nil, fmt.Errorf("no good trial of %s", cellName(s))
	}
	return found, nil
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

// Values lists one metric of one cell over blocks, leaving out the blocks that lack it.
func Values(name string, blocks []Block, s trial.Selector) ([]float64, error) {
	m, err := metric(name)
	if err != nil {
		return nil, err
	}
	var vs []float64
	for _, b := range blocks {
		if v, err := m.value(b, s); err == nil {
			vs = append(vs, v)
		}
	}
	return vs, nil
}

// Merged merges the latencies of one outcome class of one cell over blocks, and
// says how many trials are in it. Percentiles for a chart are read from this,
// never averaged.
func Merged(blocks []Block, s trial.Selector, class string) (h *trial.Histogram, trials int) {
	h = trial.NewHistogram()
	for _, b := range blocks {
		if m, err := b.measurement(s); err == nil {
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
