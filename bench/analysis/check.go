package analysis

import (
	"fmt"
	"math"
	"slices"

	"authbench/bench/trial"
)

// CheckRule says why a rule decides nothing, whatever is measured and however
// often: that is known before the first trial.
func CheckRule(r trial.Rule) error {
	m, err := check(r)
	if err != nil {
		return err
	}
	for _, c := range r.Compare {
		if err := decidable(r.Of(c), m, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// BlocksNeeded is the least number of blocks whose figures a rule answers from:
// its own, and 2 where an effect needs an interval, for one has no spread.
func BlocksNeeded(r trial.Rule) int {
	if r.Contrast == trial.Count {
		return max(1, r.MinBlocks)
	}
	return max(2, r.MinBlocks)
}

// check finds the rule's metric and whatever makes the rule unreadable.
func check(r trial.Rule) (Metric, error) {
	m, err := Lookup(r.Metric)
	if err != nil {
		return m, err
	}
	if !slices.Contains([]trial.Contrast{trial.Difference, trial.Ratio, trial.Against, trial.Count}, r.Contrast) {
		return m, fmt.Errorf("unknown contrast %q: want difference, ratio, against or count", r.Contrast)
	}
	if r.Contrast == trial.Count && m.count == nil {
		return m, fmt.Errorf("metric %s is no number of events in a number of chances: contrast it by difference, ratio or against", m.Name)
	}
	for _, c := range append(slices.Clone(r.Compare), trial.Comparison{}) {
		if len(r.Groups) > 0 && c.Name != "" && !slices.ContainsFunc(r.Groups, func(g trial.Group) bool { return g.Name == c.Group }) {
			return m, fmt.Errorf("%s is of the group %q, which the rule does not have", c.Name, c.Group)
		}
		of := r.Of(c)
		if !slices.Contains([]trial.Direction{trial.More, trial.Less, trial.Same}, of.Supports) {
			return m, fmt.Errorf("an outcome %q cannot support a claim: more, less or same can", of.Supports)
		}
		if !(of.Margin >= 0) {
			return m, fmt.Errorf("a margin of %v: it must not be negative", of.Margin)
		}
	}
	return m, nil
}

// decidable says why a comparison cannot come out both for the claim and against
// it, whatever the figures. r applies to it.
func decidable(r trial.Rule, m Metric, c trial.Comparison) error {
	least, most := math.Inf(-1), math.Inf(1) // of the effect
	if r.Contrast == trial.Against || r.Contrast == trial.Count {
		least = -c.Reference // no figure here is below 0
		if r.Contrast == trial.Count && !m.many {
			most = 1 - c.Reference
		}
		if least > 0 || most < 0 {
			return fmt.Errorf("a reference of %v, which %s cannot reach", c.Reference, m.Name)
		}
	}
	const rounding = 1e-9
	can := map[trial.Direction]bool{trial.More: most > r.Margin+rounding, trial.Less: least < -r.Margin-rounding, trial.Same: r.Margin > 0}
	switch {
	case !can[r.Supports] && r.Supports == trial.Same:
		return fmt.Errorf("the same within a margin of 0, which no number of blocks can show: want a margin above 0")
	case !can[r.Supports]:
		return fmt.Errorf("%s than %v by more than %v, which %s cannot be", r.Supports, c.Reference, r.Margin, m.Name)
	}
	for d, possible := range can {
		if possible && d != r.Supports {
			return nil
		}
	}
	return fmt.Errorf("%s is all that can come out with a margin of %v: want a rule that can be refuted", r.Supports, r.Margin)
}
