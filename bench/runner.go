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

	"authbench/bench/analysis"
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
	plans       map[string]*experiment.Plan // by experiment
	noGoBench   bool
	skipped     []string // experiments that cannot be done here
	progress    *progress
	unlock      func() // lets the folder go; nil where nothing is measured
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
	r.profile, r.folder = p, trial.Folder(o.out)
	if err := r.take(o.dryRun); err != nil {
		return err
	}
	name, err := filepath.Abs(o.out) // "." has a name too
	if err != nil {
		return err
	}
	r.run = trial.Run{Name: filepath.Base(name), Profile: p.Name, Runtime: o.runtime, Settings: settings, Seed: o.seed, Started: started,
		Status: "running", Commit: commit, Command: o.repeat(), DoubtRules: doubtRules()}
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

// take makes the folder of a new run ours, and sees to it that it holds none.
func (r *runner) take(dryRun bool) (err error) {
	if info, err := os.Stat(string(r.folder)); err == nil && !info.IsDir() {
		return usage(fmt.Errorf("--out %s is a file: name a folder, which is made if it is not there", r.folder))
	}
	if !dryRun {
		if r.unlock, err = r.folder.Lock(); err != nil {
			return err
		}
	}
	if _, err := os.Stat(r.folder.Path("run.json")); err == nil {
		return usage(fmt.Errorf("%s holds a run already: name another folder, or go on with that run by %s", r.folder, r.goOn()))
	}
	if _, err := os.Stat(r.folder.Path("trials")); err == nil {
		return usage(fmt.Errorf("%s holds trials whose run.json is gone: name another folder", r.folder))
	}
	return nil
}

// goOn is the command that takes the run up again.
func (r *runner) goOn() string {
	return trial.Shell("bin/authbench", "run", "--resume", string(r.folder))
}

// resume takes up a run with the settings and rules that its manifest holds.
func (r *runner) resume(dir string, dryRun bool) (err error) {
	r.folder = trial.Folder(dir)
	if _, err := r.folder.ReadRun(); err != nil { // before anything is written into what may be no run's folder
		return err
	}
	if !dryRun {
		if r.unlock, err = r.folder.Lock(); err != nil {
			return err
		}
	}
	if r.run, r.trials, err = r.folder.Read(); err != nil { // now that nobody adds to it
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
			err = fmt.Errorf("%w: what was measured is in %s; go on with: %s", err, r.folder, r.goOn())
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
	plan := r.plan(e)
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
		order := 1
		if n := len(r.trials); n > 0 {
			order = r.trials[n-1].Order + 1 // not n+1: a damaged trial may have been deleted
		}
		t, err := c.conduct(ctx, plan, job, order)
		if werr := r.folder.WriteTrial(t); werr != nil {
			return errors.Join(err, werr)
		}
		r.trials = append(r.trials, t)
		r.progress.finished(job.Seconds())
		if err != nil {
			return err
		}
		if !experiment.Answers([]trial.Trial{t}, plan.Needs) {
			r.progress.say("in doubt, attempt %d: %s: %s", t.Attempt, t.Spec, strings.Join(t.Remarks(), "; "))
		}
	}
}

// plan is an experiment's, made when it is first asked for.
func (r *runner) plan(e experiment.Experiment) *experiment.Plan {
	if r.plans[e.Name] == nil {
		needs, err := analysis.Needs(e.Rules)
		if err != nil {
			panic(fmt.Sprintf("authbench: rules that were never checked: %v", err))
		}
		if r.plans == nil {
			r.plans = map[string]*experiment.Plan{}
		}
		r.plans[e.Name] = &experiment.Plan{Experiment: e, Seed: r.run.Seed, Needs: needs}
	}
	return r.plans[e.Name]
}

// left counts what the whole run still has to do, and its estimated seconds.
func (r *runner) left() (n int, seconds float64) {
	for _, e := range r.experiments {
		if slices.Contains(r.skipped, e.Name) {
			continue
		}
		jobs, s := r.plan(e).Left(r.trials)
		n += jobs
		seconds += s
	}
	return n, seconds
}
