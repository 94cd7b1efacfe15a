package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"authbench/bench/campaign"
	"authbench/bench/experiment"
	"authbench/bench/fault"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// runner is a campaign as the command line asks for it.
type runner struct {
	campaign.Campaign
	project   string
	profile   experiment.Profile
	noGoBench bool
	unlock    func() // lets the folder go; nil where nothing is measured
	once      bool   // is not resumed
	watch     campaign.Watcher
	noting    sync.Mutex // systems that start side by side note side by side
}

// begin prepares a new run from the command line.
func (r *runner) begin(o runOptions) error {
	p, experiments, why, err := o.question()
	if err != nil {
		return err
	}
	if why != "" && !o.dryRun {
		r.Progress.Say("%s", why)
	}
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
	r.profile, r.Folder = p, trial.Folder(o.out)
	if err := r.take(o.dryRun); err != nil {
		return err
	}
	name, err := filepath.Abs(o.out) // "." has a name too
	if err != nil {
		return err
	}
	r.Run = trial.Run{Name: filepath.Base(name), Profile: p.Name, Runtime: o.runtime, Settings: settings, Seed: o.seed, Started: started,
		Status: "running", Commit: commit, Command: o.repeat(), Claims: o.claims}
	asks := func(name string) bool {
		return slices.ContainsFunc(experiments, func(e experiment.Experiment) bool { return e.Name == name })
	}
	if asks("sticky") && !stack.SeesSources(o.runtime) {
		r.Run.Warnings = append(r.Run.Warnings, "ip_hash was left out of the experiment sticky: "+stack.NoSources)
	}
	if asks("outage") && !stack.Proxies(o.runtime) {
		r.Run.Warnings = append(r.Run.Warnings, "the faults slow and cut are left out of the experiment outage: "+stack.NoProxies)
	}
	r.Ask(experiments)
	r.CheckFault = func(f trial.Fault) error { _, err := fault.Open(f); return err }
	return r.Check()
}

// atOnce prepares a run of experiments of its own, which is not resumed: its
// profile says what it is.
func atOnce(profile, out, runtime string, settings any, command []string, stderr io.Writer, experiments ...experiment.Experiment) (
	*runner, error) {
	project, err := projectDir()
	if err != nil {
		return nil, err
	}
	started := time.Now().UTC()
	if out == "" {
		out = filepath.Join(project, "results", profile+"-"+started.Format("2006-01-02T150405"))
	}
	r := &runner{project: project, once: true}
	r.Progress, r.Now, r.Folder = campaign.NewProgress(stderr, time.Now), time.Now, trial.Folder(out)
	if err := r.take(false); err != nil {
		return nil, err
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	r.Run = trial.Run{Name: filepath.Base(out), Profile: profile, Runtime: runtime, Settings: text, Seed: rand.Uint64(),
		Started: started, Status: "running", Commit: commit, Command: command}
	r.Ask(experiments)
	return r, r.Check()
}

// take makes the folder of a new run ours, and sees to it that it holds none.
func (r *runner) take(dryRun bool) (err error) {
	if info, err := os.Stat(string(r.Folder)); err == nil && !info.IsDir() {
		return usage(fmt.Errorf("--out %s is a file: name a folder, which is made if it is not there", r.Folder))
	}
	if !dryRun {
		if r.unlock, err = r.Folder.Lock(); err != nil {
			return err
		}
	}
	if _, err := os.Stat(r.Folder.Path("run.json")); err == nil {
		or := ", or go on with that run by " + r.goOn()
		if r.once {
			or = ""
		}
		return usage(fmt.Errorf("%s holds a run already: name another folder%s", r.Folder, or))
	}
	if _, err := os.Stat(r.Folder.Path("trials")); err == nil {
		return usage(fmt.Errorf("%s holds trials whose run.json is gone: name another folder", r.Folder))
	}
	return nil
}

// goOn is the command that takes the run up again.
func (r *runner) goOn() string {
	return trial.Shell("bin/authbench", "run", "--resume", string(r.Folder))
}

// resume takes up a run with the settings and rules that its manifest holds.
func (r *runner) resume(dir string, dryRun bool) (err error) {
	r.Folder = trial.Folder(dir)
	if _, err := r.Folder.ReadRun(); err != nil { // before anything is written into what may be no run's folder
		return err
	}
	if !dryRun {
		if r.unlock, err = r.Folder.Lock(); err != nil {
			return err
		}
	}
	if r.Run, r.Trials, err = r.Folder.Read(); err != nil { // now that nobody adds to it
		return err
	}
	if r.Run.Profile == trial.Chaos {
		return usage(fmt.Errorf("%s is of authbench chaos, which is not resumed: %s does the same again", dir, trial.Shell(r.Run.Command...)))
	}
	if err := json.Unmarshal(r.Run.Settings, &r.profile); err != nil {
		return fmt.Errorf("%s: settings in run.json: %w", dir, err)
	}
	r.profile.Name = r.Run.Profile
	if r.Experiments, err = experiment.Choose(experiment.All(r.profile), r.Run.Experiments); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if r.Experiments, err = experiment.Narrow(r.Experiments, r.Run.Claims); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	var hashes []string
	for _, e := range r.Experiments {
		for _, rule := range e.Rules {
			hashes = append(hashes, rule.Hash())
		}
	}
	if strings.Join(hashes, " ") != strings.Join(r.Run.RuleHashes, " ") {
		return fmt.Errorf("%s was begun with other rules than this build of authbench has: resume it with the build of commit %s",
			dir, r.Run.Commit)
	}
	if r.Run.Commit != commit {
		r.Run.Warnings = append(r.Run.Warnings, fmt.Sprintf("resumed with the build of commit %s", commit))
	}
	r.Run.Status, r.Run.Failure = "running", ""
	return nil
}

// measure makes all trials that are left, and the Go micro-benchmarks.
func (r *runner) measure(ctx context.Context) error {
	after := func(ctx context.Context, m campaign.Maker) error {
		return r.goBench(ctx, m.(*campaign.Conductor).House.(house).ledger)
	}
	if !r.benches() {
		after = nil
	}
	r.Limit = time.Duration(r.profile.MinutesAtMost * float64(time.Minute))
	err := r.Measure(ctx, r.open, after)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: what was measured is in %s; go on with: %s", err, r.Folder, r.goOn())
	}
	if full := (*fs.PathError)(nil); errors.As(err, &full) && errors.Is(full, syscall.ENOSPC) && len(r.Trials) > 0 {
		// Once, for all that failed then.
		err = fmt.Errorf("%w: what was measured is in %s; make room and go on with: %s", full, r.Folder, r.goOn())
	}
	if err == nil && r.Run.Status == "interrupted" {
		r.Progress.Say("go on with: %s", r.goOn())
	}
	return err
}

// benches says whether Go micro-benchmarks end the run: no claim rests on them.
func (r *runner) benches() bool { return !r.noGoBench && len(r.Run.Claims) == 0 }

// note writes PostgreSQL's settings into the manifest as soon as they are known.
// A resumed run may find others than those it began with.
func (r *runner) note(settings map[string]string) error {
	r.noting.Lock()
	defer r.noting.Unlock()
	if settings == nil || maps.Equal(settings, r.Run.PostgreSQL) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.Run.PostgreSQL)) {
		if before, now := r.Run.PostgreSQL[name], settings[name]; before != now {
			r.Warn("PostgreSQL runs with %s=%q; trials before this were made with %q", name, now, before)
		}
	}
	r.Run.PostgreSQL = settings
	return r.Folder.WriteRun(r.Run)
}
