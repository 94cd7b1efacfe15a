package report

import (
	"fmt"
	"strings"

	"authbench/bench/trial"
)

// Why tells a person in one or two sentences what an answer rests on. The
// findings that [strongest] picks stand beside it, with their figures.
func Why(v trial.Verdict) string {
	switch all := len(v.Findings); {
	case all == 0:
		return "The run has nothing to compare: its profile leaves out the arms that this claim is about."
	case v.Blocks == 0:
		return fmt.Sprintf("No good trial of the experiment %s: it was skipped or did not come to its end.", v.Rule.Experiment)
	case v.Answer == trial.Supported:
		return "Holds " + everywhere(v, v.For) + "."
	case v.Answer == trial.Refuted:
		return "Does not hold " + everywhere(v, v.Against) + "."
	case v.Answer == trial.Depends:
		s := fmt.Sprintf("Holds in %d of %d comparisons and does not in %d", len(v.For), all, len(v.Against))
		if n := len(v.Unclear); n > 0 {
			s += fmt.Sprintf(" (%d unclear)", n)
		}
		return s + "; depends on " + dependsOn(v) + "."
	}
	s := fmt.Sprintf("Unclear in %d of %s", len(v.Unclear), plural(len(v.Findings), "comparison", "comparisons"))
	switch {
	case len(v.For) > 0:
		s += fmt.Sprintf(" (%d clearly for the claim)", len(v.For))
	case len(v.Against) > 0:
		s += fmt.Sprintf(" (%d clearly against the claim)", len(v.Against))
	}
	least := v.Findings[v.Unclear[0]]
	if len(v.Findings) == 1 {
		return fmt.Sprintf("Unclear in the one comparison, %s: %s.", least.Comparison.Name, reason(v.Rule, least))
	}
	return fmt.Sprintf("%s, such as %s: %s.", s, least.Comparison.Name, reason(v.Rule, least))
}

// everywhere names the least clear of findings that agree.
func everywhere(v trial.Verdict, side []int) string {
	clearest, least := v.Findings[side[0]], v.Findings[side[len(side)-1]]
	in := fmt.Sprintf("in all %d comparisons", len(side))
	switch {
	case len(side) == 1:
		return "in the one comparison"
	case len(side) == 2:
		in = "in both comparisons"
	}
	if effect(v.Rule, clearest) == effect(v.Rule, least) {
		return in + " alike"
	}
	return fmt.Sprintf("%s, least clearly for %s: %s", in, least.Comparison.Name, effect(v.Rule, least))
}

// reason says why a finding is unclear; nothing of one that is not.
func reason(r trial.Rule, f trial.Finding) string {
	if f.Reason == nil {
		return ""
	}
	margin := marginText(r, f.Margin)
	edge := "the margin of " + margin
	if ref := f.Comparison.Reference; ref != 0 {
		edge += " around " + amount(ref, unitOf(r.Metric))
	}
	switch f.Reason.Cause {
	case trial.FewBlocks:
		var missing []string
		for _, m := range f.Reason.Missing {
			missing = append(missing, m.Error+" ("+blockNumbers(m.Blocks)+")")
		}
		s := fmt.Sprintf("%d of the %s needed: %s", f.Reason.Blocks, plural(f.Reason.Needed, "block", "blocks"), strings.Join(missing, "; "))
		return strings.TrimSuffix(s, ": ")
	case trial.BelowFloor:
		return "the effect lies below the noise floor of " + margin
	case trial.ByChance:
		place := "beyond"
		if f.Reason.Alone == trial.Same {
			place = "within"
		}
		return fmt.Sprintf("by itself it lies %s %s, but one of %d comparisons may do so by chance (p = %s)",
			place, edge, len(r.Compare), number(f.P))
	}
	return "the interval reaches over " + edge
}

