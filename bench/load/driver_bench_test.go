package load

import (
	"context"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"authbench/bench/process"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// bare is nginx answering from its configuration, in a process of its own, so
// that all CPU of this process is the generator's.
func bare(b *testing.B) trial.Target {
	b.Helper()
	ledger, _, err := process.Open()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ledger.Close() })
	s, err := stack.StartSite(context.Background(), ledger, "0", `{"sub":"a","role":"user","replica":"r1"}`)
	if err != nil {
		b.Fatal(err)
	}
	users := credentials(10_000)
	for i := range users {
		users[i].User = "a"
	}
	return trial.Target{URL: s.URL, Path: "/me", Credentials: users, CheckUser: true}
}

// BenchmarkDriver tells what a request costs the driver: user and system CPU of
// this process, and objects allocated. Each iteration is a tenth of a second of
// load.
func BenchmarkDriver(b *testing.B) {
	target := bare(b)
	for _, p := range []Phase{
		{Name: "closed", Mode: trial.Closed, Concurrency: 64},
		{Name: "open", Mode: trial.Open, Rate: 10_000},
	} {
		b.Run(p.Name, func(b *testing.B) {
			d, err := NewDriver(target, Load{Connections: 64, Sources: 16}, 1)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			p.Seconds = 0.1 * float64(b.N)
			spent := costs()
			m, err := d.Run(context.Background(), p)
			if err != nil || m.Errors() > 0 {
				b.Fatalf("%v, outcomes %v", err, m.Outcomes)
			}
			spent(b, m.Completed)
			b.ReportMetric(float64(m.Completed)/m.Seconds, "requests/s")
			b.ReportMetric(float64(m.PacerLag.Quantile(0.99))/1e3, "lag-p99-us")
		})
	}
}

// costs begins to count what this process spends; the function it returns
// reports that, by request.
func costs() func(b *testing.B, requests int64) {
	read := func() (cpu int64, objects uint64) {
		var u unix.Rusage
		unix.Getrusage(unix.RUSAGE_SELF, &u) // fails for no such argument
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return u.Utime.Nano() + u.Stime.Nano(), m.Mallocs
	}
	cpuBefore, objectsBefore := read()
	return func(b *testing.B, requests int64) {
		cpu, objects := read()
		b.ReportMetric(float64(cpu-cpuBefore)/1e3/float64(requests), "cpu-us/request")
		b.ReportMetric(float64(objects-objectsBefore), "allocs/phase")
	}
}
