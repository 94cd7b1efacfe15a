package experiment

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"authbench/bench/trial"
)

// maxAttempts bounds how often a cell that came out invalid is measured again in its block.
const maxAttempts = 3

// Job is the next trial to make.
type Job struct {
	Spec    trial.Spec
	Block   int
	Attempt int
}

// Plan hands out an experiment's trials one by one: calibration first, then
// block after block, every cell once a block in an order shuffled by the seed.
// It derives what is left from what is done, so a resumed run goes on where it
// stopped, and trials that are not ok are made again.
type Plan struct {
	Experiment Experiment
	Seed       uint64
}

// Next returns the next trial to make, given all trials that the run holds so
// far; ok is false when the experiment is done. An error says why it cannot go on.
func (p Plan) Next(done []trial.Trial) (job Job, ok bool, err error) {
	if job, ok = p.next(p.Experiment.Calibrate, 0, 0, done); ok {
		return job, true, nil
	}
	cells, err := p.Experiment.Cells(p.calibration(done))
	if err != nil {
		return Job{}, false, err
	}
	job, ok = p.next(cells, 1, p.Experiment.Blocks, done)
	return job, ok, nil
}

// next is the open job with the fewest attempts behind it, the earliest block
// first: what came out invalid is made again after the last block, when what
// disturbed it has had time to pass.
func (p Plan) next(cells []trial.Spec, first, last int, done []trial.Trial) (best Job, ok bool) {
	for block := first; block <= last; block++ {
		for _, s := range p.shuffled(cells, block) {
			if a := nextAttempt(s, block, done); a > 0 && (!ok || a < best.Attempt) {
				best, ok = Job{s, block, a}, true
			}
		}
	}
	return best, ok
}

// Left lists the trials that Next would still hand out if each went well. Before
// calibration the rates of cells are presumed; number and length are right.
func (p Plan) Left(done []trial.Trial) (jobs []Job) {
	cells, err := p.Experiment.Cells(p.calibration(done))
	if err != nil {
		cells, _ = p.Experiment.Cells(p.presumed())
	}
	for block := 0; block <= p.Experiment.Blocks; block++ {
		of := cells
		if block == 0 {
			of = p.Experiment.Calibrate
		}
		for _, s := range p.shuffled(of, block) {
			if attempt := nextAttempt(s, block, done); attempt > 0 {
				jobs = append(jobs, Job{s, block, attempt})
			}
		}
	}
	return jobs
}

// presumed stands in for calibration trials where only the number and length of
// cells matter, not their rates.
func (p Plan) presumed() []trial.Trial {
	var ts []trial.Trial
	for _, s := range p.Experiment.Calibrate {
		m := trial.Measurement{Seconds: 1, Outcomes: map[string]int64{trial.Success: 1000}}
		m.Phase.Name = "saturation"
		ts = append(ts, trial.Trial{Spec: s, Status: trial.OK, Phases: []trial.Measurement{m}})
	}
	return ts
}

func (p Plan) calibration(done []trial.Trial) []trial.Trial {
	var ts []trial.Trial
	for _, t := range done {
		if t.Spec.Experiment == p.Experiment.Name && t.Block == 0 && t.Status != trial.Aborted {
			ts = append(ts, t)
		}
	}
	return ts
}

// nextAttempt is the number of the attempt to make, or 0 when the cell is done
// or has come out invalid too often. An aborted trial is always made again.
func nextAttempt(s trial.Spec, block int, done []trial.Trial) int {
	attempt, invalid := 1, 0
	for _, t := range done {
		if t.Block != block || t.Spec.Label != s.Label || t.Spec.Hash() != s.Hash() {
			continue
		}
		switch t.Status {
		case trial.OK:
			return 0
		case trial.Invalid:
			invalid++
		}
		attempt = max(attempt, t.Attempt+1)
	}
	if invalid >= maxAttempts {
		return 0
	}
	return attempt
}

// Phases returns the job's phases in the order in which to run them: open
// measured phases in a shuffled order, the rest (warm-up, saturation and the
// search that builds on it) in their own place.
func (p Plan) Phases(j Job) []trial.Phase {
	phases := slices.Clone(j.Spec.Load.Phases)
	var at []int
	for i, ph := range phases {
		if ph.Mode == trial.Open && !ph.Warmup {
			at = append(at, i)
		}
	}
	for i, k := range p.random(j.Spec.Key(j.Block, 0)).Perm(len(at)) {
		phases[at[i]] = j.Spec.Load.Phases[at[k]]
	}
	return phases
}

// random is a source that depends on nothing but the run's seed and a name.
func (p Plan) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(p.Seed, h.Sum64()))
}

// shuffled returns the cells in this block's order.
func (p Plan) shuffled(cells []trial.Spec, block int) []trial.Spec {
	r := p.random(fmt.Sprintf("%s/%d", p.Experiment.Name, block))
	out := make([]trial.Spec, len(cells))
	for i, j := range r.Perm(len(cells)) {
		out[i] = cells[j]
	}
	return out
}
