package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// unitOf is a metric's unit for a reader; none for a share, and for a metric of another version.
func unitOf(metric string) string {
	for _, m := range analysis.Metrics() {
		if m.Name == metric && m.Unit != "share" {
			return strings.Replace(m.Unit, "us", "µs", 1)
		}
	}
	return ""
}

func isShare(metric string) bool {
	return slices.ContainsFunc(analysis.Metrics(), func(m analysis.Metric) bool { return m.Name == metric && m.Unit == "share" })
}

func withUnit(figure, unit string) string {
	if unit == "" {
		return figure
	}
	return figure + nbsp + unit
}

// effect says how large a finding is, in the words of its contrast.
func effect(r trial.Rule, f trial.Finding) string {
	unit := unitOf(r.Metric)
	switch {
	case f.Interval.N == 0:
		return "not measured"
	case r.Contrast == trial.Count && f.A.N > 0:
		return share(f.A)
	case r.Contrast == trial.Count:
		return share(f.Interval)
	case r.Contrast == trial.Ratio:
		return "×" + nbsp + interval(f.Interval, number)
	case r.Contrast == trial.Against && isShare(r.Metric):
		return interval(f.A, percent)
	case r.Contrast == trial.Against:
		return withUnit(interval(f.A, number), unit)
	}
	return withUnit(strings.TrimSpace(signed(f.Interval.Estimate)+" "+limits(f.Interval, number)), unit)
}

// outcomeMark sets a finding's outcome against what the claim needs.
func outcomeMark(r trial.Rule, f trial.Finding) string {
	switch f.Outcome {
	case r.Supports:
		return "for"
	case trial.Unclear, "":
		return "unclear"
	}
	return "against"
}

// magnitude orders findings by how far they lie from no difference, in margins.
func magnitude(r trial.Rule, f trial.Finding) float64 {
	distance := math.Abs(f.Interval.Estimate)
	if r.Contrast == trial.Ratio {
		distance = math.Abs(math.Log(f.Interval.Estimate))
	}
	if math.IsNaN(distance) || math.IsInf(distance, 0) {
		return -1
	}
	if m := max(f.Margin, r.Margin); m > 0 {
		distance /= m
	}
	return distance
}

// strongest picks the strongest finding for the claim and the
// strongest against it; where the answer is open also the one that is the
// least clear, because that is what keeps it open.
func strongest(v trial.Verdict) []trial.Finding {
	best := map[string]trial.Finding{}
	for _, f := range v.Findings {
		mark := outcomeMark(v.Rule, f)
		if b, ok := best[mark]; !ok || cmp.Compare(magnitude(v.Rule, f), magnitude(v.Rule, b)) > 0 {
			best[mark] = f
		}
	}
	var out []trial.Finding
	for _, mark := range []string{"for", "against", "unclear"} {
		if f, ok := best[mark]; ok && (mark != "unclear" || v.Answer == trial.Inconclusive) {
			out = append(out, f)
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
	n := map[string]int{}
	for _, f := range v.Findings {
		n[outcomeMark(v.Rule, f)]++
	}
	var parts []string
	for _, mark := range []string{"for", "against", "unclear"} {
		if n[mark] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[mark], mark))
		}
	}
	return strings.Join(parts, ", ")
}

// measure says what a rule looks at and which difference it holds for none.
func measure(r trial.Rule) string {
	for _, m := range analysis.Metrics() {
		if m.Name == r.Metric {
			return m.Title + ", margin " + marginText(r)
		}
	}
	return r.Metric + ", margin " + marginText(r)
}

// marginText says what difference the rule holds for none.
func marginText(r trial.Rule) string {
	if r.Contrast == trial.Ratio || r.Contrast == trial.Count || isShare(r.Metric) {
		return percent(r.Margin)
	}
	return withUnit(number(r.Margin), unitOf(r.Metric))
}

// byClaim puts verdicts in the order of their claims.
func byClaim(vs []trial.Verdict) []trial.Verdict {
	vs = slices.Clone(vs)
	slices.SortStableFunc(vs, func(a, b trial.Verdict) int { return strings.Compare(a.Rule.Claim, b.Rule.Claim) })
	return vs
}
