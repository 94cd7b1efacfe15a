package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"authbench/bench/stack"

	"github.com/spf13/cobra"
)

// What a program is needed for: authbench run, authbench bench-load, make test.
const (
	useRun  = "run"
	useLoad = "bench-load"
	useTest = "test"
)

// program is something that authbench starts.
type program struct {
	name    string
	path    string // "" if it is missing
	version []string
	use     string
	install string
}

// programs lists all that is needed and where it is.
func programs(bin string) []program {
	ours := func(name string) string {
		path := filepath.Join(bin, name)
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	return []program{
		{"authbench", ours("authbench"), nil, useRun, "make setup"},
		{"server", ours("server"), nil, useRun, "make setup"},
		{"cost.test", ours("cost.test"), nil, useRun, "make setup"},
		{"k6", ours("k6"), []string{"version"}, useRun, "make setup"},
		{"benchstat", ours("benchstat"), nil, "compare", "make setup"},
		{"nginx", stack.FindProgram("nginx"), []string{"-v"}, useRun, "make setup"},
		{"redis-server", stack.FindProgram("redis-server"), []string{"--version"}, useRun, "make setup"},
		{"postgres", stack.FindProgram("postgres"), []string{"--version"}, useRun, "make setup"},
		{"initdb", stack.FindProgram("initdb"), []string{"--version"}, useRun, "make setup"},
		{"wrk", stack.FindProgram("wrk"), nil, useLoad, "make bench-load"},
		{"vegeta", ours("vegeta"), nil, useLoad, "make bench-load"},
		{"gcc", stack.FindProgram("gcc"), []string{"--version"}, useTest, "make test"},
	}
}

func doctorCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is here, what is missing, and the command that installs it",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return doctor(stdout) },
	}
}

func doctor(w io.Writer) error {
	bin, err := binDir()
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROGRAM\tFOR\tWHERE")
	missing := false
	for _, p := range programs(bin) {
		where := p.path
		if where == "" {
			where = "missing: " + p.install + " installs it"
			missing = missing || p.use == useRun
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", p.name, p.use, where)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	m, err := divideCPUs()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nCPUs: generator %s, system %s\n", m.generator, m.system)
	if m.warning != "" {
		fmt.Fprintln(w, "warning:", m.warning)
	}
	if missing {
		return errors.New("something that a run needs is missing: make setup installs it")
	}
	rt, err := stack.NewNative(stack.Options{ServerBinary: filepath.Join(bin, "server")})
	if err != nil {
		return err
	}
	defer rt.Close()
	if c := rt.Capabilities(); c.Budgets {
		fmt.Fprintf(w, "CPU budgets: %s\n", c.Budgeting)
	} else {
		fmt.Fprintf(w, "CPU budgets: none (%s); the experiments that need them are skipped\n", c.Reason)
	}
	fmt.Fprintln(w, "\nA run can start.")
	return nil
}
