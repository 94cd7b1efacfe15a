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
		return "× " + interval(f.Interval, number)
	case r.Contrast == trial.Against:
		return strings.TrimSpace(interval(f.A, number) + " " + unit)
	}
	return strings.TrimSpace(signed(f.Interval.Estimate) + " " + limits(f.Interval, number) + " " + unit)
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

// strongest picks the finding that speaks loudest for the claim, the one that
// speaks loudest against it, and an unclear one where there is no other.
func strongest(v trial.Verdict) []trial.Finding {
	best := map[string]trial.Finding{}
	for _, f := range v.Findings {
		mark := outcomeMark(v.Rule, f)
		if b, ok := best[mark]; !ok || cmp.Compare(magnitude(v.Rule, f), magnitude(v.Rule, b)) > 0 {
			best[mark] = f
		}
	}
	var out []trial.Finding
	for _, mark := range []string{"for", "against"} {
		if f, ok := best[mark]; ok {
			out = append(out, f)
		}
	}
	if f, ok := best["unclear"]; ok && len(out) == 0 {
		out = append(out, f)
	}
	return out
}

// strongestText is the strongest findings in one line.
func strongestText(v trial.Verdict) string {
	var parts []string
	for _, f := range strongest(v) {
		parts = append(parts, f.Comparison.Name+": "+effect(v.Rule, f))
	}
	return strings.Join(parts, "; ")
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

// marginText says what difference the rule holds for none.
func marginText(r trial.Rule) string {
	switch r.Contrast {
	case trial.Ratio:
		return percent(r.Margin)
	case trial.Count:
		return percent(r.Margin) + " of requests"
	}
	return strings.TrimSpace(number(r.Margin) + " " + unitOf(r.Metric))
}

// byClaim puts verdicts in the order of their claims.
func byClaim(vs []trial.Verdict) []trial.Verdict {
	vs = slices.Clone(vs)
	slices.SortStableFunc(vs, func(a, b trial.Verdict) int { return strings.Compare(a.Rule.Claim, b.Rule.Claim) })
	return vs
}
