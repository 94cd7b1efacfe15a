package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"authbench/bench/analysis"
	"authbench/bench/report"
	"authbench/bench/trial"
)

const despiteFlag = "despite-differences"

// failOn is what makes a comparison end with status 1.
type failOn string

// outcomes are those that fail; none where nothing was asked for.
func (f failOn) outcomes() []analysis.Outcome {
	switch f {
	case "regression":
		return []analysis.Outcome{analysis.Regression}
	case "any-change":
		return []analysis.Outcome{analysis.Regression, analysis.Improvement}
	}
	return nil
}

func (f *failOn) String() string { return string(*f) }
func (f *failOn) Type() string   { return "what" }

func (f *failOn) Set(s string) error {
	if failOn(s).outcomes() == nil {
		return errors.New("want regression or any-change")
	}
	*f = failOn(s)
	return nil
}

// share is a part of 1, given as 5% or 0.05.
type share float64

func (s *share) String() string { return strconv.FormatFloat(float64(*s)*100, 'g', 6, 64) + "%" }
func (s *share) Type() string   { return "share" }

func (s *share) Set(text string) error {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if isPercent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v < 1) {
		return errors.New("want a share from 0% to less than 100%, such as 5% or 0.05")
	}
	*s = share(v)
	return nil
}

func compareCommand(stdout io.Writer) *cobra.Command {
	var fail failOn
	minEffect := share(0.05)
	var despite, all, benchstat bool
	var out string
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "Say what changed from run A to run B, and whether it is worse",
		Long: `Say what changed from run A to run B: every arm, step and metric that both have, with a 95 % interval.

What stood beside a control is compared by its ratio to it, so that a slower machine cancels; other figures block by
block; store operations, bytes and lost sessions exactly. Runs of unlike machines, loads or versions are refused.

Status 0: compared. 1: what --fail-on names came about. 2: the runs could not be compared.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, b := trial.Folder(args[0]), trial.Folder(args[1])
			found, err := report.NewComparison(a, b, float64(minEffect))
			if err == nil && !despite {
				err = found.Refusal("--" + despiteFlag)
			}
			var shown bytes.Buffer // whole, or nothing
			if err == nil {
				err = found.Terminal(&shown, terminalWidth(stdout), all)
			}
			if err == nil && benchstat {
				err = showBenchstat(cmd.Context(), &shown, a, b)
			}
			if err == nil && out != "" {
				err = found.WritePage(trial.Folder(out))
				fmt.Fprintf(&shown, "\n%s\n", filepath.Join(out, report.ComparisonPage))
			}
			if err == nil {
				_, err = shown.WriteTo(stdout)
			}
			if err != nil { // status 1 says what was found, and nothing else
				return usage(fmt.Errorf("compare: %w", err))
			}
			if failed := found.Failed(fail.outcomes()...); failed != "" {
				return fmt.Errorf("compare: %s", failed)
			}
			return nil
		},
	}
	f := c.Flags()
	f.Var(&fail, "fail-on", "end with status 1 on this: regression, or any-change")
	f.Var(&minEffect, "min-effect", "the smallest effect that counts; a smaller one is never a regression")
	f.BoolVar(&all, "all", false, "show what did not change, too")
	f.StringVar(&out, "out", "", "write "+report.ComparisonPage+" into this folder: both runs in each chart, and every figure")
	f.BoolVar(&despite, despiteFlag, false, "compare runs of unlike machines, loads or versions, and say in what they differ")
	f.BoolVar(&benchstat, "benchstat", false, "show benchstat's table of both bench.txt, too, Go micro-benchmarks included")
	return c
}

func showBenchstat(ctx context.Context, shown *bytes.Buffer, a, b trial.Folder) error {
	bin, err := binDir()
	if err != nil {
		return err
	}
	shown.WriteByte('\n')
	return report.Benchstat(ctx, shown, filepath.Join(bin, "benchstat"), a, b)
}
