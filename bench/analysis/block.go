package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"authbench/bench/trial"
)

// Block holds the trials of one experiment in one block that came to their end,
// calibration left out: of each cell and label every attempt. Which of them a
// figure is read from depends on what the figure rests on: see [Block.For].
type Block struct {
	Experiment string
	Number     int           // from 1
	Trials     []trial.Trial // of one identity and label together, earlier attempts first

	identities []identity          // of Trials
	places     map[address][]place // of all cells; nil of a part of a block
	aspect     trial.Aspect
	run        *blocks
}

// place is a cell of a trial of a block, by their positions.
type place struct{ trial, cell int }

// address is what tells a cell of a block from all others: every factor, and its label.
type address struct{ cell, label string }

// blocks are all of a run's blocks of an experiment, with what is worked out over them.
type blocks struct {
	blocks []Block

	mu    sync.Mutex
	quiet map[quietKey]float64 // see Block.quiet
}

type quietKey struct {
	step   string
	aspect trial.Aspect
}

// identity is what the attempts of one trial share: trial.Spec.Hash, found once, and trial.Spec.Label.
type identity struct{ hash, label string }

// Blocks gathers an experiment's trials by block, in order. The order of trials
// does not matter.
func Blocks(trials []trial.Trial, experiment string) []Block {
	type entry struct {
		identity identity
		trial    *trial.Trial
	}
	byNumber := map[int][]entry{}
	for i := range trials {
		t := &trials[i]
		if t.Spec.Experiment == experiment && t.Status == trial.OK && t.Block >= 1 {
			byNumber[t.Block] = append(byNumber[t.Block], entry{identity{t.Spec.Hash(), t.Spec.Label()}, t})
		}
	}
	run := &blocks{quiet: map[quietKey]float64{}}
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		entries := byNumber[n]
		slices.SortFunc(entries, func(x, y entry) int {
			return cmp.Or(cmp.Compare(x.identity.hash, y.identity.hash), cmp.Compare(x.identity.label, y.identity.label),
				cmp.Compare(x.trial.Attempt, y.trial.Attempt))
		})
		b := Block{Experiment: experiment, Number: n, Trials: make([]trial.Trial, len(entries)), identities: make([]identity, len(entries)),
			places: map[address][]place{}, run: run}
		for i, e := range entries {
			b.Trials[i], b.identities[i] = *e.trial, e.identity
			for c, cell := range e.trial.Spec.Cells {
				key := address{cell.Cell.String(), cell.Label}
				b.places[key] = append(b.places[key], place{i, c})
			}
		}
		run.blocks = append(run.blocks, b)
	}
	return run.blocks
}

// For is the same block as figures see it that rest on an aspect: of each cell
// the first attempt counts of which no doubt spoils that aspect. Without an
// aspect doubts are ignored, and the first attempt counts.
func (b Block) For(a trial.Aspect) Block {
	b.aspect = a
	return b
}

// First returns the first attempt of every trial.
func (b Block) First() []*trial.Trial {
	var first []*trial.Trial
	for i := range b.first {
		first = append(first, &b.Trials[i])
	}
	return first
}

// first yields the positions of what First returns.
func (b Block) first(yield func(i int) bool) {
	for i, id := range b.identities {
		if (i == 0 || id != b.identities[i-1]) && !yield(i) {
			return
		}
	}
}

// At is a cell of a trial: one of those that stand side by side in it.
type At struct {
	Trial *trial.Trial
	Cell  int // position among the spec's cells
}

// Spec is the cell's own part of the trial's.
func (at At) Spec() trial.CellSpec { return at.Trial.Spec.Cells[at.Cell] }

// partner is the cell beside it, in a trial of two.
func (at At) partner() (At, bool) {
	if len(at.Trial.Spec.Cells) != 2 {
		return At{}, false
	}
	return At{at.Trial, 1 - at.Cell}, true
}

// control is the step of the control beside the cell; ok is false where nothing
// stands beside it, and what else stands there is an error.
func (at At) control(s trial.Selector) (x sample, ok bool, err error) {
	beside, ok := at.partner()
	if !ok {
		return x, false, nil
	}
	if beside.Spec().System.Arm != trial.Control {
		return x, true, fmt.Errorf("%s stands beside %s, not beside the control", cellName(s), beside.Spec())
	}
	if x, err = beside.sample(s); err != nil {
		err = fmt.Errorf("control: %w", err)
	}
	return x, true, err
}

// attempts are where all trials hold the one cell that a selector means: the one
// that it names whole, else the only one that it matches. More than one is an error.
func (b Block) attempts(s trial.Selector) ([]place, error) {
	found, whole := b.places[address{s.Cell.String(), s.Label}]
	if !whole {
		for i := range b.Trials {
			for c, cell := range b.Trials[i].Spec.Cells {
				if s.Matches(cell) {
					found = append(found, place{i, c})
				}
			}
		}
	}
	for _, p := range found {
		if p.cell != found[0].cell || b.identities[p.trial] != b.identities[found[0].trial] {
			return nil, fmt.Errorf("%s means more than one cell of a block: name more of its factors", cellName(s))
		}
	}
	return found, nil
}

