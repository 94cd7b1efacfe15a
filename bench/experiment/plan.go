package experiment

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"authbench/bench/trial"
)

// Bounds on making trials again whose figures a doubt spoils.
const (
	maxAttempts = 3
	// repeatShare of an experiment's estimated time may go into repeats: a machine
	// that is never quiet must not make a run several times as long.
	repeatShare = 0.25
)

// Job is the next trial to make.
type Job struct {
	Spec    trial.Spec
	Block   int
	Attempt int

	cell string // names it among the trials: see cellOf
}

// Plan hands out an experiment's trials one by one: calibration first, then
// block after block, every cell once a block in an order shuffled by the seed.
// It derives what is left from what is done, so a resumed run goes on where it
// stopped. A cell is measured again at once, in its own block, while no attempt
// counts for what the rules need of it (see [Answers]), within bounds.
//
// Each trial is looked at once, so planning takes time in proportion to their number.
type Plan struct {
	Experiment Experiment
	Seed       uint64
	// Needs are the aspects that the rules' figures rest on, by step.
	Needs map[string][]trial.Aspect

	seen     int // of the trials that Next has been given
	attempts map[string][]trial.Trial
	repeated float64 // seconds that repeats have taken

	calibrating, measuring stage
}

// stage is the calibration, or all blocks.
type stage struct {
	jobs    []Job
	index   map[string]int // of jobs, by cell
	done    []bool
	next    int     // no job before it is left
	left    int     // jobs
	seconds float64 // of the jobs left
	built   bool    // from real cells, not presumed ones
}

// Next returns the next trial to make, given all trials that the run holds so
// far, to which later calls only add; ok is false when the experiment is done.
// An error says why it cannot go on.
func (p *Plan) Next(done []trial.Trial) (job Job, ok bool, err error) {
	p.take(done)
	if job, ok = p.calibrating.first(p); ok {
		return job, true, nil
	}
	if !p.measuring.built {
		cells, err := p.Experiment.Trials(p.calibration(done))
		if err != nil {
			return Job{}, false, err
		}
		p.measuring = p.stage(cells, 1, p.Experiment.Blocks)
		p.measuring.built = true
	}
	job, ok = p.measuring.first(p)
	return job, ok, nil
}

// Left says how many trials Next would still hand out if each went well, and
// about how many seconds they take. Before calibration the rates of cells are
// presumed; number and length are right.
func (p *Plan) Left(done []trial.Trial) (jobs int, seconds float64) {
	p.take(done)
	return p.calibrating.left + p.measuring.left, p.calibrating.seconds + p.measuring.seconds
}

