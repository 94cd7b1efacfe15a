// Package campaign carries a run from its manifest to its last trial: which trial
// comes next, whether it counts, what is made again, what is skipped and why,
// what is kept when it ends early. In come experiments and a [Maker] of trials;
// out come the files of the run's folder. A trial is kept the moment it is made,
// so that a run that ends early has all it measured and can be resumed.
//
// [Conductor] makes trials of real systems; tests make them of paper.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// Maker makes trials.
type Maker interface {
	// Lacks says why a spec that needs this cannot be carried out here; "" if it can.
	Lacks(n trial.Needs) string
	// Make carries out a spec, the steps in the given order. What goes wrong in
	// the system under test is data; the error is for what makes going on
	// pointless. What was measured before it comes along.
	Make(ctx context.Context, spec trial.Spec, order []int, seed uint64) (Made, error)
}

// Made is what came of a trial.
type Made struct {
	Steps    []trial.Measurement
	Doubts   []trial.Doubt
	Warnings []string
}

// Campaign is a run in the making. Its exported fields are set before Measure.
type Campaign struct {
	Folder      trial.Folder
	Run         trial.Run
	Experiments []experiment.Experiment
	Trials      []trial.Trial // that the folder holds already
	Progress    *Progress
	Now         func() time.Time // by the wall clock
	Limit       time.Duration    // no trial begins later than this after the maker is there; 0 sets none

	// CheckFault says what is wrong with a fault, whatever breaks it; nil takes any.
	CheckFault func(trial.Fault) error

	plans   map[string]*experiment.Plan // by experiment
	skipped []string                    // experiments that cannot be done here
}

// Ask writes the experiments into the manifest: questions, rules, figures, advice.
func (c *Campaign) Ask(experiments []experiment.Experiment) {
	c.Experiments = experiments
	c.Run.DoubtRules = DoubtRules()
	for _, e := range experiments {
		c.Run.Experiments = append(c.Run.Experiments, e.Name)
		c.Run.Questions = append(c.Run.Questions, e.Entry())
		for _, rule := range e.Rules {
			c.Run.Rules = append(c.Run.Rules, rule)
			c.Run.RuleHashes = append(c.Run.RuleHashes, rule.Hash())
		}
	}
}

// Check says what is wrong with the experiments, before anything is measured:
// rules that cannot be read, that no trial answers or no number of them decides, figures that cannot be
// drawn, specs that make no sense.
func (c *Campaign) Check() error {
	var errs []error
	figures := map[string]bool{}
	for _, e := range c.Experiments {
		p, err := c.plan(e)
		if err != nil {
			errs = append(errs, fmt.Errorf("experiment %s: %w", e.Name, err))
			continue
		}
		jobs := p.Jobs(nil)
		if err := errors.Join(decidable(e), answerable(e.Rules, jobs), analysis.CheckFigures(e.Figures, figures),
			drawable(e.Figures, jobs)); err != nil {
			errs = append(errs, fmt.Errorf("experiment %s: %w", e.Name, err))
		}
		for _, j := range jobs {
			if err := errors.Join(j.Spec.Check(), c.checkFaults(j.Spec)); err != nil {
				errs = append(errs, fmt.Errorf("experiment %s: %s: %w", e.Name, j.Spec, err))
				break
			}
		}
	}
	c.plans = nil
	return errors.Join(errs...)
}

// errLate ends a run whose time is up.
var errLate = errors.New("the time is up")

func (c *Campaign) checkFaults(s trial.Spec) (err error) {
	for _, f := range s.Needs().Faults {
		if c.CheckFault != nil {
			err = errors.Join(err, c.CheckFault(f))
		}
	}
	return err
}