// Find returns the one cell that a selector means, in the trial that counts. The
// error names the doubt where there are trials and none counts.
func (b Block) Find(s trial.Selector) (At, error) {
	found, err := b.attempts(s)
	if err != nil {
		return At{}, err
	}
	var why trial.Doubt
	for _, p := range found {
		at := At{&b.Trials[p.trial], p.cell}
		d, spoiled := at.Trial.Spoiled(s.Step, b.aspect)
		if !spoiled {
			return at, nil
		}
		why = d
	}
	if why.Cause != "" {
		return At{}, fmt.Errorf("no trial of %s counts: %s", cellName(s), why.Cause)
	}
	return At{}, fmt.Errorf("no good trial of %s", cellName(s))
}

// sample is a step of a cell and the stream that a selector means.
type sample struct {
	at At
	*trial.Measurement
	*trial.StreamResult // nil where a k6 script alone made the step
}

// measurement returns the selected step of the selected cell.
func (b Block) measurement(s trial.Selector) (*trial.Measurement, error) {
	at, err := b.Find(s)
	if err != nil {
		return nil, err
	}
	return at.measurement(s)
}

func (at At) measurement(s trial.Selector) (*trial.Measurement, error) {
	m, ok := at.Trial.Step(at.Cell, s.Step)
	if !ok {
		return nil, fmt.Errorf("%s has no step %q", cellName(s), s.Step)
	}
	return m, nil
}

// sample returns the selected stream of the selected step.
func (b Block) sample(s trial.Selector) (sample, error) {
	at, err := b.Find(s)
	if err != nil {
		return sample{}, err
	}
	return at.sample(s)
}

func (at At) sample(s trial.Selector) (sample, error) {
	m, err := at.measurement(s)
	if err != nil {
		return sample{}, err
	}
	r, ok := m.Result(s.Stream)
	if !ok {
		return sample{}, fmt.Errorf("%s, %s: no stream %q", cellName(s), s.Step, s.Stream)
	}
	return sample{at, m, r}, nil
}

// mostInFlight is the most that may be in flight at the end of a closed stream, as a share of what it counts.
const mostInFlight = 0.01

// charged finds a sample whose CPU, store operations and bytes are those of the
// requests that it counts. A closed stream leaves out what was in flight at its
// end, which must be little; a search tells of one of its steps only.
func (b Block) charged(s trial.Selector) (sample, error) {
	x, err := b.sample(s)
	switch {
	case err != nil:
	case x.Stream.Pacing.Mode == trial.Closed && float64(x.Stream.Pacing.Concurrency) > mostInFlight*float64(x.Completed):
		err = fmt.Errorf("%s, %s: a closed loop of %d does not say what one request costs after %d of them", cellName(s), s.Step,
			x.Stream.Pacing.Concurrency, x.Completed)
	case x.Search != nil:
		err = fmt.Errorf("%s, %s: a search does not say what one request costs", cellName(s), s.Step)
	case len(x.Streams) > 1:
		err = fmt.Errorf("%s, %s: what several streams cost together cannot be charged to one", cellName(s), s.Step)
	}
	return x, err
}

// Values lists one metric of one cell over blocks, leaving out the blocks that
// lack it or where a doubt spoils it.
func Values(name string, blocks []Block, s trial.Selector) ([]float64, error) {
	m, err := Lookup(name)
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

// Pooled is the share (or rate) of a counted metric's events in its chances over
// all blocks, with its exact interval; N is 0 where no block has it.
func Pooled(name string, blocks []Block, s trial.Selector) trial.Interval {
	m, err := Lookup(name)
	if err != nil || m.count == nil {
		return trial.Interval{}
	}
	var tallies []tally
	for _, b := range blocks {
		if t, err := m.tally(b.For(m.Aspect), s); err == nil {
			tallies = append(tallies, t)
		}
	}
	if len(tallies) == 0 {
		return trial.Interval{}
	}
	return pooled(tallies).independent().interval()
}

// Merged merges the latencies of one outcome class of one cell over blocks, and
// says how many trials are in it: of the trials that count for an aspect.
// Percentiles for a chart are read from this, never averaged.
func Merged(blocks []Block, s trial.Selector, a trial.Aspect, class string) (h *trial.Histogram, trials int) {
	h = trial.NewHistogram()
	for _, b := range blocks {
		if x, err := b.For(a).sample(s); err == nil {
			h.Merge(x.Latency[class])
			trials++
		}
	}
	return h, trials
}

// cellName describes a selector for a person.
func cellName(s trial.Selector) string {
	name := s.Cell.Words()
	if s.Label != "" {
		name += ", half " + s.Label
	}
	return name
}
