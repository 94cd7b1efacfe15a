// Command authbench measures what sessions and JWT cost behind a load balancer,
// and answers the common claims about the two with a verdict, an interval and a
// chart. This package only ties the rooms together: experiment says what is
// asked, stack starts it, load drives it, probe reads beside it, analysis says
// what it means, report shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"authbench/bench/process"
)

// commit is the source's commit, set by the linker.
var commit = "unknown"

// Exit statuses besides 0.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// usageError is an error of the command line: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	if err := process.Settle(); err != nil {
		fmt.Fprintf(os.Stderr, "authbench: %v\n", err)
		os.Exit(exitFailure)
	}
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, and means it
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	go func() { // a second signal ends the process at once; its children die with it
		<-ctx.Done()
		signal.Ignore(syscall.SIGHUP) // but for this: a terminal that goes away sends it more than once
		stop()
	}()
	// Taken and dropped: a reader of our output that has gone makes a write fail, and must not end a run on the spot.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := commands(stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "authbench: interrupted: %v\n", err)
		return exitInterrupted
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "authbench: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "authbench: %v\n", err)
	return exitFailure
}

// usage wraps an error of the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func commands(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "authbench",
		Short:         "Measure sessions against JWT behind a load balancer",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("unknown command %q: see authbench --help", args[0]))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(fmt.Errorf("%v: see %s --help", err, c.CommandPath()))
	})
	root.Version = fmt.Sprintf("%s (%s)", commit, runtime.Version())
	root.SetVersionTemplate("authbench {{.Version}}\n")
	root.AddCommand(doctorCommand(stdout), listCommand(stdout), upCommand(stdout), runCommand(stdout, stderr), reportCommand(stdout),
		compareCommand(stdout), planCommand(stdout), chaosCommand(stdout, stderr), loadCommand(stdout),
		capacityCommand(stdout, stderr), benchLoadCommand(stdout),
		selfTestCommand(stdout, stderr), burnCommand())
	for _, c := range root.Commands() {
		if c.Args != nil {
			check := c.Args
			c.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return usage(fmt.Errorf("%v: see %s --help", err, c.CommandPath()))
				}
				return nil
			}
		}
	}
	return root
}

// binDir is where make setup puts the tools: the folder of this program.
func binDir() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.Dir(exe), nil
}

// projectDir holds loadtests/ and results/: the folder above binDir.
func projectDir() (string, error) {
	bin, err := binDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(bin)
	if _, err := os.Stat(filepath.Join(dir, "loadtests")); err != nil {
		return "", fmt.Errorf("%s holds no loadtests folder: run bin/authbench where make setup built it", dir)
	}
	return dir, nil
}
