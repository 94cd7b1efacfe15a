package report

import (
	"fmt"
	"strconv"
	"strings"

	"authbench/bench/trial"
)

// validity counts what each experiment's trials are worth.
func (d *data) validity() table {
	t := table{Head: []string{"experiment", "calibration", "ok", "invalid (repeated)", "aborted", "ok, with warnings"}}
	for _, e := range d.experiments() {
		var calibration, warned int
		status := map[trial.Status]int{}
		for _, tr := range d.trials {
			switch {
			case tr.Spec.Experiment != e:
			case tr.Block == 0:
				calibration++
			default:
				status[tr.Status]++
				if tr.Status == trial.OK && len(tr.Warnings) > 0 {
					warned++
				}
			}
		}
		row := []string{e}
		for _, n := range []int{calibration, status[trial.OK], status[trial.Invalid], status[trial.Aborted], warned} {
			row = append(row, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// maxWarnings bounds the list of a page; the trials' files hold all.
const maxWarnings = 40

// warnings lists the run's doubts, then the verdicts', then the trials', each once.
func (d *data) warnings() []string {
	seen := map[string]bool{}
	var all []string
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	if d.run.Failure != "" {
		add("the run failed: " + d.run.Failure)
	}
	for _, doubt := range d.runDoubts() {
		add(doubt)
	}
	for _, w := range d.run.Warnings {
		add(w)
	}
	of := map[string][]string{} // claims that share a doubt
	for _, v := range d.verdicts {
		for _, w := range v.Warnings {
			of[w] = append(of[w], v.Rule.Claim)
		}
	}
	for _, v := range d.verdicts {
		for _, w := range v.Warnings {
			add(strings.Join(of[w], ", ") + ": " + w)
		}
	}
	for _, t := range d.trials {
		for _, w := range t.Warnings {
			add(fmt.Sprintf("%s, block %d, attempt %d (%s): %s", t.Spec, t.Block, t.Attempt, t.Status, w))
		}
	}
	if len(all) > maxWarnings {
		rest := len(all) - maxWarnings
		all = append(all[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more, in the files under trials/", rest))
	}
	return all
}
