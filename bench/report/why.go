package report

import (
	"fmt"
	"math"
	"strings"

	"authbench/bench/trial"
)

// Why tells a person in a few sentences what an answer rests on. The findings
// that [strongest] picks stand beside it, with their figures.
func Why(v trial.Verdict) string {
	switch {
	case len(v.Findings) == 0:
		return "The run has nothing to compare: its profile leaves out the arms that this claim is about."
	case v.Blocks == 0:
		return fmt.Sprintf("No good trial of the experiment %s: it was skipped or did not come to its end.", v.Rule.Experiment)
	case len(v.Parts) == 0:
		return because(v, v.Judgement)
	}
	var said []string
	for _, p := range v.Parts {
		said = append(said, fmt.Sprintf("%s for %s: %s", capitalised(string(p.Answer)), p.Name, small(because(v, p.Judgement))))
	}
	return strings.Join(said, " ")
}

// because says what one judgement of a verdict rests on.
func because(v trial.Verdict, j trial.Judgement) string {
	all := len(j.For) + len(j.Against) + len(j.Unclear)
	switch j.Answer {
	case trial.Supported:
		return "Holds " + everywhere(v, j.For) + "."
	case trial.Refuted:
		return "Does not hold " + everywhere(v, j.Against) + "."
	case trial.Depends:
		s := fmt.Sprintf("Holds in %d of %d comparisons and does not in %d", len(j.For), all, len(j.Against))
		if n := len(j.Unclear); n > 0 {
			s += fmt.Sprintf(" (%d unclear)", n)
		}
		return s + "; depends on " + dependsOn(j.DependsOn) + "."
	case trial.Partly:
		s := fmt.Sprintf("Decided in %d of %d comparisons: holds for %s; does not for %s", all-len(j.Unclear), all, names(v, j.For),
			names(v, j.Against))
		if len(j.Unclear) > 0 {
			s += fmt.Sprintf("; unclear for %s: %s", names(v, j.Unclear), reason(v.Rule, v.Findings[j.Unclear[0]]))
		}
		return s + "."
	}
	least := v.Findings[j.Unclear[0]]
	if j.Answer == trial.NotMeasured {
		return fmt.Sprintf("No figure counts, such as of %s: %s.", least.Comparison.Name, reason(v.Rule, least))
	}
	why := fmt.Sprintf("%s: %s. %s", least.Comparison.Name, reason(v.Rule, least), remedy(v, j))
	if all == 1 {
		return "Unclear in the one comparison, " + why
	}
	s := fmt.Sprintf("Unclear in %d of %d comparisons", len(j.Unclear), all)
	switch {
	case len(j.For) > 0:
		s += fmt.Sprintf(" (%d clearly for the claim)", len(j.For))
	case len(j.Against) > 0:
		s += fmt.Sprintf(" (%d clearly against the claim)", len(j.Against))
	}
	return s + ", such as " + why
}

// remedy says what would decide an open answer.
func remedy(v trial.Verdict, j trial.Judgement) string {
	r := j.Remedy
	if r != nil && r.Blocks > 0 {
		return fmt.Sprintf("About %s (%s) would decide it, if what was seen so far goes on.", plural(r.Blocks, "more block", "more blocks"),
			duration(r.Seconds))
	}
	for _, i := range j.Unclear {
		f := v.Findings[i]
		if f.Reason == nil || f.Reason.More > 0 {
			continue
		}
		switch f.Reason.Cause {
		case trial.AcrossEdge, trial.ByChance:
			return fmt.Sprintf("No number of blocks would decide it: of %s the effect lies on the edge.", f.Comparison.Name)
		case trial.Censored:
			return fmt.Sprintf("No number of blocks would decide it: %s wants a longer watch.", f.Comparison.Name)
		case trial.Biased:
			return "No number of blocks would decide it with this instrument."
		}
		return fmt.Sprintf("More blocks of the same kind would not decide it: of %s, %s.", f.Comparison.Name, reason(v.Rule, f))
	}
	return ""
}

// duration is a time for a reader: seconds, or minutes where there are some.
func duration(seconds float64) string {
	if seconds < 90 {
		return plural(int(math.Ceil(seconds)), "second", "seconds")
	}
	return plural(int(math.Round(seconds/60)), "minute", "minutes")
}

