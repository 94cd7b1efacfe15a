package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"authbench/bench/campaign"
	"authbench/bench/experiment"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// runOptions are the flags of authbench run.
type runOptions struct {
	profile     string
	config      string
	experiments []string
	claims      []string
	runtime     string
	out         string
	resume      string
	seed        uint64
	dryRun      bool
	printConfig bool
	noGoBench   bool
}

func runCommand(stdout, stderr io.Writer) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Measure: start everything, load it, judge the claims, write the report",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range []string{"profile", "config", "experiments", "claim", "runtime", "out", "seed", "print-config"} {
				if o.resume != "" && c.Flags().Changed(name) {
					return usage(fmt.Errorf("--%s does not go with --resume: a run goes on with its own settings", name))
				}
			}
			if o.printConfig {
				return printConfig(stdout, o)
			}
			return runRun(c.Context(), o, stdout, stderr)
		},
	}
	f := c.Flags()
	f.StringVar(&o.profile, "profile", "standard", "how thoroughly: smoke, standard or full")
	f.StringVar(&o.config, "config", "", "YAML file with settings that override the profile's (see --print-config)")
	f.StringSliceVar(&o.experiments, "experiments", nil, "only these, comma separated: "+experiment.Names())
	f.StringSliceVar(&o.claims, "claim", nil,
		"only what these need, comma separated, such as C10,C23 (see authbench list claims); no micro-benchmarks")
	f.StringVar(&o.runtime, "runtime", stack.KindAuto,
		"how the system is started: native (processes), compose (containers), or auto: native where its programs are here")
	f.StringVar(&o.out, "out", "", "the run's folder (default: results/<time>-<profile>)")
	f.StringVar(&o.resume, "resume", "", "go on with the run in this folder: only what is not done is measured, with the run's own settings")
	f.Uint64Var(&o.seed, "seed", 0, "random seed for cell order and arrival times (0: pick one and record it)")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the cells and the minutes they take, start nothing")
	f.BoolVar(&o.printConfig, "print-config", false, "print the settings as a file for --config, start nothing")
	f.BoolVar(&o.noGoBench, "no-go-bench", false, "leave out the Go micro-benchmarks")
	return c
}

// question is what the command line asks for, checked; why says how an open
// choice of the runtime was settled.
func (o *runOptions) question() (p experiment.Profile, es []experiment.Experiment, why string, err error) {
	if p, err = experiment.ParseProfile(o.profile); err != nil {
		return p, nil, "", usage(err)
	}
	if o.config != "" {
		if err := p.Override(o.config); err != nil {
			return p, nil, "", usage(err)
		}
	}
	if _, err := stack.ParseKind(o.runtime); err != nil {
		return p, nil, "", usage(err)
	}
	if o.runtime, why, err = chooseRuntime(o.runtime); err != nil {
		return p, nil, "", err
	}
	if !stack.SeesSources(o.runtime) {
		p.StickyBalancers = slices.DeleteFunc(slices.Clone(p.StickyBalancers), func(b trial.Balancer) bool { return b == trial.IPHash })
	}
	if !stack.Proxies(o.runtime) {
		p.OutageFaults = slices.DeleteFunc(slices.Clone(p.OutageFaults), func(f string) bool { return slices.Contains(experiment.LinkFaults, f) })
	}
	if es, err = experiment.Choose(experiment.All(p), o.experiments); err == nil {
		es, err = experiment.Narrow(es, o.claims)
	}
	return p, es, why, usage(err)
}

func runRun(ctx context.Context, o runOptions, stdout, stderr io.Writer) error {
	project, err := projectDir()
	if err != nil {
		return err
	}
	r := &runner{project: project, noGoBench: o.noGoBench}
	r.Progress, r.Now = campaign.NewProgress(stderr, time.Now), time.Now
	defer func() {
		if r.unlock != nil {
			r.unlock()
		}
	}()
	if o.resume != "" {
		err = r.resume(o.resume, o.dryRun)
	} else {
		err = r.begin(o)
	}
	if err != nil {
		return err
	}
	if o.dryRun {
		return printPlan(stdout, r)
	}
	err = r.measure(ctx)
	r.Progress.Clear()
	if len(r.Trials) == 0 {
		if err == nil {
			err = errors.New("nothing was measured, for the reasons given above")
		}
		return err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return err // nor is there room for a report
	}
	// What was measured is shown, even after an interruption.
	return errors.Join(err, writeReport(r.Folder, stdout))
}

// printConfig prints what a run would be set to, as --config reads it.
func printConfig(w io.Writer, o runOptions) error {
	p, _, _, err := o.question()
	if err != nil {
		return err
	}
	b, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	_, err = fmt.Fprintf(w, "# profile %s\n%s", p.Name, b)
	return err
}

// printPlan lists the cells of every experiment and how long they take.
func printPlan(w io.Writer, r *runner) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "EXPERIMENT\tCELL\tBLOCKS\tMINUTES")
	total := 0.0
	for _, e := range r.Experiments {
		type row struct {
			jobs    int
			seconds float64
		}
		rows, order := map[string]*row{}, []string{}
		for _, j := range r.Jobs(e) {
			cell := j.Spec.Words()
			if j.Block == 0 {
				cell = "calibration: " + cell
			}
			if rows[cell] == nil {
				rows[cell] = &row{}
				order = append(order, cell)
			}
			rows[cell].jobs++
			rows[cell].seconds += j.Seconds()
		}
		for _, cell := range order {
			r := rows[cell]
			fmt.Fprintf(tw, "%s\t%s\t%d\t%.1f\n", e.Name, cell, r.jobs, r.seconds/60)
			total += r.seconds
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	and := ", and the Go micro-benchmarks"
	if !r.benches() {
		and = ""
	}
	_, err := fmt.Fprintf(w, "\nprofile %s: about %.0f minutes%s\n", r.Run.Profile, total/60, and)
	return err
}

// repeat is the command that makes the same run again.
func (o runOptions) repeat() []string {
	cmd := []string{"bin/authbench", "run", "--profile", o.profile, "--seed", strconv.FormatUint(o.seed, 10)}
	if o.config != "" {
		cmd = append(cmd, "--config", o.config)
	}
	cmd = append(cmd, "--runtime", o.runtime)
	if len(o.experiments) > 0 {
		cmd = append(cmd, "--experiments", strings.Join(o.experiments, ","))
	}
	if len(o.claims) > 0 {
		cmd = append(cmd, "--claim", strings.Join(o.claims, ","))
	}
	return cmd
}
