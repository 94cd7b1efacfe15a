package main

import (
	"authbench/bench/process"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// roundDoubt is what disturbed a round.
type roundDoubt struct {
	stealTicks int64
	foreign    float64 // CPUs that neither generator nor nginx nor an idle loop had
}

// beside notes what else the machine did while f ran.
func (b *loadBench) beside(f func() error) (roundDoubt, error) {
	started := time.Now()
	busy0, steal0, err := machineTicks()
	if err != nil {
		return roundDoubt{}, err
	}
	ours0 := b.ownCPU()
	if err := f(); err != nil {
		return roundDoubt{}, err
	}
	busy1, steal1, err := machineTicks()
	if err != nil {
		return roundDoubt{}, err
	}
	foreign := (float64(busy1-busy0)/100 - (b.ownCPU() - ours0)) / time.Since(started).Seconds()
	return roundDoubt{steal1 - steal0, max(foreign, 0)}, nil
}

func (b *loadBench) ownCPU() float64 {
	nginx, _ := process.CPU(b.nginx.PID) // one that has died fails the run by itself
	return nginx.Seconds() + childrenCPU()
}

// machineTicks reads the busy and the stolen time of all CPUs, in 1/100 s.
func machineTicks() (busy, steal int64, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	if len(f) < 9 {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(f[i], 10, 64); return v }
	return n(1) + n(2) + n(3) + n(6) + n(7), n(8), nil
}

// summary is a case's medians over the rounds.
type summary struct {
	loadCase
	perSecond, cpuUS, lag50, lag99 float64
	dropped, failed                int64 // in all rounds together
}

func summarise(c loadCase, rs []loadResult) summary {
	s := summary{loadCase: c,
		perSecond: medianOf(rs, loadResult.rate), cpuUS: medianOf(rs, loadResult.cpuUS),
		lag50: medianOf(rs, func(r loadResult) float64 { return r.lag50us }), lag99: medianOf(rs, func(r loadResult) float64 { return r.lag99us })}
	for _, r := range rs {
		s.dropped += r.dropped
		s.failed += r.failed
	}
	return s
}

func medianOf(rs []loadResult, f func(loadResult) float64) float64 {
	if len(rs) == 0 {
		return math.NaN()
	}
	var v []float64
	for _, r := range rs {
		v = append(v, f(r))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func (b *loadBench) print(cases []loadCase, results [][]loadResult, rounds []roundDoubt, k6Startup float64) {
	fmt.Fprintf(b.out, "Medians of %d rounds of %.0f s; drops and failures are sums. Our driver has %d users and compares \"sub\" in every answer; the others check nothing.\n", len(rounds), b.seconds, loadUsers)
	fmt.Fprintf(b.out, "CPU is the whole process', from start to end; from k6's, %.2f s to start are taken off.\n\n", k6Startup)
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "generator\tloop\tasked/s\tdone/s\tCPU us/request\tdropped\tfailed\tpacer lag p50 us\tp99 us\t")
	var all []summary
	for i, c := range cases {
		s := summarise(c, results[i])
		all = append(all, s)
		asked, lag := "max", "-\t-"
		if c.rate > 0 {
			asked = fmt.Sprintf("%.0f", c.rate)
		}
		if c.tool == "driver" && c.loop == "open" {
			lag = fmt.Sprintf("%.0f\t%.0f", s.lag50, s.lag99)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.1f\t%d\t%d\t%s\t\n", c.tool, c.loop, asked, s.perSecond, s.cpuUS, s.dropped, s.failed, lag)
	}
	t.Flush()
	b.printBounds(all)
	fmt.Fprintf(b.out, "\nDisturbance by round (steal in ticks of 10 ms; CPUs that others used):")
	disturbed := false
	for _, r := range rounds {
		fmt.Fprintf(b.out, "  %d, %.2f", r.stealTicks, r.foreign)
		disturbed = disturbed || r.stealTicks > 10 || r.foreign > 0.1
	}
	fmt.Fprintln(b.out)
	if disturbed {
		fmt.Fprintln(b.out, "Others used this machine meanwhile: take the figures as indications only, and lags and drops as theirs rather than the driver's.")
	}
}

// printBounds sets the driver against its bounds.
func (b *loadBench) printBounds(all []summary) {
	find := func(tool, loop string, rate float64) (s summary) {
		for _, s := range all {
			if s.tool == tool && s.loop == loop && (rate < 0 || s.rate == rate) {
				return s
			}
		}
		return s
	}
	most := find("driver", "open", -1)
	fmt.Fprintf(b.out, "\nCPU per request of the driver at its maximum (open loop, %.0f/s) against the others at theirs, closed loop:\n", most.rate)
	for _, o := range []struct {
		tool  string
		bound float64
	}{{"wrk", 2.5}, {"vegeta", 0.6}, {"k6", 0.25}} {
		ratio := most.cpuUS / find(o.tool, "closed", 0).cpuUS
		fmt.Fprintf(b.out, "  %.2f x %s, bound %.2f: %s\n", ratio, o.tool, o.bound, kept(ratio <= o.bound))
	}
	fmt.Fprintf(b.out, "At an equal rate of %.0f/s:\n", equalRate)
	ours := find("driver", "open", equalRate)
	for _, tool := range []string{"vegeta", "k6"} {
		fmt.Fprintf(b.out, "  %.2f x %s\n", ours.cpuUS/find(tool, "open", equalRate).cpuUS, tool)
	}
	o := find("driver", "open", openRate)
	fmt.Fprintf(b.out, "At %.0f/s open loop:\n  %d dropped, bound 0: %s\n  pacer lag p99 %.2f ms, bound 1 ms: %s\n",
		openRate, o.dropped, kept(o.dropped == 0), o.lag99/1000, kept(o.lag99 <= 1000))
}

func kept(ok bool) string {
	if ok {
		return "kept"
	}
	return "MISSED"
}
