package analysis

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// sides parts the findings, by position: those that support the claim and those
// that are clearly otherwise, the clearest first, and the unclear ones, the least
// clear first. What is equally clear keeps its order.
func sides(r trial.Rule, findings []trial.Finding) (support, against, unclear []int) {
	for i, f := range findings {
		switch f.Outcome {
		case r.Supports:
			support = append(support, i)
		case trial.Unclear:
			unclear = append(unclear, i)
		default:
			against = append(against, i)
		}
	}
	clear := func(i int) float64 { return math.Round(clarity(r, findings[i])*1e9) / 1e9 } // the order of blocks does not show
	clearer := func(i, j int) int { return cmp.Compare(clear(j), clear(i)) }
	slices.SortStableFunc(support, clearer)
	slices.SortStableFunc(against, clearer)
	slices.SortStableFunc(unclear, func(i, j int) int { return -clearer(i, j) })
	return support, against, unclear
}

// clarity is how far the interval's nearer end lies beyond the bound at which the
// outcome would be another; of an unclear outcome, below 0, how near it comes to
// its nearest bound.
func clarity(r trial.Rule, f trial.Finding) float64 {
	low, high, beyond, within := f.Interval.Low, f.Interval.High, f.Margin, r.Margin
	switch r.Contrast {
	case trial.Ratio:
		low, high, beyond, within = math.Log(low), math.Log(high), math.Log1p(beyond), math.Log1p(within)
	case trial.Count:
		low, high = low-f.Comparison.Reference, high-f.Comparison.Reference
	}
	more, less, same := low-beyond, -beyond-high, within-max(high, -low)
	switch {
	case f.Reason != nil && f.Reason.Cause == trial.FewBlocks:
		return math.Inf(-1)
	case f.Outcome == trial.More:
		return more
	case f.Outcome == trial.Less:
		return less
	case f.Outcome == trial.Same:
		return same
	}
	return max(more, less, same)
}

func pick(fs []trial.Finding, positions []int) (picked []trial.Finding) {
	for _, i := range slices.Sorted(slices.Values(positions)) {
		picked = append(picked, fs[i])
	}
	return picked
}

// separation says which factors part two groups of findings: one that has no
// level in common if there is one, else a pair of factors, if there is one.
func separation(support, against []trial.Finding) *trial.Separation {
	keys := factorKeys(slices.Concat(support, against))
	for size := 1; size <= 2; size++ {
		found := separators(keys, size, support, against)
		if len(found) == 0 {
			continue
		}
		s := &trial.Separation{Factors: found[0], Yes: levels(found[0], support), No: levels(found[0], against)}
		for _, other := range found[1:] {
			if size == 1 {
				s.Also = append(s.Also, other[0])
			}
		}
		return s
	}
	return &trial.Separation{}
}

// separators lists the sets of keys whose levels part the groups, those with the fewest combinations of levels first.
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
	width := func(set []string) int { return len(levels(set, support)) + len(levels(set, against)) }
	for _, set := range sets {
		yes, no := levels(set, support), levels(set, against)
		if yes == nil || no == nil {
			continue // a comparison does not have the factor
		}
		if !slices.ContainsFunc(yes, func(y []string) bool {
			return slices.ContainsFunc(no, func(n []string) bool { return slices.Equal(y, n) })
		}) {
			found = append(found, set)
		}
	}
	slices.SortStableFunc(found, func(x, y []string) int { return cmp.Compare(width(x), width(y)) })
	return found
}

// levels are those that findings have of some factors, each combination once, in
// order of appearance; nil if a finding lacks a factor.
func levels(keys []string, fs []trial.Finding) (found [][]string) {
	for _, f := range fs {
		var combination []string
		for _, k := range keys {
			v, ok := factor(f.Comparison, k)
			if !ok {
				return nil
			}
			combination = append(combination, v)
		}
		if !slices.ContainsFunc(found, func(c []string) bool { return slices.Equal(c, combination) }) {
			found = append(found, combination)
		}
	}
	return found
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
