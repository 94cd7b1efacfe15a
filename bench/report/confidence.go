package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"authbench/bench/trial"
)

// validity counts what each experiment's trials are worth.
func (d *data) validity() table {
	t := table{Head: []string{"experiment", "calibration", "trials", "of these repeats", "aborted", "with figures left out",
		"with warnings only"}}
	for _, e := range d.experiments() {
		var calibration, ended, repeats, aborted, spoiled, warned int
		for _, tr := range d.trials {
			switch {
			case tr.Spec.Experiment != e:
				continue
			case tr.Block == 0:
				calibration++
				continue
			case tr.Status != trial.OK:
				aborted++
				continue
			}
			ended++
			if tr.Attempt > 1 {
				repeats++
			}
			switch spoils := slices.ContainsFunc(tr.Doubts, func(d trial.Doubt) bool { return len(d.Spoils) > 0 }); {
			case spoils:
				spoiled++
			case len(tr.Remarks()) > 0:
				warned++
			}
		}
		row := []string{e}
		for _, n := range []int{calibration, ended, repeats, aborted, spoiled, warned} {
			row = append(row, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// doubts says by experiment and cause how many measurements a doubt touched, how
// large it was, and which figures it left out.
func (d *data) doubts() table {
	t := table{Head: []string{"experiment", "doubt", "measurements", "largest", "bound", "leaves out"}}
	for _, e := range d.experiments() {
		byCause := map[string][]trial.Doubt{}
		for _, tr := range d.trials {
			if tr.Spec.Experiment != e {
				continue
			}
			for _, x := range tr.Doubts {
				if len(x.Spoils) > 0 {
					byCause[x.Cause] = append(byCause[x.Cause], x)
				}
			}
		}
		for _, cause := range slices.Sorted(maps.Keys(byCause)) {
			found := byCause[cause]
			largest := slices.MaxFunc(found, func(x, y trial.Doubt) int { return cmp.Compare(x.Amount, y.Amount) })
			var spoils []string
			for _, a := range trial.Aspects() {
				switch n := countOf(found, a); n {
				case 0:
				case len(found):
					spoils = append(spoils, string(a))
				default:
					spoils = append(spoils, fmt.Sprintf("%s (%s of them)", a, count(int64(n))))
				}
			}
			amount, bound := absent, absent
			if largest.Bound > 0 {
				var of string
				amount, _ = inDoubt(largest.Amount, largest.Unit)
				bound, of = inDoubt(largest.Bound, largest.Unit)
				bound += of
			}
			t.Rows = append(t.Rows, []string{e, cause, count(int64(len(found))), amount, bound, strings.Join(spoils, ", ")})
		}
	}
	return t
}

// inDoubt writes an amount in the unit of a doubt, and of what it is: "3 %" and
// " of its CPU time", "0.5 s" and ", p99 of the pacer's lag".
func inDoubt(v float64, unit string) (amount, of string) {
	if of, ok := strings.CutPrefix(unit, shareUnit); ok {
		return percent(v), of
	}
	name, _, _ := strings.Cut(unit, ",")
	return number(v) + nbsp + name, unit[len(name):]
}

func countOf(ds []trial.Doubt, a trial.Aspect) (n int) {
	for _, d := range ds {
		if slices.Contains(d.Spoils, a) {
			n++
		}
	}
	return n
}

// warning is one sentence, and where it holds if it is of many trials.
type warning struct {
	Text  string
	Cases []string
}

func warningTexts(ws []warning) (texts []string) {
	for _, w := range ws {
		texts = append(texts, w.Text)
	}
	return texts
}

// warnings lists the run's doubts, then the verdicts', then the trials' remarks
// that spoil nothing: those of one cause together, with a count.
func (d *data) warnings() (all []warning) {
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			all = append(all, warning{Text: s})
		}
	}
	if d.run.Failure != "" {
		add("the run failed: " + d.run.Failure)
	}
	if noisy := disturbance(d.trials); noisy != "" {
		add(noisy)
	}
	for _, doubt := range d.runDoubts() {
		add(doubt)
	}
	for _, w := range d.run.Warnings {
		add(w)
	}
	of := map[string][]string{} // claims that share a doubt
	for _, v := range d.verdicts {
		for _, w := range ownWarnings(v) {
			of[w] = append(of[w], v.Rule.Claim)
		}
	}
	for _, v := range d.verdicts {
		for _, w := range ownWarnings(v) {
			add(strings.Join(of[w], ", ") + ": " + w)
		}
	}
	return append(all, d.remarks(false)...)
}

// remarks groups what trials say by experiment and cause, of doubts either those
// that leave out figures or those that do not; plain warnings of trials are alike
// where they differ in figures only.
func (d *data) remarks(spoiling bool) (groups []warning) {
	index := map[string]int{}
	var first []string
	add := func(t *trial.Trial, kind, text string) {
		kind = t.Spec.Experiment + ": " + kind
		i, ok := index[kind]
		if !ok {
			i = len(groups)
			index[kind] = i
			groups, first = append(groups, warning{Text: kind}), append(first, text)
		}
		attempt := ""
		if t.Attempt > 1 {
			attempt = fmt.Sprintf(", attempt %d", t.Attempt)
		}
		if t.Status != trial.OK {
			attempt += " (" + string(t.Status) + ")"
		}
		groups[i].Cases = append(groups[i].Cases, fmt.Sprintf("%s, block %d%s: %s", t.Spec, t.Block, attempt, text))
	}
	for i := range d.trials {
		t := &d.trials[i]
		for _, w := range t.Warnings {
			if !spoiling {
				add(t, withoutFigures(w), w)
			}
		}
		for _, x := range t.Doubts {
			if spoiling != (len(x.Spoils) > 0) {
				continue
			}
			text := x.Text
			if x.Step != "" {
				text = x.Step + ": " + text
			}
			add(t, x.Cause, text)
		}
	}
	for i, g := range groups {
		if len(g.Cases) == 1 {
			groups[i] = warning{Text: g.Cases[0]}
			continue
		}
		groups[i].Text = fmt.Sprintf("%s, %s; the first says: %s", g.Text, plural(len(g.Cases), "time", "times"), first[i])
	}
	return groups
}

// withoutFigures is a sentence with its numbers blanked.
func withoutFigures(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		if r >= '0' && r <= '9' {
			if !blank {
				b.WriteByte('#')
			}
			blank = true
			continue
		}
		blank = blank && (r == '.' || r == ',')
		if !blank {
			b.WriteRune(r)
		}
	}
	return b.String()
}
