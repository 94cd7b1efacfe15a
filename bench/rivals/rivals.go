// Package rivals sets our load driver beside wrk, vegeta and k6: what does a
// request cost each of them, and does the driver keep its rate? In come the
// programs ([Settings]); out comes a table. Each generator is a process of its
// own on one CPU and takes the same target, an nginx on another CPU that answers
// from its configuration. Ours is started as anyone would start it, by
// `authbench load`.
package rivals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// What everybody is given, and what ours must do.
const (
	connections = 64
	equalRate   = 10_000.0 // requests per second
	openRate    = 30_000.0 // that our driver must offer
	users       = 10_000   // of our driver, whose answers are all checked
	sources     = 16       // networks that they come from
	user        = "user-000000"
	answer      = `{"sub":"` + user + `","role":"user","replica":"r1"}`
)

// Settings say who takes part and for how long.
type Settings struct {
	Bin     string // folder with authbench, vegeta and k6; wrk and nginx are the system's
	Rounds  int    // in each of which everybody runs once at every load
	Seconds int    // of one run of a generator
	Memory  []int  // requests, each a run that shows the driver's memory
}

// Check says which setting is wrong, and what is allowed.
func (s Settings) Check() error {
	switch {
	case s.Rounds < 1 || s.Rounds > 100:
		return fmt.Errorf("rounds is %d: want 1 to 100", s.Rounds)
	case s.Seconds < 1 || s.Seconds > 60:
		return fmt.Errorf("seconds is %d: want 1 to 60", s.Seconds)
	}
	for _, n := range s.Memory {
		if n < 1000 || n > 100_000_000 {
			return fmt.Errorf("memory is for %d requests: want 1000 to 100000000", n)
		}
	}
	return nil
}

// contest is one comparison under way.
type contest struct {
	Settings
	ledger   *process.Ledger
	cpu      string            // of whoever generates
	programs map[string]string // name to path
	target   *stack.Stack
	probe    *probe.Probe
	users    string // file with our driver's credentials
	out      io.Writer
}

// Run compares the driver with the others, prints a table and returns how the
// driver stands to its bounds. An error says that the comparison could not be
// made; a bound that was missed is none.
func Run(ctx context.Context, w io.Writer, s Settings) (o Outcome, err error) {
	if err := s.Check(); err != nil {
		return o, err
	}
	programs, err := find(s.Bin)
	if err != nil {
		return o, err
	}
	cpus, err := process.AvailableCPUs()
	if err != nil {
		return o, err
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if warning != nil {
		fmt.Fprintf(w, "warning: %v\n", warning)
	}
	c := &contest{Settings: s, ledger: ledger, cpu: strconv.Itoa(cpus[0]), programs: programs, out: w,
		users: filepath.Join(ledger.Dir(), "users.jsonl")}
	// The target knows only one user.
	if err := os.WriteFile(c.users, []byte(strings.Repeat(`{"user":"`+user+`"}`+"\n", users)), 0o600); err != nil {
		return o, fmt.Errorf("write the driver's credentials: %w", err)
	}
	last := strconv.Itoa(cpus[len(cpus)-1])
	if c.target, err = stack.StartSite(ctx, ledger, last, answer); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, c.target.Down(context.WithoutCancel(ctx))) }()
	if c.probe, err = c.watch(ctx, cpus); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, c.probe.Close()) }()
	fmt.Fprintf(w, "Target: nginx on CPU %s, answering %d bytes from its configuration. Generators: CPU %s, %d connections.\n",
		last, len(answer), c.cpu, connections)
	if len(cpus) < 2 {
		fmt.Fprintln(w, "There is one CPU: generator and target share it, so no figure below stands for the generator alone.")
	}
	if o, err = c.compare(ctx); err != nil {
		return o, err
	}
	return o, c.memory(ctx)
}

// ErrMissing says that a program which takes part is not here.
var ErrMissing = errors.New("missing")

// find looks for everybody who takes part.
func find(bin string) (map[string]string, error) {
	programs := map[string]string{"wrk": stack.FindProgram("wrk")}
	for _, name := range []string{"authbench", "vegeta", "k6"} {
		programs[name], _ = exec.LookPath(filepath.Join(bin, name))
	}
	for _, name := range []string{"authbench", "wrk", "vegeta", "k6"} {
		if programs[name] == "" {
			return nil, fmt.Errorf("%s is %w: make bench-load installs it", name, ErrMissing)
		}
	}
	return programs, nil
}

// watch reads what else these CPUs do.
func (c *contest) watch(ctx context.Context, cpus []int) (*probe.Probe, error) {
	t := probe.Targets{}
	for _, component := range c.target.Components {
		t.Components = append(t.Components, component)
	}
	for _, n := range cpus {
		t.CPUs = append(t.CPUs, strconv.Itoa(n))
	}
	return probe.New(ctx, t)
}

// entry is a generator at a load.
type entry struct {
	tool    string
	mode    trial.Mode // open or closed
	rate    float64    // requests per second; 0 is its maximum
	seconds float64
	run     func(context.Context, entry) (result, error)
}

// result is what one run of a generator showed.
type result struct {
	requests int64   // that were answered
	seconds  float64 //
	cpu      float64 // CPU-seconds of its process, from start to end
	dropped  int64   //
	failed   int64   //
	lag50us  float64 // pacer lag, microseconds; ours alone
	lag99us  float64 //
}

func (r result) rate() float64  { return float64(r.requests) / r.seconds }
func (r result) cpuUS() float64 { return r.cpu / float64(max(r.requests, 1)) * 1e6 }

// compare runs everybody at every load, round after round, and prints medians.
func (c *contest) compare(ctx context.Context) (o Outcome, err error) {
	most, err := c.maximum(ctx)
	if err != nil {
		return o, err
	}
	startup, err := c.k6Startup(ctx)
	if err != nil {
		return o, err
	}
	k6 := func(ctx context.Context, e entry) (result, error) {
		r, err := c.k6(ctx, e)
		r.cpu -= startup
		return r, err
	}
	seconds := float64(c.Seconds)
	entries := []entry{
		{"driver", trial.Open, most, seconds, c.driver},
		{"driver", trial.Closed, 0, seconds, c.driver},
		{"wrk", trial.Closed, 0, seconds, c.wrk},
		{"vegeta", trial.Closed, 0, seconds, c.vegeta},
		{"k6", trial.Closed, 0, seconds, k6},
		{"driver", trial.Open, openRate, seconds, c.driver},
		{"driver", trial.Open, equalRate, seconds, c.driver},
		{"vegeta", trial.Open, equalRate, seconds, c.vegeta},
		{"k6", trial.Open, equalRate, seconds, k6},
	}
	results := make([][]result, len(entries))
	var rounds []trial.Usage
	for round := range c.Rounds {
		before, err := c.probe.Read(ctx)
		if err != nil {
			return o, err
		}
		for i := range entries {
			n := (i + round) % len(entries) // nobody is always first
			r, err := entries[n].run(ctx, entries[n])
			if err != nil {
				return o, fmt.Errorf("%s, %s loop: %w", entries[n].tool, entries[n].mode, err)
			}
			results[n] = append(results[n], r)
		}
		after, err := c.probe.Read(ctx)
		if err != nil {
			return o, err
		}
		rounds = append(rounds, probe.Between(before, after))
	}
	return c.print(entries, results, rounds, startup), nil
}
