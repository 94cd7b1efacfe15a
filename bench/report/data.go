package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// data is a run's folder as the figures read it.
type data struct {
	run      trial.Run
	trials   []trial.Trial
	verdicts []trial.Verdict // by claim
	micro    []micro
	blocks   map[string][]analysis.Block // by experiment: the trials that count

	modelling sync.Mutex
	scalings  map[string]scaling // by what is modelled
}

func newData(run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, gobench string) *data {
	d := &data{run: run, trials: trials, verdicts: byClaim(verdicts), micro: parseMicro(gobench), blocks: map[string][]analysis.Block{},
		scalings: map[string]scaling{}}
	for _, e := range d.experiments() {
		d.blocks[e] = analysis.Blocks(trials, e)
	}
	return d
}

// cells lists those of an experiment's trials, of each trial in each block the
// first attempt that came to its end, calibration left out. What is counted over
// them rests on counts, which no doubt of the instrument spoils.
func (d *data) cells(experiment string) (ats []analysis.At) {
	for _, b := range d.blocks[experiment] {
		for _, t := range b.First() {
			for i := range t.Spec.Cells {
				ats = append(ats, analysis.At{Trial: t, Cell: i})
			}
		}
	}
	return ats
}

func (d *data) arms(experiment string) []trial.Arm {
	var arms []trial.Arm
	for _, at := range d.cells(experiment) {
		arms = append(arms, at.Spec().System.Arm)
	}
	return sortArms(arms)
}

// steps are the names of the measured ones, in the order in which specs hold
// them: a trial runs them in an order of its own.
func (d *data) steps(experiment string) []string {
	var names []string
	for _, at := range d.cells(experiment) {
		for _, s := range at.Spec().Steps {
			if _, measured := at.Trial.Step(at.Cell, s.Name); measured && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// sample says how much is behind a figure.
func (d *data) sample(experiment string) string {
	return fmt.Sprintf("n = %s, profile %s.", plural(len(d.blocks[experiment]), "block", "blocks"), d.run.Profile)
}

// sum is what the trials of a cell counted together.
type sum struct{ offered, completed, dropped, succeeded int64 }

func (d *data) pooled(experiment string, sel trial.Selector) (s sum) {
	for _, at := range d.cells(experiment) {
		m, found := at.Trial.Step(at.Cell, sel.Step)
		if !found || !sel.Matches(at.Spec()) {
			continue
		}
		if r, ok := m.Result(sel.Stream); ok {
			s.offered += r.Offered
			s.completed += r.Completed
			s.dropped += r.Dropped
			s.succeeded += r.Outcomes[trial.Success]
		}
	}
	return s
}

// with gives a figure its drawing, where it has anything to draw.
func (f figure) with(dr drawing, shown int) figure {
	if shown > 0 {
		f.Drawing = dr
		f.Alt = strings.TrimSpace(f.Question + " " + f.Alt)
	}
	return f
}

// experimentDoubts are what weakens all figures of an experiment, whatever they rest on.
func (d *data) experimentDoubts(experiment string) []string {
	var doubts []string
	aborted := 0
	for _, t := range d.trials {
		if t.Spec.Experiment == experiment && t.Status != trial.OK {
			aborted++
		}
	}
	if n := len(d.blocks[experiment]); n > 0 && n < d.blocksNeeded(experiment) {
		doubts = append(doubts, fmt.Sprintf("only %s: too few for an interval that means much", plural(n, "block", "blocks")))
	}
	if aborted > 0 {
		doubts = append(doubts, fmt.Sprintf("%s did not come to an end", plural(aborted, "trial", "trials")))
	}
	return doubts
}

// blocksNeeded is how many blocks the experiment's rules ask for, 3 where there
// are none: rules that count events need but one.
func (d *data) blocksNeeded(experiment string) int {
	if d.run.Profile == trial.Chaos { // what was seen once, and asks no more
		return 1
	}
	needed := 0
	for _, r := range d.run.Rules {
		if r.Experiment == experiment {
			needed = max(needed, r.MinBlocks)
		}
	}
	return cmp.Or(needed, 3)
}

// runDoubts are what weakens the whole run.
func (d *data) runDoubts() []string {
	var doubts []string
	if d.run.Status != "complete" {
		doubts = append(doubts, fmt.Sprintf("the run is %s, not complete", d.run.Status))
	}
	if d.run.Profile == "smoke" {
		doubts = append(doubts, "a smoke run shows that everything works; it is too short for figures to lean on")
	}
	return doubts
}