// Jobs lists what is left.
func (p *Plan) Jobs(done []trial.Trial) (jobs []Job) {
	p.take(done)
	for _, s := range []stage{p.calibrating, p.measuring} {
		for i, j := range s.jobs {
			if !s.done[i] {
				j.Attempt = p.attempt(j)
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// take looks at the trials that are new since the last call.
func (p *Plan) take(done []trial.Trial) {
	if p.attempts == nil {
		p.attempts = map[string][]trial.Trial{}
		p.calibrating = p.stage(p.Experiment.Calibrate, 0, 0)
		cells, err := p.Experiment.planned()
		if err == nil {
			p.measuring = p.stage(cells, 1, p.Experiment.Blocks)
		}
	}
	for _, t := range done[p.seen:] {
		if t.Spec.Experiment != p.Experiment.Name {
			continue
		}
		cell := cellOf(t.Spec.Hash(), t.Spec.Label(), t.Block)
		if slices.ContainsFunc(p.attempts[cell], func(t trial.Trial) bool { return t.Status == trial.OK }) {
			p.repeated += t.Seconds
		}
		p.attempts[cell] = append(p.attempts[cell], t)
		for _, s := range []*stage{&p.calibrating, &p.measuring} {
			if i, ok := s.index[cell]; ok && !s.done[i] && p.enough(s.jobs[i]) {
				s.finish(i)
			}
		}
	}
	p.seen = len(done)
}

func (p *Plan) stage(cells []trial.Spec, first, last int) stage {
	s := stage{index: map[string]int{}}
	hashes := make(map[int]string, len(cells))
	for block := first; block <= last && len(cells) > 0; block++ {
		for _, i := range p.random(fmt.Sprintf("%s/%d", p.Experiment.Name, block)).Perm(len(cells)) {
			if hashes[i] == "" {
				hashes[i] = cells[i].Hash()
			}
			j := Job{Spec: cells[i], Block: block, Attempt: 1, cell: cellOf(hashes[i], cells[i].Label(), block)}
			s.index[j.cell] = len(s.jobs)
			s.jobs, s.done = append(s.jobs, j), append(s.done, false)
			s.left++
			s.seconds += j.Seconds()
		}
	}
	for cell := range p.attempts { // of a resumed run
		if i, ok := s.index[cell]; ok && p.enough(s.jobs[i]) {
			s.finish(i)
		}
	}
	return s
}

func (s *stage) finish(i int) {
	s.done[i] = true
	s.left--
	s.seconds -= s.jobs[i].Seconds()
}

// first is the stage's first job that is left.
func (s *stage) first(p *Plan) (Job, bool) {
	for ; s.next < len(s.jobs); s.next++ {
		if !s.done[s.next] {
			j := s.jobs[s.next]
			j.Attempt = p.attempt(j)
			return j, true
		}
	}
	return Job{}, false
}

// attempt is the number of a job's next attempt.
func (p *Plan) attempt(j Job) int {
	n := 1
	for _, t := range p.attempts[j.cell] {
		n = max(n, t.Attempt+1)
	}
	return n
}

// enough says whether a job's cell need not be measured again: its attempts
// answer what is asked, or it has had its chances. An aborted trial is none.
func (p *Plan) enough(j Job) bool {
	var ended []trial.Trial
	for _, t := range p.attempts[j.cell] {
		if t.Status == trial.OK {
			ended = append(ended, t)
		}
	}
	switch {
	case len(ended) == 0:
		return false
	case len(ended) >= maxAttempts || p.repeated >= repeatShare*p.estimate():
		return true
	}
	return Answers(ended, p.needs(j))
}

// needs are a job's: those of the rules, or of a calibration the rates.
func (p *Plan) needs(j Job) map[string][]trial.Aspect {
	if j.Block > 0 {
		return p.Needs
	}
	needs := map[string][]trial.Aspect{}
	for _, c := range j.Spec.Cells {
		for _, step := range c.Steps {
			if !step.Warmup {
				needs[step.Name] = []trial.Aspect{trial.CPUTotal}
			}
		}
	}
	return needs
}

// Answers says whether the attempts at a cell together answer what is needed of
// it: for each step that it has and each aspect, one attempt that no doubt spoils.
func Answers(attempts []trial.Trial, needs map[string][]trial.Aspect) bool {
	for step, aspects := range needs {
		for _, a := range aspects {
			answers := func(t trial.Trial) bool {
				_, there := t.Step(0, step)
				_, spoiled := t.Spoiled(step, a)
				return !spoiled || !there && step != ""
			}
			if !slices.ContainsFunc(attempts, answers) {
				return false
			}
		}
	}
	return true
}

// estimate is how many seconds the whole experiment takes if all goes well.
func (p *Plan) estimate() (seconds float64) {
	for _, s := range p.Experiment.Calibrate {
		seconds += Job{Spec: s}.Seconds()
	}
	if jobs := p.measuring.jobs; len(jobs) > 0 { // cells of one experiment are alike
		seconds += jobs[0].Seconds() * float64(len(jobs))
	}
	return seconds
}

// planned lists the trials of a block. Where they need calibration, the rates of
// their streams are presumed; all else of them is right.
func (e Experiment) planned() ([]trial.Spec, error) { return e.Trials(e.presumed()) }

// presumed stands in for calibration trials where only the number and length of
// cells matter, not their rates.
func (e Experiment) presumed() []trial.Trial {
	var ts []trial.Trial
	for _, s := range e.Calibrate {
		t := trial.Trial{Spec: s, Status: trial.OK}
		for i, c := range s.Cells {
			for _, step := range c.Steps {
				t.Steps = append(t.Steps, trial.Measurement{Cell: i, Step: step.Name, Seconds: 1, Streams: map[string]*trial.StreamResult{
					trial.Main: {Seconds: 1, Outcomes: map[string]int64{trial.Success: 1000}}},
					Usage: trial.Usage{CPU: map[trial.Tier]float64{trial.ReplicaTier: 0.1}}})
			}
		}
		ts = append(ts, t)
	}
	return ts
}

func (p *Plan) calibration(done []trial.Trial) []trial.Trial {
	var ts []trial.Trial
	for _, t := range done {
		if t.Spec.Experiment == p.Experiment.Name && t.Block == 0 && t.Status != trial.Aborted {
			ts = append(ts, t)
		}
	}
	return ts
}

// cellOf names a cell in a block.
func cellOf(hash, label string, block int) string {
	return fmt.Sprint(hash, " ", label, " ", block)
}

// Order is the order in which to run the job's steps, by their positions: open
// measured steps shuffled, the rest (warm-up, saturation, a search, steps with
// faults) in their own place.
func (p *Plan) Order(j Job) []int {
	steps := j.Spec.Cells[0].Steps
	order := make([]int, len(steps))
	var at []int
	for i, s := range steps {
		order[i] = i
		open := len(s.Streams) > 0 && s.Streams[0].Pacing.Mode == trial.Open
		if open && !s.Warmup && s.Search == nil && len(s.Faults) == 0 {
			at = append(at, i)
		}
	}
	for i, k := range p.random(j.Spec.Key(j.Block, 0)).Perm(len(at)) {
		order[at[i]] = at[k]
	}
	return order
}

// random is a source that depends on nothing but the run's seed and a name.
func (p *Plan) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(p.Seed, h.Sum64()))
}
