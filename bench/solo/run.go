package solo

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Bounds beyond which the generator itself is in doubt; a trial has the same.
const (
	busyBound = 0.80 // share of a CPU: the driver is one thread
	lagBound  = 0.25 // of the p99 of latency that may be the pacer's own
)

// Run carries out the load. When ctx ends before, the error wraps ctx's, and the
// result holds what was measured until then; it is nil if that is nothing.
// Failed requests are figures, not an error.
func (l *Load) Run(ctx context.Context) (*Result, error) {
	s := l.settings
	if s.WarmUp > 0 {
		if _, err := l.warm(ctx, s.WarmUp); err != nil {
			return nil, err
		}
	}
	before, err := process.CPU(os.Getpid())
	if err != nil {
		return nil, err
	}
	started := time.Now()
	m, err := l.driver.Run(ctx, s.phase("load", s.For))
	took := time.Since(started)
	if err != nil && (ctx.Err() == nil || m.Seconds == 0) {
		return nil, err
	}
	after, cpuErr := process.CPU(os.Getpid())
	if cpuErr != nil {
		return nil, cpuErr
	}
	r := newResult(s, m)
	r.Interrupted = err != nil
	if r.Generator, err = ownUse(after-before, took, m.Completed); err != nil {
		return nil, err
	}
	r.Doubts = r.doubts()
	if r.Interrupted {
		return &r, fmt.Errorf("%w after %.1f s of %v", ctx.Err(), r.Seconds, s.For)
	}
	return &r, nil
}

// ownUse is what the load cost this process.
func ownUse(cpu, took time.Duration, requests int64) (Use, error) {
	u := Use{CPUSeconds: cpu.Seconds(), BusyShare: cpu.Seconds() / took.Seconds()}
	u.CPUMicrosecondsPerRequest = u.CPUSeconds * 1e6 / float64(max(requests, 1))
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return u, fmt.Errorf("read our own memory: %w", err)
	}
	u.MaxRSSBytes, u.HeapBytes, u.SystemBytes = usage.Maxrss<<10, int64(m.HeapAlloc), int64(m.Sys)
	return u, nil
}

// doubts says why the figures may be the generator's rather than the server's.
func (r *Result) doubts() []string {
	found := []string{}
	if p99 := r.Outcomes[trial.Success].Latency.P99; r.PacerLag != nil && p99 > 0 && r.PacerLag.P99 > lagBound*p99 {
		found = append(found,
			fmt.Sprintf("the generator started requests late (pacer lag p99 %.3f ms, over %.0f %% of the latency's): leave it a CPU of its own, "+
				"or lower the rate",
				r.PacerLag.P99, 100*lagBound))
	}
	if r.Generator.BusyShare > busyBound {
		found = append(found,
			fmt.Sprintf("the generator used %.0f %% of a CPU (bound %.0f %%), so this may be its limit rather than the server's: lower the load, "+
				"or share it between several",
				100*r.Generator.BusyShare, 100*busyBound))
	}
	return found
}

// Failure is nil if any request succeeded; otherwise it says what to look at.
func (r *Result) Failure() error {
	if r.Outcomes[trial.Success].Requests > 0 {
		return nil
	}
	most := ""
	for name, o := range r.Outcomes {
		if most == "" || o.Requests > r.Outcomes[most].Requests {
			most = name
		}
	}
	advice := map[string]string{
		"":              "none ended: see that the time is long enough for one",
		trial.Refused:   "see that the header or the file of credentials is what the server takes",
		trial.Shed:      "the server asks for less: lower the load",
		trial.Failed:    "see the server's log",
		trial.Other:     "see that the path is right",
		trial.Transport: "see that the server listens there",
		trial.WrongUser: `the answers' "sub" is not the credentials' "user": leave "user" out of the file where answers have no "sub"`,
	}[most]
	return fmt.Errorf("no request to %s succeeded (%s: %d of %d): %s", r.URL, most, r.Outcomes[most].Requests, r.Completed, advice)
}
