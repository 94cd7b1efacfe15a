package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// why tells a person in one or two sentences what an answer rests on.
func why(r trial.Rule, unit string, a trial.Answer, findings []trial.Finding, blocks int) string {
	support, against, unclear := sides(r, findings)
	switch {
	case len(findings) == 0:
		return "The run has nothing to compare: its profile leaves out the arms that this claim is about."
	case blocks == 0:
		return fmt.Sprintf("No good trial of the experiment %s: it was skipped or did not come to its end.", r.Experiment)
	case a == trial.Supported:
		return "Holds " + everywhere(r, unit, support) + "."
	case a == trial.Refuted:
		return "Does not hold " + everywhere(r, unit, against) + "."
	case a == trial.Depends:
		s := fmt.Sprintf("Holds in %d of %d comparisons and does not in %d", len(support), len(findings), len(against))
		if len(unclear) > 0 {
			s += fmt.Sprintf(" (%d unclear)", len(unclear))
		}
		return fmt.Sprintf("%s; depends on %s. Holds most clearly for %s; clearly not for %s.", s, dependsOn(r, a, findings),
			text(r, unit, strongest(r, support)), text(r, unit, strongest(r, against)))
	}
	s := fmt.Sprintf("Unclear in %d of %d comparisons", len(unclear), len(findings))
	if n := len(findings) - len(unclear); n > 0 {
		side := "for"
		if len(against) > 0 {
			side = "against"
		}
		s += fmt.Sprintf(" (%d clearly %s the claim)", n, side)
	}
	return fmt.Sprintf("%s, such as %s: %s.", s, unclear[0].Comparison.Name, unclear[0].Why)
}

// dependsOn says which factors part yes from no; empty unless the answer is mixed.
func dependsOn(r trial.Rule, a trial.Answer, findings []trial.Finding) string {
	if a != trial.Depends {
		return ""
	}
	support, against, _ := sides(r, findings)
	return separation(support, against)
}

// everywhere names the least and the most clear of findings that agree.
func everywhere(r trial.Rule, unit string, findings []trial.Finding) string {
	strong, weak := strongest(r, findings), weakest(r, findings)
	switch {
	case len(findings) == 1:
		return "for " + text(r, unit, strong)
	case len(findings) == 2:
		return fmt.Sprintf("in both comparisons: %s; %s", text(r, unit, findings[0]), text(r, unit, findings[1]))
	case clarity(r, strong) == clarity(r, weak):
		return fmt.Sprintf("in all %d comparisons alike, such as %s", len(findings), text(r, unit, strong))
	}
	return fmt.Sprintf("in all %d comparisons, from %s to %s", len(findings), text(r, unit, weak), text(r, unit, strong))
}

func text(r trial.Rule, unit string, f trial.Finding) string {
	return f.Comparison.Name + ": " + effectText(r, unit, f)
}

func strongest(r trial.Rule, fs []trial.Finding) trial.Finding {
	return slices.MaxFunc(fs, func(x, y trial.Finding) int { return cmp.Compare(clarity(r, x), clarity(r, y)) })
}

func weakest(r trial.Rule, fs []trial.Finding) trial.Finding {
	return slices.MinFunc(fs, func(x, y trial.Finding) int { return cmp.Compare(clarity(r, x), clarity(r, y)) })
}

// clarity is how far the nearer end of the interval lies from where the outcome would be another one.
func clarity(r trial.Rule, f trial.Finding) float64 {
	low, high, reference := f.Interval.Low, f.Interval.High, 0.0
	switch r.Contrast {
	case trial.Ratio:
		low, high = math.Log(low), math.Log(high)
	case trial.Count:
		reference = f.Comparison.Reference
	}
	switch f.Outcome {
	case trial.More:
		return low - reference
	case trial.Less:
		return reference - high
	}
	return -max(high-reference, reference-low)
}

