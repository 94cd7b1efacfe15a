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
	"maps"
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
	blocks := Blocks(trials, r.Experiment)
	v := judge(r, m, seen(blocks, m.Aspect))
	v.Blocks = len(blocks)
	v.Aborted, v.Remarked, v.LetIn = doubts(r, trials, blocks)
	if v.Measured, v.LeftOut = leftOut(r, m, blocks); len(v.LeftOut) > 0 {
		v.WithAll = judge(r, m, seen(blocks, "")).Answer
	}
	return v, nil
}

// judge gives a rule's answer from blocks as they are seen.
func judge(r trial.Rule, m Metric, blocks []Block) trial.Verdict {
	v := trial.Verdict{Rule: r, RuleHash: r.Hash()}
	family := make([]compared, len(r.Compare))
	for i, c := range r.Compare {
		family[i] = compare(r, m, c, blocks)
	}
	decide(family)
	for _, f := range family {
		v.Findings = append(v.Findings, f.Finding)
		for _, floor := range f.floors {
			if !slices.Contains(v.Floors, floor) {
				v.Floors = append(v.Floors, floor)
			}
		}
	}
	v.For, v.Against, v.Unclear = sides(r, v.Findings)
	if v.Answer = answer(v); v.Answer == trial.Depends {
		v.DependsOn = separation(pick(v.Findings, v.For), pick(v.Findings, v.Against))
	}
	return v
}

// seen is blocks as figures see them that rest on an aspect.
func seen(blocks []Block, a trial.Aspect) []Block {
	out := slices.Clone(blocks)
	for i := range out {
		out[i] = out[i].For(a)
	}
	return out
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
func answer(v trial.Verdict) trial.Answer {
	switch all := len(v.Findings); {
	case all == 0:
		return trial.Inconclusive
	case len(v.For) == all:
		return trial.Supported
	case len(v.Against) == all:
		return trial.Refuted
	case len(v.For) > 0 && len(v.Against) > 0:
		return trial.Depends
	}
	return trial.Inconclusive
}

// doubts counts what a reader of the rule's figures must know of its trials.
func doubts(r trial.Rule, trials []trial.Trial, blocks []Block) (aborted, remarked, letIn int) {
	for _, t := range trials {
		if t.Spec.Experiment == r.Experiment && t.Status == trial.Aborted {
			aborted++
		}
	}
	for _, b := range blocks {
		for i := range b.Trials {
			t := &b.Trials[i]
			if !uses(r, t.Spec) {
				continue
			}
			for _, m := range t.Steps {
				if m.Journey != nil {
					letIn += int(m.Journey.Counters["still_alive_users"])
				}
			}
			if len(t.Remarks()) > 0 {
				remarked++
			}
		}
	}
	return aborted, remarked, letIn
}

// leftOut counts the measurements that a rule looks at, each attempt's step
// once, and by cause those that its metric leaves out.
func leftOut(r trial.Rule, m Metric, blocks []Block) (measured int, causes []trial.LeftOut) {
	steps := map[string]bool{}
	for _, c := range r.Compare {
		for _, s := range sidesOf(r, c) {
			steps[s.Step] = true
		}
	}
	byCause := map[string]int{}
	for _, b := range blocks {
		for i := range b.Trials {
			t := &b.Trials[i]
			if !uses(r, t.Spec) {
				continue
			}
			for step := range steps {
				if _, there := t.Step(0, step); !there {
					continue
				}
				measured++
				if d, spoiled := t.Spoiled(step, m.Aspect); spoiled {
					byCause[d.Cause]++
				}
			}
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(byCause)) {
		causes = append(causes, trial.LeftOut{Cause: cause, N: byCause[cause]})
	}
	return measured, causes
}

// uses says whether a rule's figures rest on a trial: one of its cells is named,
// or it is the control, alone, that others are held against.
func uses(r trial.Rule, s trial.Spec) bool {
	return slices.ContainsFunc(s.Cells, func(cell trial.CellSpec) bool {
		return cell.System.Arm == trial.Control && len(s.Cells) == 1 || slices.ContainsFunc(r.Compare, func(c trial.Comparison) bool {
			return slices.ContainsFunc(sidesOf(r, c), func(s trial.Selector) bool { return s.Matches(cell) })
		})
	})
}