func capitalised(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func small(s string) string { return strings.ToLower(s[:1]) + s[1:] }

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
	edge := "the margin of " + marginText(r, f.Margin)
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
	case trial.Biased:
		return "the instrument is biased there: two identical cells differ by more than the margin"
	case trial.Censored:
		return "figures are lower bounds, for their script stopped watching"
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
func dependsOn(s *trial.Separation) string {
	text := strings.Join(s.Factors, " and ") + ": " + yesAndNo(s)
	for _, other := range s.Also {
		text += fmt.Sprintf(" (%s parts them as well)", other)
	}
	return text
}

func yesAndNo(s *trial.Separation) string {
	return "yes with " + levels(s.Yes) + "; no with " + levels(s.No)
}

// dependence says where a mixed answer is yes and where no.
func dependence(v trial.Verdict) string {
	switch {
	case v.DependsOn != nil:
		return yesAndNo(v.DependsOn)
	case len(v.Parts) > 0:
		return parted(v)
	case v.Answer == trial.Partly:
		return "yes for " + names(v, v.For) + "; no for " + names(v, v.Against)
	}
	return ""
}

// parted is the answer of each group: "supported for these; refuted for those".
func parted(v trial.Verdict) string {
	var said []string
	for _, p := range v.Parts {
		text := string(p.Answer) + " for " + p.Name
		if r := p.Remedy; r != nil && r.Blocks > 0 {
			text += fmt.Sprintf(" (about %s, %s)", plural(r.Blocks, "more block", "more blocks"), duration(r.Seconds))
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ")
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
func Warnings(v trial.Verdict) []string {
	ws := ownWarnings(v)
	if text := remarked(v); text != "" {
		ws = append(ws, text)
	}
	return ws
}

// remarked says that trials behind a verdict carry remarks; "" where none does.
func remarked(v trial.Verdict) string {
	if v.Remarked == 0 {
		return ""
	}
	return plural(v.Remarked, "trial behind this carries", "trials behind this carry") +
		" doubts or warnings, which the end of the report lists"
}

// ownWarnings are those that are not the trials'.
func ownWarnings(v trial.Verdict) (ws []string) {
	warn := func(format string, args ...any) { ws = append(ws, fmt.Sprintf(format, args...)) }
	ws = append(ws, failures(v)...)
	for _, f := range v.Findings {
		if f.Dispersion > 0 {
			warn("%s: the share varies %s times as much between trials as chance allows: its interval is too narrow",
				f.Comparison.Name, number(f.Dispersion))
		}
	}
	if v.Aborted > 0 {
		warn("%s of %s did not come to an end", plural(v.Aborted, "trial", "trials"), v.Rule.Experiment)
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

// failures says what is wrong with the instrument where it failed, or could not
// be shown to be right: what two identical cells differ by is not within the bound.
func failures(v trial.Verdict) (ws []string) {
	for _, f := range []struct {
		biased bool
		words  string
	}{
		{true, "THE INSTRUMENT FAILED: two identical cells differ in %s by %s, where at most %s is allowed: nothing is decided there"},
		{false, "the instrument is unproven: two identical cells differ in %s by %s, which does not show that they are alike to %s: " +
			"lean on nothing that is as small"},
	} {
		var at []string
		bound := 0.0
		for _, c := range v.Instrument {
			if !c.Unproven || c.Biased != f.biased {
				continue
			}
			bound = c.Bound
			place := marginInterval(v.Rule, c.Interval)
			if c.Step != "" {
				place += " at " + c.Step
			}
			at = append(at, place)
		}
		if len(at) > 0 {
			ws = append(ws, fmt.Sprintf(f.words, v.Rule.Metric, strings.Join(at, ", "), marginText(v.Rule, bound)))
		}
	}
	return ws
}

// instrumentLabel is what a reader must know of the instrument before leaning on an answer, or "".
func instrumentLabel(v trial.Verdict) string {
	label := ""
	for _, c := range v.Instrument {
		switch {
		case c.Biased:
			return "instrument failed"
		case c.Unproven:
			label = "instrument unproven"
		}
	}
	return label
}
