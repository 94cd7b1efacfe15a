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

// print writes the table of all results, by entry and round, and returns how the
// driver stands to its bounds.
func (c *contest) print(entries []entry, results [][]result, rounds []trial.Usage, k6Startup float64) Outcome {
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
	bs := c.printBounds(all)
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
	return Outcome{bs, disturbed}
}

// Bounds of a round, beyond which the machine is said to have been disturbed.
const (
	stealBound   = 0.1 // CPU-seconds
	foreignBound = 0.1 // CPUs
)

// Outcome is how the driver stands to its bounds.
type Outcome struct {
	Bounds    []Bound
	Disturbed bool // others used the machine meanwhile: a bound that was missed may be theirs
}

// Bound is what the driver is held to.
type Bound struct {
	What        string // such as "x wrk"
	Unit        string // after a value; empty of a ratio
	Value, Most float64
}

// Kept says whether the driver holds it.
func (b Bound) Kept() bool { return b.Value <= b.Most }

// findSummary is a tool's at a load; a rate below 0 is any.
func findSummary(all []summary, tool string, mode trial.Mode, rate float64) summary {
	for _, s := range all {
		if s.tool == tool && s.mode == mode && (rate < 0 || s.rate == rate) {
			return s
		}
	}
	return summary{}
}

// bounds hold the driver's CPU per request at its maximum against the others' at
// theirs, and what it drops and how late it is at a high rate.
func bounds(all []summary) (bs []Bound) {
	most := findSummary(all, "driver", trial.Open, -1)
	for _, o := range []struct {
		tool string
		most float64
	}{{"wrk", 2.5}, {"vegeta", 0.6}, {"k6", 0.25}} {
		bs = append(bs, Bound{What: "x " + o.tool, Value: most.cpuUS / findSummary(all, o.tool, trial.Closed, 0).cpuUS, Most: o.most})
	}
	o := findSummary(all, "driver", trial.Open, openRate)
	return append(bs, Bound{What: "dropped", Value: float64(o.dropped)},
		Bound{What: "pacer lag p99", Unit: "ms", Value: o.lag99 / 1000, Most: 1})
}

// printBounds sets the driver against its bounds.
func (c *contest) printBounds(all []summary) []Bound {
	bs := bounds(all)
	fmt.Fprintf(c.out, "\nCPU per request of the driver at its maximum (open loop, %.0f/s) against the others at theirs, closed loop:\n",
		findSummary(all, "driver", trial.Open, -1).rate)
	for _, b := range bs[:3] {
		fmt.Fprintf(c.out, "  %.2f %s, bound %.2f: %s\n", b.Value, b.What, b.Most, kept(b.Kept()))
	}
	fmt.Fprintf(c.out, "At an equal rate of %.0f/s:\n", equalRate)
	ours := findSummary(all, "driver", trial.Open, equalRate)
	for _, tool := range []string{"vegeta", "k6"} {
		fmt.Fprintf(c.out, "  %.2f x %s\n", ours.cpuUS/findSummary(all, tool, trial.Open, equalRate).cpuUS, tool)
	}
	drops, lag := bs[3], bs[4]
	fmt.Fprintf(c.out, "At %.0f/s open loop:\n  %.0f %s, bound 0: %s\n  %s %.2f ms, bound %.0f ms: %s\n",
		openRate, drops.Value, drops.What, kept(drops.Kept()), lag.What, lag.Value, lag.Most, kept(lag.Kept()))
	return bs
}

func kept(ok bool) string {
	if ok {
		return "kept"
	}
	return "MISSED"
}