// order is that of the experiments. Where the time is limited, what no noise
// spoils comes first: rules that rest on counts and on the clock.
func (c *Campaign) order() []experiment.Experiment {
	if c.Limit == 0 {
		return c.Experiments
	}
	noisy := func(e experiment.Experiment) int {
		for _, r := range e.Rules {
			if m, err := analysis.Lookup(r.Metric); err == nil && m.Aspect != trial.Counts && m.Aspect != trial.WallClock {
				return 1
			}
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(c.Experiments), func(a, b experiment.Experiment) int { return noisy(a) - noisy(b) })
}

// Measure makes all trials that are left, with a maker that open makes once the
// rules are written down, and writes down how the run ended. A run whose time is
// up before its last trial is interrupted, which is no error. after, if there is
// one, follows the last trial.
func (c *Campaign) Measure(ctx context.Context, open func(context.Context) (Maker, error),
	after func(context.Context, Maker) error) (err error) {
	if err := c.Folder.WriteRun(c.Run); err != nil { // rules first: before anything is measured
		return err
	}
	late := false
	defer func() {
		c.Run.Ended = c.Now().UTC()
		switch {
		case err == nil && !late:
			c.Run.Status = "complete"
		case err == nil, ctx.Err() != nil:
			c.Run.Status = "interrupted"
		default:
			c.Run.Status, c.Run.Failure = "failed", err.Error()
		}
		err = errors.Join(err, c.Folder.WriteRun(c.Run))
	}()
	maker, err := open(ctx)
	if err != nil {
		return err
	}
	if closer, ok := maker.(interface{ Close() error }); ok {
		defer func() { err = errors.Join(err, closer.Close()) }()
	}
	if err := c.Folder.WriteRun(c.Run); err != nil { // now with machine and software
		return err
	}
	begun := c.Now() // images may have been built for minutes
	for _, e := range c.order() {
		if why := c.lacks(maker, e); why != "" {
			c.skipped = append(c.skipped, e.Name)
			c.Warn("%s is skipped: %s", e.Name, why)
			continue
		}
		if err := c.carryOut(ctx, maker, e, begun); errors.Is(err, errLate) {
			late = true
			n, _ := c.Left()
			c.Progress.Say("%v after %v: %d of %d trials were not made", errLate, c.Limit, n, n+len(c.Trials))
			break
		} else if err != nil {
			return err
		}
	}
	if after == nil {
		return nil
	}
	return after(ctx, maker)
}

// lacks says why an experiment cannot be done: of any of its trials what the maker says.
func (c *Campaign) lacks(m Maker, e experiment.Experiment) string {
	p, err := c.plan(e)
	if err != nil {
		return ""
	}
	seen := map[string]bool{}
	for _, j := range p.Jobs(c.Trials) {
		if cell := j.Spec.String(); !seen[cell] {
			seen[cell] = true
			if why := m.Lacks(j.Spec.Needs()); why != "" {
				return why
			}
		}
	}
	return ""
}

// Warn adds a warning to the run, once, and says it.
func (c *Campaign) Warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(c.Run.Warnings, text) { // a resumed run has met it before
		c.Run.Warnings = append(c.Run.Warnings, text)
	}
	c.Progress.Say("warning: %s", text)
}

// carryOut makes the trials of one experiment that are left, of a run that began
// to measure then.
func (c *Campaign) carryOut(ctx context.Context, m Maker, e experiment.Experiment, begun time.Time) error {
	plan, err := c.plan(e)
	if err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		job, ok, err := plan.Next(c.Trials)
		if err != nil || !ok {
			return err
		}
		if c.Limit > 0 && c.Now().Sub(begun) >= c.Limit {
			return errLate
		}
		if job.Block > 0 {
			if err := c.predict(e); err != nil {
				return err
			}
		}
		left, seconds := c.Left()
		c.Progress.step(job.Spec.String(), len(c.Trials)+1, len(c.Trials)+left, seconds)
		t, err := c.make(ctx, m, plan, job)
		if werr := c.Folder.WriteTrial(t); werr != nil {
			return errors.Join(err, werr)
		}
		c.Trials = append(c.Trials, t)
		c.Progress.finished(job.Seconds())
		if err != nil {
			return err
		}
		if !experiment.Answers([]trial.Trial{t}, plan.Needs) {
			c.Progress.Say("in doubt, attempt %d: %s: %s", t.Attempt, t.Spec, strings.Join(t.Remarks(), "; "))
		}
	}
}

