package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"authbench/bench/analysis"
	"authbench/bench/report"
	"authbench/bench/trial"
)

func reportCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "report RUN",
		Short: "Make charts, tables and the page of a run anew, from its folder alone",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return writeReport(trial.Folder(args[0]), stdout)
		},
	}
}

// reportMemory is what a report takes at most, in bytes, if that is enough for what it shows.
const reportMemory = 450 << 20

// writeReport derives everything that is shown from what was measured.
func writeReport(folder trial.Folder, stdout io.Writer) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(reportMemory))
	run, trials, err := folder.Read()
	if err != nil {
		return err
	}
	if len(trials) == 0 {
		return fmt.Errorf("%s holds no trial: nothing was measured yet; go on with: %s",
			folder, trial.Shell("bin/authbench", "run", "--resume", string(folder)))
	}
	misnamed, err := folder.Misnamed()
	if err != nil {
		return err
	}
	run.Warnings = append(run.Warnings, misnamed...)
	verdicts, err := analysis.Evaluate(run, trials)
	if err != nil {
		return err
	}
	goBench, err := os.ReadFile(folder.Path(goBenchFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := report.Write(folder, run, trials, verdicts, string(goBench)); err != nil {
		return err
	}
	if err := report.Terminal(stdout, run, trials, verdicts, terminalWidth(stdout)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\n%s\n", folder.Path("report.html"))
	return err
}

func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 120
}
