package report

import (
	"fmt"
	"slices"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// askedFirst are the metrics that a reader asks about first, in that order, and
// what they are to one who has read nothing yet.
var askedFirst = []struct{ Metric, Words string }{
	{"auth_cpu_us", "CPU that authenticating one request takes"},
	{"lost_session_share", "Requests of logged-in users that were refused"},
	{"revocation_lag_share", "How long a token worked after log-out, of the time it had left"},
	{"outage_availability", "Requests of logged-in users that were served without the store"},
}

// opening is what a report begins with: enough for a reader who reads no further.
type opening struct {
	Run      string          // which one it is, in a line
	Findings []trial.Verdict // at most three
	Trust    []string        // how far, in a few sentences
}

func (d *data) opening() opening {
	r := d.run
	return opening{Findings: openingVerdicts(d.verdicts), Trust: d.trust(),
		Run: strings.Join([]string{"Run " + r.Name, "profile " + r.Profile, r.Started.UTC().Format("2006-01-02"), r.Machine.CPU,
			plural(r.Machine.CPUs, "CPU", "CPUs")}, ", ")}
}

// openingVerdicts are three that decide something, each of another metric: what is
// asked first before the rest, which stands by claim.
func openingVerdicts(byClaim []trial.Verdict) (first []trial.Verdict) {
	place := func(metric string) int {
		for i, a := range askedFirst {
			if a.Metric == metric {
				return i
			}
		}
		return len(askedFirst)
	}
	sorted := slices.Clone(byClaim)
	slices.SortStableFunc(sorted, func(a, b trial.Verdict) int { return place(a.Rule.Metric) - place(b.Rule.Metric) })
	for _, v := range sorted {
		open := v.Answer == trial.NotDecided || v.Answer == trial.NotMeasured
		same := func(o trial.Verdict) bool { return o.Rule.Metric == v.Rule.Metric }
		if !open && !v.Rule.Checked && len(first) < 3 && !slices.ContainsFunc(first, same) {
			first = append(first, v)
		}
	}
	return first
}

// plainly says what a verdict rests on to a reader who knows no metric by name.
func plainly(v trial.Verdict) string {
	title := titleOf(v.Rule.Metric)
	for _, a := range askedFirst {
		if a.Metric == v.Rule.Metric {
			title = a.Words
		}
	}
	var told []string
	for _, f := range strongest(v) {
		told = append(told, inWords(v.Rule, f))
	}
	return title + ": " + strings.Join(told, ", but ") + "."
}

// inWords is an effect without signs: "122 [114, 131] µs more for A than for B".
func inWords(r trial.Rule, f trial.Finding) string {
	a, b, two := strings.Cut(f.Comparison.Name, " vs ")
	i, than := f.Interval, "more"
	switch {
	case !two || i.N == 0:
	case r.Contrast == trial.Ratio:
		return fmt.Sprintf("%s times as much for %s as for %s", interval(i, number), a, b)
	case r.Contrast == trial.Difference:
		if i.Estimate < 0 {
			i.Estimate, i.Low, i.High, than = -i.Estimate, -i.High, -i.Low, "less"
		}
		return fmt.Sprintf("%s %s for %s than for %s", inUnit(i, unitOf(r.Metric)), than, a, b)
	}
	return effect(r, f) + " for " + f.Comparison.Name
}

// trust says what a reader must know before leaning on the figures.
func (d *data) trust() []string {
	said := []string{"Brackets hold 95" + nbsp + "% intervals."}
	var blocks []int
	for _, e := range d.experiments() {
		if n := len(d.blocks[e]); n > 0 {
			blocks = append(blocks, n)
		}
	}
	if len(blocks) > 0 {
		starts := plural(slices.Max(blocks), "time", "times")
		if fewest := slices.Min(blocks); fewest < slices.Max(blocks) {
			starts = fmt.Sprintf("%d to %s, by experiment", fewest, starts)
		}
		said = append(said, "Everything was started "+starts+".")
	}
	if n := noiseOf(d.trials); len(n.stolen) > 0 {
		said = append(said, capitalised(n.leftOut())+": "+n.shares()+".")
	}
	if iv, ok := d.identical(); ok {
		said = append(said, "Two identical cells differed by "+inUnit(iv, unitOf(noiseMetrics[0].Metric))+" of CPU per request.")
	}
	return append(said, "All of it ran on one machine: what depends on the machine may come out otherwise on yours.")
}

// identical is what two identical cells differ by in the first of the metrics of
// which that is published, where the run has such a pair.
func (d *data) identical() (trial.Interval, bool) {
	m := noiseMetrics[0]
	for _, e := range d.experiments() {
		for _, step := range d.steps(e) {
			if iv, ok := analysis.Identical(d.blocks[e], m.Metric, step, m.Contrast); ok {
				return iv, true
			}
		}
	}
	return trial.Interval{}, false
}
