package rivals

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"text/tabwriter"

	"authbench/bench/trial"
)

// summary is an entry's medians over the rounds.
type summary struct {
	entry
	perSecond, cpuUS, lag50, lag99 float64
	dropped, failed                int64 // in all rounds together
}

func summarise(e entry, rs []result) summary {
	s := summary{entry: e,
		perSecond: medianOf(rs, result.rate), cpuUS: medianOf(rs, result.cpuUS),
		lag50: medianOf(rs, func(r result) float64 { return r.lag50us }), lag99: medianOf(rs, func(r result) float64 { return r.lag99us })}
	for _, r := range rs {
		s.dropped += r.dropped
		s.failed += r.failed
	}
	return s
}

func medianOf(rs []result, f func(result) float64) float64 {
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

// print writes the table of all results, by entry and round.
func (c *contest) print(entries []entry, results [][]result, rounds []trial.Usage, k6Startup float64) {
	fmt.Fprintf(c.out,
		"Medians of %d rounds of %d s; drops and failures are sums. Our driver has %d users and compares \"sub\" in every answer; "+
			"the others check nothing.\n", len(rounds), c.Seconds, users)
	fmt.Fprintf(c.out, "CPU is the whole process', from start to end; from k6's, %.2f s to start are taken off.\n\n", k6Startup)
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "generator\tloop\tasked/s\tdone/s\tCPU us/request\tdropped\tfailed\tpacer lag p50 us\tp99 us\t")
	var all []summary
	for i, e := range entries {
		s := summarise(e, results[i])
		all = append(all, s)
		asked, lag := "max", "-\t-"
		if e.rate > 0 {
			asked = fmt.Sprintf("%.0f", e.rate)
		}
		if e.tool == "driver" && e.mode == trial.Open {
			lag = fmt.Sprintf("%.0f\t%.0f", s.lag50, s.lag99)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.1f\t%d\t%d\t%s\t\n", e.tool, e.mode, asked, s.perSecond, s.cpuUS, s.dropped, s.failed, lag)
	}
	t.Flush()
	c.printBounds(all)
	fmt.Fprintf(c.out, "\nDisturbance by round (CPU-seconds stolen; CPUs that others used):")
	disturbed := false
	for _, u := range rounds {
		foreign := u.Foreign / u.Seconds
		fmt.Fprintf(c.out, "  %.2f, %.2f", u.Steal, foreign)
		disturbed = disturbed || u.Steal > stealBound || foreign > foreignBound
		for _, what := range slices.Sorted(maps.Keys(u.Missing)) {
			fmt.Fprintf(c.out, " (not known: %s: %s)", what, u.Missing[what])
		}
	}
	fmt.Fprintln(c.out)
	if disturbed {
		fmt.Fprintln(c.out,
			"Others used this machine meanwhile: take the figures as indications only, and lags and drops as theirs rather than the driver's.")
	}
}

// Bounds of a round, beyond which the machine is said to have been disturbed.
const (
	stealBound   = 0.1 // CPU-seconds
	foreignBound = 0.1 // CPUs
)

// printBounds sets the driver against its bounds.
func (c *contest) printBounds(all []summary) {
	find := func(tool string, mode trial.Mode, rate float64) (s summary) {
		for _, s := range all {
			if s.tool == tool && s.mode == mode && (rate < 0 || s.rate == rate) {
				return s
			}
		}
		return s
	}
	most := find("driver", trial.Open, -1)
	fmt.Fprintf(c.out, "\nCPU per request of the driver at its maximum (open loop, %.0f/s) against the others at theirs, closed loop:\n",
		most.rate)
	for _, o := range []struct {
		tool  string
		bound float64
	}{{"wrk", 2.5}, {"vegeta", 0.6}, {"k6", 0.25}} {
		ratio := most.cpuUS / find(o.tool, trial.Closed, 0).cpuUS
		fmt.Fprintf(c.out, "  %.2f x %s, bound %.2f: %s\n", ratio, o.tool, o.bound, kept(ratio <= o.bound))
	}
	fmt.Fprintf(c.out, "At an equal rate of %.0f/s:\n", equalRate)
	ours := find("driver", trial.Open, equalRate)
	for _, tool := range []string{"vegeta", "k6"} {
		fmt.Fprintf(c.out, "  %.2f x %s\n", ours.cpuUS/find(tool, trial.Open, equalRate).cpuUS, tool)
	}
	o := find("driver", trial.Open, openRate)
	fmt.Fprintf(c.out, "At %.0f/s open loop:\n  %d dropped, bound 0: %s\n  pacer lag p99 %.2f ms, bound 1 ms: %s\n",
		openRate, o.dropped, kept(o.dropped == 0), o.lag99/1000, kept(o.lag99 <= 1000))
}

func kept(ok bool) string {
	if ok {
		return "kept"
	}
	return "MISSED"
}