// blockNumbers is "block 2", or "blocks 2, 3".
func blockNumbers(blocks []int) string {
	word := "block"
	if len(blocks) > 1 {
		word = "blocks"
	}
	return word + " " + strings.Trim(strings.ReplaceAll(fmt.Sprint(blocks), " ", ", "), "[]")
}

// dependsOn says which factors part yes from no, and how.
func dependsOn(v trial.Verdict) string {
	s := v.DependsOn
	if s == nil {
		return "what was not recorded"
	}
	if len(s.Factors) == 0 {
		return "more than two factors: " + dependence(v)
	}
	text := strings.Join(s.Factors, " and ") + ": " + dependence(v)
	for _, other := range s.Also {
		text += fmt.Sprintf(" (%s parts them as well)", other)
	}
	return text
}

// dependence says with what a mixed answer is yes and with what no.
func dependence(v trial.Verdict) string {
	switch s := v.DependsOn; {
	case s == nil:
		return ""
	case len(s.Factors) == 0:
		return "yes for " + names(v, v.For) + "; no for " + names(v, v.Against)
	default:
		return "yes with " + levels(s.Yes) + "; no with " + levels(s.No)
	}
}

// levels lists those of one factor, or of two as "HS256 (redis, postgres)".
func levels(combinations [][]string) string {
	var order []string
	inner := map[string][]string{}
	for _, c := range combinations {
		if _, seen := inner[c[0]]; !seen {
			order = append(order, c[0])
		}
		inner[c[0]] = append(inner[c[0]], c[1:]...)
	}
	for i, o := range order {
		if len(inner[o]) > 0 {
			order[i] = fmt.Sprintf("%s (%s)", o, strings.Join(inner[o], ", "))
		}
	}
	return strings.Join(order, ", ")
}

// names lists a few findings' comparisons, the clearest first.
func names(v trial.Verdict, side []int) string {
	const shown = 4
	var ns []string
	for _, i := range side[:min(shown, len(side))] {
		ns = append(ns, v.Findings[i].Comparison.Name)
	}
	if more := len(side) - shown; more > 0 {
		ns = append(ns, fmt.Sprintf("%d more", more))
	}
	return strings.Join(ns, ", ")
}

// Warnings are what a reader of a verdict's figures must know, in words.
func Warnings(v trial.Verdict) (ws []string) {
	warn := func(format string, args ...any) { ws = append(ws, fmt.Sprintf(format, args...)) }
	for _, f := range v.Floors {
		at := ""
		if f.Step != "" {
			at = " at " + f.Step
		}
		warn("two identical cells differ by %s in %s%s, more than the margin of %s: no effect below that noise floor counts",
			marginText(v.Rule, f.Floor), v.Rule.Metric, at, marginText(v.Rule, v.Rule.Margin))
	}
	for _, f := range v.Findings {
		if f.Dispersion > 0 {
			warn("%s: the share varies %s times as much between trials as chance allows: its interval is too narrow",
				f.Comparison.Name, number(f.Dispersion))
		}
	}
	if v.Aborted > 0 {
		warn("%s of %s did not come to an end", plural(v.Aborted, "trial", "trials"), v.Rule.Experiment)
	}
	if v.Remarked > 0 {
		warn("%s, which the report's list of warnings holds",
			plural(v.Remarked, "trial behind this carries warnings", "trials behind this carry warnings"))
	}
	if v.LetIn > 0 {
		warn("%s still let in when their script stopped watching: their lag is a lower bound", plural(v.LetIn, "user was", "users were"))
	}
	if len(v.LeftOut) > 0 {
		n, parts := 0, []string{}
		for _, l := range v.LeftOut {
			n += l.N
			parts = append(parts, fmt.Sprintf("%d for %s", l.N, l.Cause))
		}
		same := "is the same"
		if v.WithAll != v.Answer {
			same = "would be: " + string(v.WithAll)
		}
		warn("%d of %d measurements were left out (%s); with doubts ignored the answer %s", n, v.Measured, strings.Join(parts, ", "), same)
	}
	return ws
}
