package report

import (
	"fmt"
	"slices"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// unitOf is a metric's unit for a reader; none for a metric of another version.
func unitOf(metric string) string {
	m, err := analysis.Lookup(metric)
	if err != nil {
		return ""
	}
	return m.Unit
}

// titleOf is a metric's title, or the name of one of another version.
func titleOf(metric string) string {
	m, err := analysis.Lookup(metric)
	if err != nil {
		return metric
	}
	return m.Title
}

// shareUnit is that of metrics which are a share of 1.
const shareUnit = "share"

// amount writes a figure with its unit: a share in percent.
func amount(v float64, unit string) string { return inUnit(trial.Interval{Estimate: v, N: 1}, unit) }

// inUnit writes an interval with its unit.
func inUnit(i trial.Interval, unit string) string {
	switch unit {
	case shareUnit:
		return interval(i, percent)
	case "":
		return interval(i, number)
	}
	return interval(i, number) + nbsp + unit
}

// effect says how large a finding is, in the words of its contrast.
func effect(r trial.Rule, f trial.Finding) string {
	unit := unitOf(r.Metric)
	switch {
	case f.Interval.N == 0:
		return "not measured"
	case r.Contrast == trial.Count:
		return of(f.Interval, unit)
	case r.Contrast == trial.Ratio:
		return "×" + nbsp + interval(f.Interval, number)
	case r.Contrast == trial.Against:
		return inUnit(f.A, unit)
	}
	text := inUnit(f.Interval, unit)
	if f.Interval.Estimate > 0 && text != amount(0, unit) {
		return "+" + text
	}
	return text
}

// outcomeMark sets a finding's outcome against what the claim needs.
func outcomeMark(r trial.Rule, f trial.Finding) string {
	switch f.Outcome {
	case r.Of(f.Comparison).Supports:
		return "for"
	case trial.Unclear, "":
		return "unclear"
	}
	return "against"
}

// strongest picks the clearest finding for the claim and the clearest against it;
// where the answer is open also the one that is the least clear, because that is
// what keeps it open.
func strongest(v trial.Verdict) (out []trial.Finding) {
	sides := [][]int{v.For, v.Against}
	if v.Answer == trial.NotDecided || v.Answer == trial.NotMeasured {
		sides = append(sides, v.Unclear)
	}
	for _, side := range sides {
		if len(side) > 0 {
			out = append(out, v.Findings[side[0]])
		}
	}
	return out
}

// strongestLines are the strongest findings, a line each: where there are
// several, each says which way it speaks.
func strongestLines(v trial.Verdict) (lines []string) {
	fs := strongest(v)
	for _, f := range fs {
		line := f.Comparison.Name + ": " + effect(v.Rule, f)
		if len(fs) > 1 || f.Outcome == trial.Unclear {
			line = outcomeMark(v.Rule, f) + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// tally counts how the comparisons came out.
func tally(v trial.Verdict) string {
	var parts []string
	for _, side := range []struct {
		n    int
		mark string
	}{{len(v.For), "for"}, {len(v.Against), "against"}, {len(v.Unclear), "unclear"}} {
		if side.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", side.n, side.mark))
		}
	}
	return strings.Join(parts, ", ")
}

// measure says what a rule looks at and which difference it holds for none.
func measure(r trial.Rule) string {
	text := titleOf(r.Metric) + ", margin " + marginText(r, r.Margin)
	for _, g := range r.Groups {
		if g.Margin > 0 && g.Margin != r.Margin {
			text += fmt.Sprintf(", or %s for %s", marginText(r, g.Margin), g.Name)
		}
	}
	return text
}

// checked says of a claim that holds by construction that it is no finding.
const checked = "checked: true by construction, so the run finds nothing out but that the servers do as they are built"

// marginText is a margin in the terms of a rule's contrast.
func marginText(r trial.Rule, margin float64) string { return amount(margin, marginUnit(r)) }

// marginInterval is an interval in the same terms.
func marginInterval(r trial.Rule, i trial.Interval) string { return inUnit(i, marginUnit(r)) }

func marginUnit(r trial.Rule) string {
	if r.Contrast == trial.Ratio {
		return shareUnit
	}
	return unitOf(r.Metric)
}

// byClaim puts verdicts in the order of their claims.
func byClaim(vs []trial.Verdict) []trial.Verdict {
	vs = slices.Clone(vs)
	slices.SortStableFunc(vs, func(a, b trial.Verdict) int { return strings.Compare(a.Rule.Claim, b.Rule.Claim) })
	return vs
}
