// Package analysis says what was measured means. In come a run's rules and its
// trials; out come verdicts, each with the intervals and the doubts it rests on
// and what the A/A pairs say of the instrument, and the figures that charts are
// drawn from. It measures nothing and starts nothing, and the same trials in any
// order give the same answer.
//
// A rule's figures are paired by block, so that what slows a whole block slows
// both sides. That all comparisons of a rule agree is an intersection-union test:
// each is held to 5 % by its own interval, without correction (Berger 1982). That
// some hold and some do not is a claim that both exist, and takes Holm's. Each
// effect has a spread of its own: see [estimate]. Percentiles are read from
// histograms, merged over blocks where a chart needs one, and never averaged there.
package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"authbench/bench/trial"
)

// Evaluate turns trials into one verdict a rule, in the order of the rules. What
// was not measured is an answer of its own, with the reason; an error says that a
// rule itself cannot be read.
func Evaluate(run trial.Run, trials []trial.Trial) ([]trial.Verdict, error) {
	verdicts := make([]trial.Verdict, 0, len(run.Rules))
	byExperiment := map[string][]Block{}
	var errs []error
	for _, r := range run.Rules {
		blocks, known := byExperiment[r.Experiment]
		if !known {
			blocks = Blocks(trials, r.Experiment)
			byExperiment[r.Experiment] = blocks
		}
		v, err := evaluate(r, trials, blocks)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule of %s: %w", r.Claim, err))
			continue
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, errors.Join(errs...)
}

func evaluate(r trial.Rule, trials []trial.Trial, blocks []Block) (trial.Verdict, error) {
	m, err := check(r)
	if err != nil {
		return trial.Verdict{}, err
	}
	v := judge(r, m, seen(blocks, m.Aspect))
	v.Blocks = len(blocks)
	read := selectorsOf(r)
	v.Aborted, v.Remarked, v.LetIn = doubts(r.Experiment, read, trials, blocks)
	if v.Measured, v.LeftOut = leftOut(read, m, blocks); len(v.LeftOut) > 0 {
		v.WithAll = judge(r, m, seen(blocks, "")).Answer
	}
	each := pace(blocks)
	for _, j := range append(parts(v), v.Judgement) {
		if j.Remedy != nil {
			j.Remedy.Seconds = each * float64(j.Remedy.Blocks)
		}
	}
	return v, nil
}

// parts are the judgements of a verdict's groups.
func parts(v trial.Verdict) (js []trial.Judgement) {
	for _, p := range v.Parts {
		js = append(js, p.Judgement)
	}
	return js
}

// pace is how many seconds a block took, repeats among them.
func pace(blocks []Block) (seconds float64) {
	for _, b := range blocks {
		for _, t := range b.Trials {
			seconds += t.Seconds
		}
	}
	return seconds / float64(max(1, len(blocks)))
}

// judge gives a rule's answer from blocks as they are seen.
func judge(r trial.Rule, m Metric, blocks []Block) trial.Verdict {
	v := trial.Verdict{Rule: r, RuleHash: r.Hash(), Instrument: instrument(r, m, blocks)}
	all := make([]*compared, len(r.Compare))
	for i, c := range r.Compare {
		f := compare(r, m, c, blocks)
		if f.tested && slices.ContainsFunc(v.Instrument, func(k trial.Check) bool {
			return k.Biased && slices.ContainsFunc(sidesOf(r, c), func(s trial.Selector) bool { return s.Step == k.Step })
		}) {
			f.unsettle(trial.Reason{Cause: trial.Biased})
		}
		all[i] = &f
	}
	var parts []trial.Part
	for _, g := range groupsOf(r) {
		parts = append(parts, trial.Part{Name: g, Judgement: judgement(all, func(f *compared) bool { return f.Comparison.Group == g })})
	}
	for _, f := range all {
		v.Findings = append(v.Findings, f.Finding)
	}
	if len(r.Groups) == 0 {
		v.Judgement = parts[0].Judgement
		return v
	}
	v.Parts, v.Judgement = parts, together(all, parts)
	return v
}

// groupsOf lists a rule's groups that have comparisons; "" is that of a rule without any.
func groupsOf(r trial.Rule) (names []string) {
	for _, g := range r.Groups {
		if slices.ContainsFunc(r.Compare, func(c trial.Comparison) bool { return c.Group == g.Name }) {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// seen is blocks as figures see them that rest on an aspect.
func seen(blocks []Block, a trial.Aspect) []Block {
	out := slices.Clone(blocks)
	for i := range out {
		out[i] = out[i].For(a)
	}
	return out
}

// doubts counts what a reader of a rule's figures, read by selectors, must know of
// its trials.
func doubts(experiment string, read []trial.Selector, trials []trial.Trial, blocks []Block) (aborted, remarked, letIn int) {
	for i := range trials {
		if t := &trials[i]; t.Spec.Experiment == experiment && t.Status == trial.Aborted {
			aborted++
		}
	}
	for _, b := range blocks {
		for i := range b.Trials {
			t := &b.Trials[i]
			if !uses(read, t.Spec) {
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

// leftOut counts the measurements that a rule looks at by its selectors, each
// attempt's step once, and by cause those that its metric leaves out.
func leftOut(read []trial.Selector, m Metric, blocks []Block) (measured int, causes []trial.LeftOut) {
	steps := map[string]bool{}
	for _, s := range read {
		steps[s.Step] = true
	}
	byCause := map[string]int{}
	for _, b := range blocks {
		for i := range b.Trials {
			t := &b.Trials[i]
			if !uses(read, t.Spec) {
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

// uses says whether figures that are read by selectors rest on a trial: one of its
// cells is meant, or it is the control, alone, that others are held against.
func uses(read []trial.Selector, spec trial.Spec) bool {
	return slices.ContainsFunc(spec.Cells, func(cell trial.CellSpec) bool {
		return cell.System.Arm == trial.Control && len(spec.Cells) == 1 ||
			slices.ContainsFunc(read, func(s trial.Selector) bool { return s.Matches(cell) })
	})
}
