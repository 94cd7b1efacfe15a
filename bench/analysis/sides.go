package analysis

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// judgement is the answer for some of a rule's comparisons. Those that are clear
// by themselves become unclear again where some hold and some do not, and Holm's
// correction leaves too little of them.
func judgement(all []*compared, among func(*compared) bool) trial.Judgement {
	var family []*compared
	for _, f := range all {
		if among(f) {
			family = append(family, f)
		}
	}
	j := sides(all, among)
	if len(j.For) > 0 && len(j.Against) > 0 {
		correct(family)
		j = sides(all, among)
	}
	switch n := len(family); {
	case !slices.ContainsFunc(family, func(f *compared) bool { return f.Interval.N > 0 }):
		j.Answer = trial.NotMeasured
	case len(j.For) == n:
		j.Answer = trial.Supported
	case len(j.Against) == n:
		j.Answer = trial.Refuted
	case len(j.For) > 0 && len(j.Against) > 0:
		j.Answer = trial.Partly
		if float64(len(j.Unclear)) <= trial.MostUnclear*float64(n) {
			j.DependsOn = separation(pick(all, j.For), pick(all, j.Against), pick(all, j.Unclear))
		}
		if j.DependsOn != nil {
			j.Answer = trial.Depends
		}
	default:
		j.Answer, j.Remedy = trial.NotDecided, remedy(all, j.Unclear)
	}
	return j
}

// together is the answer for a rule whose groups have theirs.
func together(all []*compared, parts []trial.Part) trial.Judgement {
	j := sides(all, func(*compared) bool { return true })
	first := parts[0].Answer
	alike, decided := first != trial.Depends, false
	for _, p := range parts {
		alike = alike && p.Answer == first
		decided = decided || p.Answer != trial.NotDecided && p.Answer != trial.NotMeasured
	}
	switch {
	case alike:
		j.Answer = first
	case decided:
		j.Answer = trial.Partly
	default:
		j.Answer = trial.NotDecided
	}
	if j.Answer == trial.NotDecided {
		j.Remedy = remedy(all, j.Unclear)
	}
	return j
}

// remedy is what would decide the unclear ones, all of them.
func remedy(all []*compared, unclear []int) *trial.Remedy {
	n := &trial.Remedy{}
	for _, i := range unclear {
		if all[i].Reason.More == 0 {
			return &trial.Remedy{}
		}
		n.Blocks = max(n.Blocks, all[i].Reason.More)
	}
	return n
}

// sides parts comparisons, by position: those that support the claim and those
// that are clearly otherwise, the clearest first, and the unclear ones, the least
// clear first. What is equally clear keeps its order.
func sides(all []*compared, among func(*compared) bool) (j trial.Judgement) {
	for i, f := range all {
		switch {
		case !among(f):
		case f.Outcome == f.rule.Supports:
			j.For = append(j.For, i)
		case f.Outcome == trial.Unclear:
			j.Unclear = append(j.Unclear, i)
		default:
			j.Against = append(j.Against, i)
		}
	}
	clear := func(i int) float64 { return math.Round(clarity(all[i])*1e9) / 1e9 } // the order of blocks does not show
	clearer := func(i, j int) int { return cmp.Compare(clear(j), clear(i)) }
	slices.SortStableFunc(j.For, clearer)
	slices.SortStableFunc(j.Against, clearer)
	slices.SortStableFunc(j.Unclear, func(a, b int) int { return -clearer(a, b) })
	return j
}

// clarity is how far the interval's nearer end lies beyond the bound at which the
// outcome would be another; of an unclear outcome, below 0, how near it comes to
// its nearest bound.
func clarity(f *compared) float64 {
	low, high, margin := f.Interval.Low, f.Interval.High, f.Margin
	switch f.rule.Contrast {
	case trial.Ratio:
		low, high, margin = math.Log(low), math.Log(high), math.Log1p(margin)
	case trial.Count:
		low, high = low-f.Comparison.Reference, high-f.Comparison.Reference
	}
	more, less, same := low-margin, -margin-high, margin-max(high, -low)
	notMore, notLess := margin-high, low+margin
	if f.Reason != nil && f.Reason.Cause == trial.FewBlocks {
		return math.Inf(-1)
	}
	switch f.Outcome {
	case trial.More:
		return more
	case trial.Less:
		return less
	case trial.Same:
		return same
	case trial.NotMore:
		return notMore
	case trial.NotLess:
		return notLess
	}
	switch f.rule.Supports {
	case trial.More:
		return max(more, notMore)
	case trial.Less:
		return max(less, notLess)
	}
	return max(more, less, same)
}

func pick(all []*compared, positions []int) (picked []trial.Comparison) {
	for _, i := range slices.Sorted(slices.Values(positions)) {
		picked = append(picked, all[i].Comparison)
	}
	return picked
}

// separation says which factors part two groups of comparisons: one that has no
// level in common if there is one, else, if nothing is unclear, a pair of factors;
// nil if there is none. Unclear ones must lie at other levels than both; two
// factors often name every comparison by itself, and would part whatever is clear.
func separation(support, against, unclear []trial.Comparison) *trial.Separation {
	keys := factorKeys(slices.Concat(support, against))
	for size := 1; size == 1 || size == 2 && len(unclear) == 0; size++ {
		found := separators(keys, size, support, against, unclear)
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
	return nil
}

// separators lists the sets of keys whose levels part the groups, those with the fewest combinations of levels first.
func separators(keys []string, size int, support, against, unclear []trial.Comparison) (found [][]string) {
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
		open := levels(set, unclear)
		if open == nil && len(unclear) > 0 {
			continue
		}
		if !meet(yes, no) && !meet(open, slices.Concat(yes, no)) {
			found = append(found, set)
		}
	}
	slices.SortStableFunc(found, func(x, y []string) int { return cmp.Compare(width(x), width(y)) })
	return found
}

// meet says whether two lists of combinations have one in common.
func meet(xs, ys [][]string) bool {
	return slices.ContainsFunc(xs, func(x []string) bool {
		return slices.ContainsFunc(ys, func(y []string) bool { return slices.Equal(x, y) })
	})
}

// levels are those that comparisons have of some factors, each combination once, in
// order of appearance; nil if one lacks a factor.
func levels(keys []string, cs []trial.Comparison) (found [][]string) {
	for _, c := range cs {
		var combination []string
		for _, k := range keys {
			v, ok := factor(c, k)
			if !ok {
				return nil
			}
			combination = append(combination, v)
		}
		if !slices.ContainsFunc(found, func(f []string) bool { return slices.Equal(f, combination) }) {
			found = append(found, combination)
		}
	}
	return found
}

// factorKeys lists the factors of comparisons in order of their first appearance.
func factorKeys(cs []trial.Comparison) (keys []string) {
	for _, c := range cs {
		for _, kv := range c.Factors {
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
