// Package analysis says what was measured means. In come a run's rules and its
// trials; out come verdicts, each with the interval, the noise floor and the
// doubts it rests on, and the figures that charts are drawn from. It measures
// nothing and starts nothing, and the same trials in any order give the same
// answer.
//
// A rule's figures are paired by block, so that what slows a whole block slows
// both sides. All comparisons of a rule are one family under Holm's correction;
// intervals are shown without it. Percentiles are read from histograms, merged
// over blocks where a chart needs one, and never averaged there.
package analysis

import (
	"errors"
	"fmt"
	"slices"

	"authbench/bench/trial"
)

// Evaluate turns trials into one verdict a rule, in the order of the rules.
// Whatever was not measured makes a verdict inconclusive, with the reason; an
// error says that a rule itself cannot be read.
func Evaluate(run trial.Run, trials []trial.Trial) ([]trial.Verdict, error) {
	verdicts := make([]trial.Verdict, 0, len(run.Rules))
	var errs []error
	for _, r := range run.Rules {
		v, err := evaluate(r, trials)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule of %s: %w", r.Claim, err))
			continue
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, errors.Join(errs...)
}

func evaluate(r trial.Rule, trials []trial.Trial) (trial.Verdict, error) {
	m, err := check(r)
	if err != nil {
		return trial.Verdict{}, err
	}
	v := trial.Verdict{Rule: r, RuleHash: r.Hash()}
	blocks := Blocks(trials, r.Experiment)
	family := make([]compared, len(r.Compare))
	for i, c := range r.Compare {
		family[i] = compare(r, m, c, blocks)
	}
	decide(r, m.Unit, family)
	for _, f := range family {
		v.Findings = append(v.Findings, f.Finding)
		for _, w := range f.warnings {
			if !slices.Contains(v.Warnings, w) {
				v.Warnings = append(v.Warnings, w)
			}
		}
	}
	v.Warnings = append(v.Warnings, doubts(r, trials, blocks)...)
	v.Answer = answer(r, v.Findings)
	v.DependsOn = dependsOn(r, v.Answer, v.Findings)
	v.Why = why(r, m.Unit, v.Answer, v.Findings, len(blocks))
	return v, nil
}

// check finds the rule's metric and whatever makes the rule unreadable.
func check(r trial.Rule) (Metric, error) {
	m, err := metric(r.Metric)
	if err != nil {
		return m, err
	}
	if !slices.Contains([]trial.Contrast{trial.Difference, trial.Ratio, trial.Against, trial.Count}, r.Contrast) {
		return m, fmt.Errorf("unknown contrast %q: known are difference, ratio, against, count", r.Contrast)
	}
	if !slices.Contains([]trial.Direction{trial.More, trial.Less, trial.Same}, r.Supports) {
		return m, fmt.Errorf("an outcome %q cannot support a claim: more, less or same can", r.Supports)
	}
	if r.Contrast == trial.Count && m.count == nil {
		return m, fmt.Errorf("metric %s is no number of events in a number of chances: contrast it by difference, ratio or against", m.Name)
	}
	if !(r.Margin >= 0) {
		return m, fmt.Errorf("a margin of %v: it must not be negative", r.Margin)
	}
	return m, nil
}

// answer sums up the findings as a rule's comment in package trial says.
func answer(r trial.Rule, findings []trial.Finding) trial.Answer {
	support, against, _ := sides(r, findings)
	switch all := len(findings); {
	case all == 0:
		return trial.Inconclusive
	case len(support) == all:
		return trial.Supported
	case len(against) == all:
		return trial.Refuted
	case len(support) > 0 && len(against) > 0:
		return trial.Depends
	}
	return trial.Inconclusive
}

// sides parts the findings: those that support the claim, those that are
// clearly otherwise, and the unclear ones.
func sides(r trial.Rule, findings []trial.Finding) (support, against, unclear []trial.Finding) {
	for _, f := range findings {
		switch f.Outcome {
		case r.Supports:
			support = append(support, f)
		case trial.Unclear:
			unclear = append(unclear, f)
		default:
			against = append(against, f)
		}
	}
	return support, against, unclear
}

// doubts lists what a reader of the rule's figures must know of its trials.
func doubts(r trial.Rule, trials []trial.Trial, blocks []Block) (warnings []string) {
	invalid, aborted := 0, 0
	for _, t := range trials {
		if t.Spec.Experiment == r.Experiment {
			switch t.Status {
			case trial.Invalid:
				invalid++
			case trial.Aborted:
				aborted++
			}
		}
	}
	if invalid+aborted > 0 {
		warnings = append(warnings, fmt.Sprintf("%d invalid and %d aborted trials of %s are not counted", invalid, aborted, r.Experiment))
	}
	doubtful, first, alive := 0, "", 0.0
	for _, b := range blocks {
		for _, t := range b.Trials {
			if !uses(r, t.Spec) {
				continue
			}
			if t.Journey != nil {
				alive += t.Journey.Counters["still_alive_users"]
			}
			if len(t.Warnings) > 0 && first == "" {
				first = fmt.Sprintf("%s, block %d: %s", t.Spec, t.Block, t.Warnings[0])
			}
			if len(t.Warnings) > 0 {
				doubtful++
			}
		}
	}
	if doubtful > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of the trials used carry warnings; the first is %s", doubtful, first))
	}
	if alive > 0 {
		warnings = append(warnings, fmt.Sprintf("%s users were still let in when their script stopped watching: their lag is a lower bound", number(alive)))
	}
	return warnings
}

// uses says whether a rule's figures rest on a cell: one it names, or the control.
func uses(r trial.Rule, s trial.Spec) bool {
	return s.Arm == trial.Control || slices.ContainsFunc(r.Compare, func(c trial.Comparison) bool {
		paired := r.Contrast == trial.Difference || r.Contrast == trial.Ratio
		return c.A.Matches(s) || paired && c.B.Matches(s)
	})
}