// separation says which factors part two groups of findings. If one factor has
// no value in common it is that one, else a pair of factors; if no pair parts
// them either, the comparisons are named.
func separation(support, against []trial.Finding) string {
	keys := factorKeys(slices.Concat(support, against))
	for size := 1; size <= 2; size++ {
		if found := separators(keys, size, support, against); len(found) > 0 {
			first := found[0]
			s := strings.Join(first, " and ") + ": " + parted(first, support, against)
			for _, other := range found[1:] {
				if size == 1 {
					s += fmt.Sprintf(" (%s parts them as well)", other[0])
				}
			}
			return s
		}
	}
	return fmt.Sprintf("more than two factors: yes for %s; no for %s", names(support), names(against))
}

// separators lists the sets of keys whose values part the groups, those with the fewest combinations of values first.
func separators(keys []string, size int, support, against []trial.Finding) (found [][]string) {
	var sets [][]string
	for i, k := range keys {
		if size == 1 {
			sets = append(sets, []string{k})
			continue
		}
		for _, l := range keys[i+1:] {
			sets = append(sets, []string{k, l})
		}
	}
	width := func(set []string) int { return len(tuples(set, support)) + len(tuples(set, against)) }
	for _, set := range sets {
		yes, no := tuples(set, support), tuples(set, against)
		if yes == nil || no == nil {
			continue // a comparison does not have the factor
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(yes)), func(t [2]string) bool { return no[t] }) {
			found = append(found, set)
		}
	}
	slices.SortStableFunc(found, func(x, y []string) int { return cmp.Compare(width(x), width(y)) })
	return found
}

// tuples is the set of values that findings have for one or two keys; nil if one lacks a key.
func tuples(keys []string, fs []trial.Finding) map[[2]string]bool {
	set := map[[2]string]bool{}
	for _, f := range fs {
		var t [2]string
		for i, k := range keys {
			v, ok := factor(f.Comparison, k)
			if !ok {
				return nil
			}
			t[i] = v
		}
		set[t] = true
	}
	return set
}

// parted lists the values on both sides: "yes with memory; no with redis, postgres".
func parted(keys []string, support, against []trial.Finding) string {
	return "yes with " + values(keys, support) + "; no with " + values(keys, against)
}

// values lists what findings have for one key, or for two as "HS256 (redis, postgres)".
func values(keys []string, fs []trial.Finding) string {
	var order []string
	inner := map[string][]string{}
	for _, f := range fs {
		outer, _ := factor(f.Comparison, keys[0])
		if inner[outer] == nil {
			order = append(order, outer)
			inner[outer] = []string{}
		}
		if len(keys) > 1 {
			if v, _ := factor(f.Comparison, keys[1]); !slices.Contains(inner[outer], v) {
				inner[outer] = append(inner[outer], v)
			}
		}
	}
	for i, o := range order {
		if len(keys) > 1 {
			order[i] = fmt.Sprintf("%s (%s)", o, strings.Join(inner[o], ", "))
		}
	}
	return strings.Join(order, ", ")
}

// factorKeys lists the factors of findings in order of their first appearance.
func factorKeys(fs []trial.Finding) (keys []string) {
	for _, f := range fs {
		for _, kv := range f.Comparison.Factors {
			if k, _, ok := strings.Cut(kv, "="); ok && !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func factor(c trial.Comparison, key string) (value string, ok bool) {
	for _, kv := range c.Factors {
		if k, v, _ := strings.Cut(kv, "="); k == key {
			return v, true
		}
	}
	return "", false
}

// names lists a few comparisons.
func names(fs []trial.Finding) string {
	const shown = 4
	var ns []string
	for _, f := range fs[:min(shown, len(fs))] {
		ns = append(ns, f.Comparison.Name)
	}
	if more := len(fs) - shown; more > 0 {
		ns = append(ns, fmt.Sprintf("%d more", more))
	}
	return strings.Join(ns, ", ")
}
