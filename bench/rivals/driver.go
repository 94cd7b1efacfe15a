package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"

	"golang.org/x/sys/unix"
)

// generateJob is the environment variable by which bench-load starts its own
// program as a generator, so that the driver's CPU and memory are those of a
// process of its own, as the other tools' are. It holds a generateSpec.
const generateJob = "AUTHBENCH_GENERATE"

type generateSpec struct {
	URL   string      `json:"url"`
	Phase trial.Phase `json:"phase"`
}

// generated is what the generator writes to its standard output.
type generated struct {
	Measurement trial.Measurement `json:"measurement"`
	MaxRSSBytes int64             `json:"maxRSSBytes"`
	HeapBytes   int64             `json:"heapBytes"` // live after a collection
	SysBytes    int64             `json:"sysBytes"`  // obtained by Go's runtime
}

const loadUsers = 10_000

// generate is the other side: the driver, as in a measured trial, with 10,000
// users whose answers are all checked, from 16 networks.
func generate(ctx context.Context, w io.Writer, job string) error {
	var s generateSpec
	if err := json.Unmarshal([]byte(job), &s); err != nil {
		return fmt.Errorf("%s: %w", generateJob, err)
	}
	users := make([]trial.Credential, loadUsers)
	for i := range users {
		users[i].User = "user-000000" // the target knows only one
	}
	d, err := load.NewDriver(trial.Target{URL: s.URL, Path: "/me", Credentials: users, CheckUser: true},
		trial.Load{Connections: loadConnections, Sources: 16}, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	var g generated
	if s.Phase.Mode == trial.Search {
		g.Measurement, err = searchMaximum(ctx, d, s.Phase)
	} else {
		g.Measurement, err = d.Run(ctx, s.Phase)
	}
	if err != nil {
		return err
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return fmt.Errorf("getrusage: %w", err)
	}
	g.MaxRSSBytes, g.HeapBytes, g.SysBytes = u.Maxrss<<10, int64(m.HeapAlloc), int64(m.Sys)
	return json.NewEncoder(w).Encode(g)
}

// searchMaximum looks for the highest rate that the driver offers with none
// dropped, below what it does in a closed loop.
func searchMaximum(ctx context.Context, d *load.Driver, p trial.Phase) (trial.Measurement, error) {
	closed, err := d.Run(ctx, trial.Phase{Name: "ceiling", Mode: trial.Closed, Concurrency: loadConnections, Seconds: p.Seconds})
	if err != nil {
		return closed, err
	}
	return d.Search(ctx, p, closed.Throughput())
}

// generate runs one phase in a process of its own.
func (b *loadBench) generate(ctx context.Context, p trial.Phase) (g generated, err error) {
	job, err := json.Marshal(generateSpec{b.url, p})
	if err != nil {
		return g, err
	}
	out, _, err := b.command(ctx, "driver", b.self, []string{"bench-load"}, generateJob+"="+string(job))
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(out, &g); err != nil {
		return g, fmt.Errorf("the driver's answer: %w", err)
	}
	return g, nil
}

func (b *loadBench) driver(ctx context.Context, c loadCase) (loadResult, error) {
	p := trial.Phase{Name: c.loop, Mode: trial.Open, Rate: c.rate, Seconds: c.seconds}
	if c.loop == "closed" {
		p.Mode, p.Concurrency = trial.Closed, loadConnections
	}
	before := childrenCPU()
	g, err := b.generate(ctx, p)
	if err != nil {
		return loadResult{}, err
	}
	m := &g.Measurement
	return loadResult{requests: m.Completed, seconds: m.Seconds, cpu: childrenCPU() - before, dropped: m.Dropped, failed: m.Errors(),
		lag50us: float64(m.PacerLag.Quantile(0.5)) / float64(time.Microsecond), lag99us: float64(m.PacerLag.Quantile(0.99)) / float64(time.Microsecond)}, nil
}

// findMaximum is the highest rate at which the driver drops nothing and still
// answers for its latencies: p99 under 100 ms.
func (b *loadBench) findMaximum(ctx context.Context) (float64, error) {
	g, err := b.generate(ctx, trial.Phase{Name: "maximum", Mode: trial.Search, Steps: 5, Seconds: 1, SLO: &trial.SLO{P99Milliseconds: 100}})
	if err != nil {
		return 0, err
	}
	if g.Measurement.Phase.Rate == 0 {
		return 0, fmt.Errorf("the driver held no rate without a drop: is this machine busy with something else? %q", g.Measurement.Notes)
	}
	return g.Measurement.Phase.Rate, nil
}

// childrenCPU is the CPU time of all children that were waited for, in seconds.
func childrenCPU() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
