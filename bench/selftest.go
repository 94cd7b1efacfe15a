package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"authbench/bench/campaign"
	"authbench/bench/experiment"
	"authbench/bench/rivals"
	"authbench/bench/selftest"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// selfTestOptions are the flags of authbench selftest.
type selfTestOptions struct {
	quick   bool
	only    []string
	out     string
	runtime string
	json    bool
}

func selfTestCommand(stdout, stderr io.Writer) *cobra.Command {
	var o selfTestOptions
	parts := strings.Join(selftest.Parts(), ", ")
	c := &cobra.Command{
		Use:   "selftest",
		Short: "Test the instrument on itself: identical systems, known differences, disturbance, repeats",
		Long: "Test the instrument on itself, in about eight minutes:\n\n" +
			"  aa           identical systems side by side: what they seem to differ by, and how often an interval says that they do\n" +
			"  sensitivity  one of two equal systems burns 20, 10 or 5 % more CPU a request: how often that is found\n" +
			"  burner       both once more while a process of ours takes 30 and 60 % of the system's CPUs\n" +
			"  repeat       a small set of duets at the beginning and at the end: do both say the same\n" +
			"  driver       the load driver against wrk, vegeta and k6 on one target\n\n" +
			"The exit status is 0 if all checks that can be made here are passed, else 1.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, part := range o.only {
				if !slices.Contains(selftest.Parts(), part) {
					return usage(fmt.Errorf("unknown part %q: want some of %s", part, parts))
				}
			}
			if _, err := stack.ParseKind(o.runtime); err != nil {
				return usage(err)
			}
			return runSelfTest(c.Context(), o, stdout, stderr)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.quick, "quick", false, "about a minute: few starts, which show that it works and prove little")
	f.StringSliceVar(&o.only, "only", nil, "only these parts, comma separated: "+parts)
	f.StringVar(&o.out, "out", "", "the folder of its trials (default: results/selftest-<time>)")
	f.StringVar(&o.runtime, "runtime", stack.KindAuto, "native, compose or auto, as for run")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// burnCommand is the burner of a self-test: this program, as a process of its own.
func burnCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "burn PERCENT",
		Short:  "Keep the CPUs that this process may use busy for a share of the time, until it is ended",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			level, err := strconv.Atoi(args[0])
			if err != nil {
				return usage(fmt.Errorf("%q: want a percentage", args[0]))
			}
			return selftest.Burn(c.Context(), level)
		},
	}
}

// settings are the form and the parts that are asked for.
func (o selfTestOptions) settings() (s experiment.SelfTest, parts []string) {
	s, parts = experiment.FullSelfTest(), selftest.Parts()
	if o.quick {
		s = experiment.QuickSelfTest()
	}
	if len(o.only) > 0 {
		parts = slices.DeleteFunc(parts, func(p string) bool { return !slices.Contains(o.only, p) })
	}
	return s, parts
}

// command is the command line that makes the same self-test again.
func (o selfTestOptions) command() []string {
	cmd := []string{"bin/authbench", "selftest", "--runtime", o.runtime}
	if o.quick {
		cmd = append(cmd, "--quick")
	}
	if len(o.only) > 0 {
		cmd = append(cmd, "--only", strings.Join(o.only, ","))
	}
	return cmd
}

func runSelfTest(ctx context.Context, o selfTestOptions, stdout, stderr io.Writer) (err error) {
	s, parts := o.settings()
	m, err := divideCPUs()
	if err != nil {
		return err
	}
	result := selftest.Result{Quick: o.quick}
	if m.warning != "" {
		for _, part := range parts {
			result.Add(selftest.Missing(part, fmt.Sprintf("there is one CPU (%s), which generator and system would share", m.system)))
		}
		return o.show(result, stdout)
	}
	r, err := o.begin(s, parts, stderr)
	if err != nil {
		return err
	}
	defer r.unlock()
	result.Folder = string(r.Folder)
	driver, err := o.driver(ctx, r, parts) // before the generator is bound to its CPUs
	if err != nil {
		return err
	}
	if len(r.Experiments) > 0 {
		err := r.Measure(ctx, r.burning, nil)
		r.Progress.Clear()
		if err != nil {
			return fmt.Errorf("%w: what was measured is in %s", err, r.Folder)
		}
	}
	result.Take(s, parts, r.Trials)
	result.Add(driver...)
	var b bytes.Buffer
	if err := errors.Join(result.WriteJSON(&b), r.Folder.WriteFile("selftest.json", b.Bytes())); err != nil {
		return err
	}
	return o.show(result, stdout)
}

// show prints the result; the error says that the instrument was not proved.
func (o selfTestOptions) show(r selftest.Result, stdout io.Writer) error {
	write := r.WriteText
	if o.json {
		write = r.WriteJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	if !r.Passed {
		return errors.New("the self-test was not passed")
	}
	return nil
}

// begin prepares the folder and the trials.
func (o selfTestOptions) begin(s experiment.SelfTest, parts []string, stderr io.Writer) (*runner, error) {
	kind, why, err := chooseRuntime(o.runtime)
	if err != nil {
		return nil, err
	}
	r, err := atOnce(trial.SelfTest, o.out, kind, s, o.command(), stderr,
		slices.DeleteFunc(s.Experiments(), func(e experiment.Experiment) bool { return !slices.Contains(parts, selftest.Of(e.Name)) })...)
	if err == nil && why != "" {
		r.Progress.Say("%s", why)
	}
	return r, err
}

// burning opens what makes the trials, with the burner.
func (r *runner) burning(ctx context.Context) (campaign.Maker, error) {
	m, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	h := m.(*campaign.Conductor).House.(house)
	return selftest.Burning{Maker: m, Program: program, CPUs: h.system, Ledger: h.ledger}, err
}

// driver sets the load driver beside the others, in one short round.
func (o selfTestOptions) driver(ctx context.Context, r *runner, parts []string) ([]selftest.Check, error) {
	switch {
	case !slices.Contains(parts, selftest.Driver):
		return nil, nil
	case o.quick && len(o.only) == 0:
		return []selftest.Check{selftest.Missing(selftest.Driver, "left out of the quick form: see make bench-load")}, nil
	}
	bin, err := binDir()
	if err != nil {
		return nil, err
	}
	r.Progress.Say("the load driver beside wrk, vegeta and k6: most of a minute")
	var table bytes.Buffer
	outcome, err := rivals.Run(ctx, &table, rivals.Settings{Bin: bin, Rounds: 1, Seconds: 2})
	switch {
	case errors.Is(err, rivals.ErrMissing):
		return []selftest.Check{selftest.Missing(selftest.Driver, err.Error())}, nil
	case err != nil:
		return nil, fmt.Errorf("the load driver beside others: %w", err)
	}
	var checks []selftest.Check
	for _, b := range outcome.Bounds {
		checks = append(checks, selftest.Held(selftest.Driver, "our load driver", b.What, b.Value, b.Most, b.Unit, outcome.Disturbed))
	}
	return checks, r.Folder.WriteFile("driver.txt", table.Bytes())
}
