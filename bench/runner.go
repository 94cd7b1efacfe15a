package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"authbench/bench/experiment"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// runner carries a run from its manifest to its last trial. Trials are kept the
// moment they are made, so a run that ends early has all it measured and can be
// resumed.
type runner struct {
	project     string
	folder      trial.Folder
	run         trial.Run
	profile     experiment.Profile
	experiments []experiment.Experiment
	trials      []trial.Trial
	noGoBench   bool
	skipped     []string // experiments that cannot be done here
	progress    *progress
}

// begin prepares a new run from the command line.
func (r *runner) begin(o runOptions) error {
	p, experiments, why, err := o.question()
	if err != nil {
		return err
	}
	if why != "" && !o.dryRun {
		r.progress.say("%s", why)
	}
	r.experiments = experiments
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	settings, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	started := time.Now().UTC()
	if o.out == "" {
		o.out = filepath.Join(r.project, "results", started.Format("2006-01-02T150405")+"-"+p.Name)
	}
	if _, err := os.Stat(filepath.Join(o.out, "run.json")); err == nil {
		return usage(fmt.Errorf("%s holds a run already: name another folder, or go on with that run by --resume %s", o.out, o.out))
	}
	r.profile, r.folder = p, trial.Folder(o.out)
	r.run = trial.Run{Name: filepath.Base(o.out), Profile: p.Name, Runtime: o.runtime, Settings: settings, Seed: o.seed, Started: started,
		Status: "running", Commit: commit, Command: o.repeat()}
	asksBalancers := slices.ContainsFunc(r.experiments, func(e experiment.Experiment) bool { return e.Name == "sticky" })
	if asksBalancers && !stack.SeesSources(o.runtime) {
		r.run.Warnings = append(r.run.Warnings, "ip_hash was left out of the experiment sticky: "+stack.NoSources)
	}
	for _, e := range r.experiments {
		r.run.Experiments = append(r.run.Experiments, e.Name)
		for _, rule := range e.Rules {
			r.run.Rules = append(r.run.Rules, rule)
			r.run.RuleHashes = append(r.run.RuleHashes, rule.Hash())
		}
	}
	return nil
}

// resume takes up a run with the settings and rules that its manifest holds.
func (r *runner) resume(dir string) (err error) {
	r.folder = trial.Folder(dir)
	if r.run, err = r.folder.ReadRun(); err != nil {
		return err
	}
	if r.trials, err = r.folder.Trials(); err != nil {
		return err
	}
	if err := json.Unmarshal(r.run.Settings, &r.profile); err != nil {
		return fmt.Errorf("%s: settings in run.json: %w", dir, err)
	}
	r.profile.Name = r.run.Profile
	if r.experiments, err = experiment.Choose(experiment.All(r.profile), r.run.Experiments); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	var hashes []string
	for _, e := range r.experiments {
		for _, rule := range e.Rules {
			hashes = append(hashes, rule.Hash())
		}
	}
	if strings.Join(hashes, " ") != strings.Join(r.run.RuleHashes, " ") {
		return fmt.Errorf("%s was begun with other rules than this build of authbench has: resume it with the build of commit %s", dir, r.run.Commit)
	}
	if r.run.Commit != commit {
		r.run.Warnings = append(r.run.Warnings, fmt.Sprintf("resumed with the build of commit %s", commit))
	}
	r.run.Status, r.run.Failure = "running", ""
	return nil
}

// measure makes all trials that are left and writes down how the run ended.
func (r *runner) measure(ctx context.Context) (err error) {
	if err := r.folder.WriteRun(r.run); err != nil { // rules first: before anything is measured
		return err
	}
	defer func() {
		r.run.Ended = time.Now().UTC()
		switch {
		case err == nil:
			r.run.Status = "complete"
		case ctx.Err() != nil:
			r.run.Status = "interrupted"
			err = fmt.Errorf("%w: what was measured is in %s; go on with: bin/authbench run --resume %s", err, r.folder, r.folder)
		default:
			r.run.Status, r.run.Failure = "failed", err.Error()
		}
		err = errors.Join(err, r.folder.WriteRun(r.run))
	}()
	c, err := newConductor(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := r.folder.WriteRun(r.run); err != nil { // now with machine and software
		return err
	}
	for _, e := range r.experiments {
		if e.NeedsBudgets && !c.runtime.Capabilities().Budgets {
			r.skipped = append(r.skipped, e.Name)
			r.warn("%s is skipped: it needs CPU budgets (cgroups), which cannot be made here", e.Name)
			continue
		}
		if err := r.carryOut(ctx, c, e); err != nil {
			return err
		}
	}
	if r.noGoBench {
		return nil
	}
	return r.goBench(ctx, c.ledger)
}

func (r *runner) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.run.Warnings, text) { // a resumed run has met it before
		r.run.Warnings = append(r.run.Warnings, text)
	}
	r.progress.say("warning: %s", text)
}

// carryOut makes the trials of one experiment that are left.
func (r *runner) carryOut(ctx context.Context, c *conductor, e experiment.Experiment) error {
	plan := experiment.Plan{Experiment: e, Seed: r.run.Seed}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		job, ok, err := plan.Next(r.trials)
		if err != nil || !ok {
			return err
		}
		left, seconds := r.left()
		r.progress.step(job.Spec.String(), len(r.trials)+1, len(r.trials)+left, seconds)
		t, err := c.conduct(ctx, plan, job, len(r.trials)+1)
		if werr := r.folder.WriteTrial(t); werr != nil {
			return errors.Join(err, werr)
		}
		r.trials = append(r.trials, t)
		r.progress.finished(job.Seconds())
		if err != nil {
			return err
		}
		if t.Status == trial.Invalid {
			r.progress.say("invalid, attempt %d: %s: %s", t.Attempt, t.Spec, strings.Join(t.Warnings, "; "))
		}
	}
}

// left counts what the whole run still has to do, and its estimated seconds.
func (r *runner) left() (n int, seconds float64) {
	for _, e := range r.experiments {
		if slices.Contains(r.skipped, e.Name) {
			continue
		}
		for _, j := range (experiment.Plan{Experiment: e, Seed: r.run.Seed}).Left(r.trials) {
			n++
			seconds += j.Seconds()
		}
	}
	return n, seconds
}
