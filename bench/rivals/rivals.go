package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// What bench-load compares: everybody has 64 connections to one nginx that
// answers from its configuration, and one CPU that is not nginx'.
const (
	loadConnections = 64
	equalRate       = 10_000.0 // requests per second
	openRate        = 30_000.0 // that our driver must offer
	loadBody        = `{"sub":"user-000000","role":"user","replica":"r1"}`

	// tenMillion, set in the environment, adds a memory run of 10,000,000
	// requests, which takes five to six minutes.
	tenMillion = "BENCH_LOAD_10M"
)

// loadBench is one comparison of generators.
type loadBench struct {
	ledger    *process.Ledger
	generator string // CPU of whoever generates
	url       string // of nginx
	nginx     *process.Process
	self      string            // our own program, which is started again as the driver
	tools     map[string]string // name to path
	out       io.Writer

	rounds  int
	seconds float64 // of one run of a generator
}

// benchLoad compares the driver with wrk, vegeta and k6 on one target and
// prints a table. binDir holds vegeta and k6.
func benchLoad(ctx context.Context, w io.Writer, binDir string) (err error) {
	if job := os.Getenv(generateJob); job != "" { // started by ourselves, to generate
		return generate(ctx, w, job)
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if warning != nil {
		fmt.Fprintf(w, "warning: %v\n", warning)
	}
	b := &loadBench{ledger: ledger, out: w, rounds: 5, seconds: 2}
	if err := b.find(binDir); err != nil {
		return err
	}
	cpus, err := process.AvailableCPUs()
	if err != nil {
		return err
	}
	b.generator = strconv.Itoa(cpus[0])
	if err := b.startNginx(ctx, strconv.Itoa(cpus[len(cpus)-1])); err != nil {
		return err
	}
	fmt.Fprintf(w, "Target: nginx on CPU %d, answering %d bytes from its configuration. Generators: CPU %d, %d connections.\n", cpus[len(cpus)-1], len(loadBody), cpus[0], loadConnections)
	if len(cpus) < 2 {
		fmt.Fprintln(w, "There is one CPU: generator and target share it, so no figure below stands for the generator alone.")
	}
	if err := b.compare(ctx); err != nil {
		return err
	}
	return b.memory(ctx)
}

// find looks for everybody who takes part.
func (b *loadBench) find(binDir string) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	b.tools = map[string]string{}
	for name, places := range map[string][]string{
		"nginx": {"nginx", "/usr/sbin/nginx"}, "wrk": {"wrk"},
		"vegeta": {filepath.Join(binDir, "vegeta")}, "k6": {filepath.Join(binDir, "k6")},
	} {
		for _, p := range places {
			if path, err := exec.LookPath(p); err == nil {
				b.tools[name] = path
				break
			}
		}
		if b.tools[name] == "" {
			return fmt.Errorf("%s is missing: make bench-load installs it", name)
		}
	}
	return nil
}

// loadCase is a generator at a load.
type loadCase struct {
	tool, loop string
	rate       float64 // 0 is its maximum
	seconds    float64
	run        func(ctx context.Context, c loadCase) (loadResult, error)
}

// loadResult is what one run of a generator showed.
type loadResult struct {
	requests int64   // that were answered
	seconds  float64 //
	cpu      float64 // CPU-seconds of its process, from start to end
	dropped  int64   //
	failed   int64   //
	lag50us  float64 // pacer lag, microseconds; ours alone
	lag99us  float64 //
}

func (r loadResult) rate() float64  { return float64(r.requests) / r.seconds }
func (r loadResult) cpuUS() float64 { return r.cpu / float64(max(r.requests, 1)) * 1e6 }

// compare runs everybody at every load, round after round, and prints medians.
func (b *loadBench) compare(ctx context.Context) error {
	best, err := b.findMaximum(ctx)
	if err != nil {
		return err
	}
	startup, err := b.k6Startup(ctx)
	if err != nil {
		return err
	}
	k6 := func(ctx context.Context, c loadCase) (loadResult, error) {
		r, err := b.k6(ctx, c)
		r.cpu -= startup
		return r, err
	}
	cases := []loadCase{
		{"driver", "open", best, b.seconds, b.driver},
		{"driver", "closed", 0, b.seconds, b.driver},
		{"wrk", "closed", 0, b.seconds, b.wrk},
		{"vegeta", "closed", 0, b.seconds, b.vegeta},
		{"k6", "closed", 0, b.seconds, k6},
		{"driver", "open", openRate, b.seconds, b.driver},
		{"driver", "open", equalRate, b.seconds, b.driver},
		{"vegeta", "open", equalRate, b.seconds, b.vegeta},
		{"k6", "open", equalRate, b.seconds, k6},
	}
	results := make([][]loadResult, len(cases))
	var rounds []roundDoubt
	for round := range b.rounds {
		doubt, err := b.beside(func() error {
			for i := range cases {
				n := (i + round) % len(cases) // nobody is always first
				r, err := cases[n].run(ctx, cases[n])
				if err != nil {
					return fmt.Errorf("%s, %s loop: %w", cases[n].tool, cases[n].loop, err)
				}
				results[n] = append(results[n], r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		rounds = append(rounds, doubt)
	}
	b.print(cases, results, rounds, startup)
	return nil
}

// memory shows what the driver holds at more and more requests.
func (b *loadBench) memory(ctx context.Context) error {
	counts := []float64{1e5, 1e6}
	if os.Getenv(tenMillion) != "" {
		counts = append(counts, 1e7)
	}
	fmt.Fprintf(b.out, "\nMemory of the driver's process, open loop at %.0f/s:\n", openRate)
	for _, n := range counts {
		r, err := b.generate(ctx, trial.Phase{Name: "memory", Mode: trial.Open, Rate: openRate, Seconds: n / openRate})
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "  %10d requests: %5.1f MiB resident at most, %4.1f MiB heap, %.1f MiB obtained from the system\n",
			r.Measurement.Completed, mib(r.MaxRSSBytes), mib(r.HeapBytes), mib(r.SysBytes))
	}
	if os.Getenv(tenMillion) == "" {
		fmt.Fprintf(b.out, "  (%s=1 in the environment adds ten million)\n", tenMillion)
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