// predict writes down what an experiment's calibration trials predict, once and
// before the first trial that can check it: one that is resumed keeps what it has.
func (c *Campaign) predict(e experiment.Experiment) error {
	var calibration []trial.Trial
	for _, t := range c.Trials {
		switch {
		case t.Spec.Experiment != e.Name:
		case t.Block > 0:
			return nil
		case t.Status == trial.OK:
			calibration = append(calibration, t)
		}
	}
	if e.Predict == nil || slices.ContainsFunc(c.Run.Predictions, func(p trial.Prediction) bool { return p.Experiment == e.Name }) {
		return nil
	}
	c.Run.Predictions = append(c.Run.Predictions, e.Predict(calibration)...)
	return c.Folder.WriteRun(c.Run)
}

// make makes one trial. One that is interrupted or fails is aborted: kept for
// the reader, and made again by whoever resumes.
func (c *Campaign) make(ctx context.Context, m Maker, plan *experiment.Plan, job experiment.Job) (t trial.Trial, err error) {
	order := 1
	if n := len(c.Trials); n > 0 {
		order = c.Trials[n-1].Order + 1 // not n+1: a damaged trial may have been deleted
	}
	started, begun := c.Now(), time.Now()
	t = trial.Trial{Key: job.Spec.Key(job.Block, job.Attempt), Spec: job.Spec, Block: job.Block, Attempt: job.Attempt,
		Order: order, Status: trial.OK, Started: started.UTC()}
	made, err := m.Make(ctx, job.Spec, plan.Order(job), c.Run.Seed+uint64(order))
	elapsed := time.Since(begun) // by the monotonic clock, which nobody sets
	t.Steps, t.Doubts, t.Warnings, t.Seconds = made.Steps, made.Doubts, made.Warnings, elapsed.Seconds()
	// A wall clock that was set, or a machine that slept, falsifies what expires by it.
	if jump := (c.Now().Round(0).Sub(started.Round(0)) - elapsed).Abs(); jump > clockJumpBound {
		t.Doubt(trial.Doubt{Cause: clockStep, Amount: jump.Seconds(), Bound: clockJumpBound.Seconds(), Unit: "s",
			Spoils: []trial.Aspect{trial.WallClock},
			Text:   fmt.Sprintf("the clock jumped by %v", jump.Round(time.Millisecond))})
	}
	if err != nil {
		t.Status = trial.Aborted
		t.Warn("%v", err)
		err = fmt.Errorf("%s (block %d): %w", job.Spec, job.Block, err)
	}
	return t, err
}

// plan is an experiment's, made when it is first asked for.
func (c *Campaign) plan(e experiment.Experiment) (*experiment.Plan, error) {
	if c.plans[e.Name] == nil {
		needs, err := analysis.Needs(e.Rules)
		if err != nil {
			return nil, err
		}
		if c.plans == nil {
			c.plans = map[string]*experiment.Plan{}
		}
		c.plans[e.Name] = &experiment.Plan{Experiment: e, Seed: c.Run.Seed, Needs: needs}
	}
	return c.plans[e.Name], nil
}

// Left counts what the whole run still has to do, and its estimated seconds.
func (c *Campaign) Left() (n int, seconds float64) {
	for _, e := range c.Experiments {
		if p, err := c.plan(e); err == nil && !slices.Contains(c.skipped, e.Name) {
			jobs, s := p.Left(c.Trials)
			n += jobs
			seconds += s
		}
	}
	return n, seconds
}

// Jobs lists what an experiment still has to do.
func (c *Campaign) Jobs(e experiment.Experiment) []experiment.Job {
	p, err := c.plan(e)
	if err != nil {
		return nil
	}
	return p.Jobs(c.Trials)
}
