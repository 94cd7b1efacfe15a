package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"authbench/bench/stack"
	"authbench/bench/trial"
)

// What a program is needed for: authbench run, in containers too or not, authbench bench-load, make test.
const (
	useRun    = "run"
	useNative = "run, native"
	useLoad   = "bench-load"
	useTest   = "test"
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
		{"micro.test", ours("micro.test"), nil, useRun, "make setup"},
		{"k6", ours("k6"), []string{"version"}, useRun, "make setup"},
		{"benchstat", ours("benchstat"), nil, "compare", "make setup"},
		{"nginx", stack.FindProgram("nginx"), []string{"-v"}, useNative, "make setup"},
		{"redis-server", stack.FindProgram("redis-server"), []string{"--version"}, useNative, "make setup"},
		{"postgres", stack.FindProgram("postgres"), []string{"--version"}, useNative, "make setup"},
		{"initdb", stack.FindProgram("initdb"), []string{"--version"}, useNative, "make setup"},
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
		RunE:  func(c *cobra.Command, _ []string) error { return doctor(c.Context(), stdout) },
	}
}

func doctor(ctx context.Context, w io.Writer) error {
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
	can := false
	if rt, err := stack.NewNative(stack.Options{ServerBinary: filepath.Join(bin, "server")}); err != nil {
		fmt.Fprintf(w, "runtime native: no: %v\n", err)
	} else {
		for _, warning := range rt.Warnings() {
			fmt.Fprintln(w, "warning:", warning)
		}
		err := errors.Join(try(ctx, rt), rt.Close())
		if ctx.Err() != nil {
			return err
		}
		if can = err == nil; can {
			fmt.Fprintf(w, "runtime native: yes, %s\n", budgets(rt.Capabilities()))
		} else {
			fmt.Fprintf(w, "runtime native: no: %v\n", err)
		}
	}
	if caps, err := stack.Containers(ctx); err != nil {
		fmt.Fprintf(w, "runtime compose: no: %v\n", err)
	} else {
		can = true
		fmt.Fprintf(w, "runtime compose: yes, %s\n", budgets(caps))
	}
	if !can {
		return errors.New("the system can be started neither as processes nor in containers, for the reasons given above")
	}
	fmt.Fprintln(w, "\nA run can start.")
	return nil
}

// try starts each store, a replica and nginx once: that they are here does not
// say that they can read their folders, or bind, or be run as another user.
func try(ctx context.Context, rt *stack.Runtime) error {
	for _, a := range []trial.Arm{"session/redis", "session/postgres"} {
		s, err := rt.Up(ctx,
			trial.CellSpec{Cell: trial.NewCell("arm", a), System: trial.System{Arm: a, Replicas: 1, Balancer: trial.RoundRobin, Users: 1,
				Server: map[string]string{trial.SettingArgon2: "m=64,t=1,p=1", trial.SettingPool: "1", trial.SettingLifetime: "1h0m0s"}}})
		if err == nil {
			err = s.Down(context.WithoutCancel(ctx))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func budgets(c stack.Capabilities) string {
	if c.Budgets {
		return "CPU budgets by " + c.Budgeting
	}
	return "no CPU budgets (" + c.Reason + "); the experiments that need them are skipped"
}
