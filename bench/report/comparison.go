package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// Comparison is a run B set against a run A, for a reader.
type Comparison struct {
	A, B    analysis.Measured
	Names   [2]string // of the runs, by their folders
	Unlike  []analysis.Unlike
	Changes analysis.Changes
}

// NewComparison sets the run of folder b against that of folder a; see
// [analysis.CompareRuns] for what minEffect is.
func NewComparison(a, b trial.Folder, minEffect float64) (c Comparison, err error) {
	if c.A.Run, c.A.Trials, err = a.Read(); err != nil {
		return c, err
	}
	if c.B.Run, c.B.Trials, err = b.Read(); err != nil {
		return c, err
	}
	if c.Names = runLabels(a, b); c.Names == noNames {
		c.Names = [2]string{oneLine(string(a)), oneLine(string(b))}
	}
	c.Unlike, c.Changes = analysis.Differences(c.A, c.B), analysis.CompareRuns(c.A, c.B, minEffect)
	if len(c.Changes.All) == 0 {
		return c, fmt.Errorf("%s and %s have no figure in common: compare runs of the same experiments and arms", a, b)
	}
	return c, nil
}

// unlikenesses are the lines that say what the runs differ in besides their code.
func (c Comparison) unlikenesses() (lines []string) {
	for _, u := range c.Unlike {
		lines = append(lines, oneLine(u.String()))
	}
	return lines
}

// Refusal says that the runs differ in what their figures depend on, a line for
// each difference; nil where they do not.
func (c Comparison) Refusal(flag string) error {
	if len(c.Unlike) == 0 {
		return nil
	}
	return fmt.Errorf("A and B differ in what their figures depend on; to compare them all the same: %s\n  %s", flag,
		strings.Join(c.unlikenesses(), "\n  "))
}

// Failed says in one line which figures came out one of these ways; "" for none.
func (c Comparison) Failed(outcomes ...analysis.Outcome) string {
	var found []string
	for _, x := range c.Changes.All {
		if slices.Contains(outcomes, x.Outcome) {
			found = append(found, fmt.Sprintf("%s: %s, %s %s", x.Experiment, whereOf(x), x.Metric.Title, changeText(x)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	one, many := "change", "changes"
	if len(outcomes) == 1 {
		one, many = string(outcomes[0]), string(outcomes[0])+"s"
	}
	return strings.ReplaceAll(fmt.Sprintf("%s in B against A: %s", plural(len(found), one, many), someOf(found, 3, "; ")), nbsp, " ")
}

// someOf joins the first few, and says how many more there are.
func someOf(items []string, n int, separator string) string {
	if len(items) <= n {
		return strings.Join(items, separator)
	}
	return fmt.Sprintf("%s%sand %d more", strings.Join(items[:n], separator), separator, len(items)-n)
}

var changeSigns = map[analysis.Outcome]string{
	analysis.Regression: "✘", analysis.Improvement: "✔", analysis.NoClear: "?", analysis.Unchanged: "=", analysis.NotCompared: absent,
}

// whereOf is a figure's cell and step.
func whereOf(x analysis.Change) string {
	var cell trial.Cell
	for _, f := range x.Cell {
		cell = append(cell, trial.Factor{Name: f.Name, Level: levelText(f.Level)})
	}
	words := cell.Words()
	if x.Cell.Arm() == trial.Control {
		words = armLabel(trial.Control) + strings.TrimPrefix(words, trial.Control.String())
	}
	return strings.Replace(words, "beside=any", "beside any arm", 1) + ", " + x.Step
}

// changeText is the effect with its interval: "+16.4 % [+12.1, +20.9]".
func changeText(x analysis.Change) string {
	scale, unit := func(v float64) float64 { return v }, ""
	switch {
	case x.Outcome == analysis.NotCompared && x.Gap == analysis.OtherRate:
		return fmt.Sprintf("offered %s requests/s in A, %s in B", number(x.RateA), number(x.RateB))
	case x.Outcome == analysis.NotCompared:
		return string(x.Gap)
	case x.Relative:
		scale, unit = func(v float64) float64 { return (v - 1) * 100 }, nbsp+"%"
	case x.Metric.Unit == shareUnit:
		scale, unit = func(v float64) float64 { return v * 100 }, nbsp+"points"
	case x.Metric.Unit != "":
		unit = nbsp + x.Metric.Unit
	}
	effect := trial.Interval{Estimate: scale(x.Effect.Estimate), Low: scale(x.Effect.Low), High: scale(x.Effect.High), N: x.Effect.N}
	switch {
	case x.Exact:
		return signed(effect.Estimate) + unit
	case nearZero(effect, signed):
		return signed(0) + unit
	}
	return signed(effect.Estimate) + unit + " " + limits(effect, signed)
}

// levelOf is the figure in one of the runs.
func levelOf(x analysis.Change, i trial.Interval) string {
	if i.N == 0 {
		return absent
	}
	return amount(i.Estimate, x.Metric.Unit)
}

// fromTo is the figure in both runs, with its unit once.
func fromTo(x analysis.Change) string {
	a, unit, ok := strings.Cut(levelOf(x, x.A), nbsp)
	b, other, okB := strings.Cut(levelOf(x, x.B), nbsp)
	if !ok || !okB || unit != other {
		return levelOf(x, x.A) + " → " + levelOf(x, x.B)
	}
	return a + " → " + b + nbsp + unit
}

// basisText is what a change rests on; counts have none to name.
func basisText(x analysis.Change) string {
	switch {
	case x.Outcome == analysis.NotCompared:
		return ""
	case x.Exact:
		return "exact"
	}
	return string(x.Basis)
}

var outcomeOrder = []analysis.Outcome{analysis.Regression, analysis.Improvement, analysis.NoClear, analysis.Unchanged, analysis.NotCompared}

// tallyOf counts how figures came out: "2 regressions, 40 same".
func tallyOf(cs []analysis.Change) string {
	var parts []string
	for _, o := range outcomeOrder {
		n, alone := 0, 0
		for _, x := range cs {
			if x.Outcome == o {
				n++
				if x.Alone {
					alone++
				}
			}
		}
		one, many := string(o), string(o)
		if o == analysis.Regression || o == analysis.Improvement {
			many += "s"
		}
		if n == 0 {
			continue
		}
		text := changeSigns[o] + nbsp + plural(n, one, many)
		if o == analysis.NoClear && alone > 0 {
			text += fmt.Sprintf(" (of which %d would be clear if looked at alone)", alone)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// notes say what the table rests on.
func (c Comparison) notes() (lines []string) {
	ch := c.Changes
	lines = append(lines, fmt.Sprintf("%s: %s.", plural(len(ch.All), "figure", "figures"), tallyOf(ch.All)))
	lines = append(lines, notCompared(ch.All)...)
	effects := fmt.Sprintf("An effect counts from %s on. Brackets hold 95%s%% intervals of one figure alone.", percent(ch.MinEffect), nbsp)
	if ch.Chances > 0 {
		effects += fmt.Sprintf(" %s on chance: with Holm's correction over them, at most 5%s%% of comparisons of two runs of the same code "+
			"show a change at all.", plural(ch.Chances, "figure rests", "figures rest"), nbsp)
	}
	lines = append(lines, effects)
	if slices.ContainsFunc(ch.All, func(x analysis.Change) bool { return x.Gap == "" && x.Basis == analysis.OverBlocks && !x.Exact }) {
		lines = append(lines, machineNote(ch))
	}
	for _, side := range []struct {
		name string
		only []string
	}{{"A", ch.OnlyA}, {"B", ch.OnlyB}} {
		if len(side.only) > 0 {
			lines = append(lines, fmt.Sprintf("Only in %s: %s.", side.name, someOf(side.only, 4, "; ")))
		}
	}
	for i, r := range []trial.Run{c.A.Run, c.B.Run} {
		if r.Status != "complete" {
			lines = append(lines, fmt.Sprintf("Run %s is not complete, but %s.", []string{"A", "B"}[i], r.Status))
		}
	}
	return lines
}

// notCompared says how many figures were not, by cause, and what that leaves.
func notCompared(all []analysis.Change) (lines []string) {
	var causes []string
	for _, gap := range []analysis.Gap{analysis.OtherRate, analysis.NoFigure, analysis.FewOfBoth} {
		n := 0
		for _, x := range all {
			if x.Gap == gap {
				n++
			}
		}
		if n > 0 {
			causes = append(causes, fmt.Sprintf("%d %s", n, gap))
		}
	}
	if len(causes) == 0 {
		return nil
	}
	timed := slices.ContainsFunc(all, func(x analysis.Change) bool { return x.Gap == "" && x.Basis != analysis.OfCounts })
	if lines = append(lines, "Not compared: "+strings.Join(causes, ", ")+"."); !timed {
		lines = append(lines, "Nothing but counts could be compared: this says nothing of CPU and of latency.")
	}
	return lines
}

// machineNote says what the machine did between the runs.
func machineNote(ch analysis.Changes) string {
	if !ch.MachineKnown {
		return "Whether the machine was as fast in both runs cannot be told: what rests on blocks may have changed by that alone."
	}
	took := "as much CPU for a request in B as in A"
	if shift := fmt.Sprintf("%.1f", 100*math.Abs(ch.Machine)); shift != "0.0" {
		took = shift + nbsp + "% more CPU for a request in B than in A"
		if ch.Machine < 0 {
			took = strings.Replace(took, "more", "less", 1)
		}
	}
	return "nginx, which is the same in both runs, took " + took + ": what rests on blocks, not on a control beside it, counts only " +
		"beyond that."
}

// headline names a run.
func headline(name string, r trial.Run) string {
	return fmt.Sprintf("%s: profile %s, commit %s, %s, %s", name, r.Profile, r.Commit,
		r.Started.UTC().Format("2006-01-02 15:04 MST"), r.Status)
}

// experiments are those that both runs have figures of, in A's order.
func (c Comparison) experiments() (names []string) {
	for _, x := range c.Changes.All {
		if !slices.Contains(names, x.Experiment) {
			names = append(names, x.Experiment)
		}
	}
	return names
}

func (c Comparison) of(experiment string) (found []analysis.Change) {
	for _, x := range c.Changes.All {
		if x.Experiment == experiment {
			found = append(found, x)
		}
	}
	return found
}

// clearOnes are the changes of a list that came out clearly.
func clearOnes(cs []analysis.Change) []analysis.Change {
	return slices.DeleteFunc(slices.Clone(cs), func(x analysis.Change) bool {
		return x.Outcome != analysis.Regression && x.Outcome != analysis.Improvement
	})
}

// changeTable is a row for each change.
func changeTable(cs []analysis.Change, named func(analysis.Change) string) table {
	t := table{Head: []string{"figure", "change", "A", "B", "rests on", "p"}}
	for _, x := range cs {
		t.Rows = append(t.Rows, []string{named(x) + ": " + x.Metric.Title, changeSigns[x.Outcome] + nbsp + changeText(x),
			levelOf(x, x.A), levelOf(x, x.B), cmp.Or(basisText(x), absent), chance(x.P, !x.Exact && x.Outcome != analysis.NotCompared)})
	}
	return t
}

// Terminal writes the comparison as a table that fits the width, held to 80..160
// columns: by experiment what changed, regressions first, and with all also what
// did not.
func (c Comparison) Terminal(w io.Writer, width int, all bool) error {
	width = min(max(width, 80), 160)
	var b strings.Builder
	line := func(s string) {
		for _, l := range fold(s, width) {
			b.WriteString(l + "\n")
		}
	}
	line("A " + headline(c.Names[0], c.A.Run))
	line("B " + headline(c.Names[1], c.B.Run))
	for i, u := range c.unlikenesses() {
		if i == 0 {
			line("The runs differ in what their figures depend on:")
		}
		line("  " + u)
	}
	rule := strings.Repeat("─", width) + "\n"
	b.WriteString(rule)
	for _, e := range c.experiments() {
		cs := c.of(e)
		line(e + ": " + tallyOf(cs))
		if !all {
			cs = clearOnes(cs)
		}
		for _, l := range changeLines(cs, width) {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString(rule)
	for _, n := range c.notes() {
		line(n)
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), nbsp, " "))
	return err
}

// changeLines sets changes in columns; where these are too wide, each takes two lines.
func changeLines(cs []analysis.Change, width int) (lines []string) {
	var rows [][]string
	var widths [6]int
	for _, x := range cs {
		row := []string{changeSigns[x.Outcome], whereOf(x), x.Metric.Title, fromTo(x), changeText(x), basisText(x)}
		for i, cell := range row {
			row[i] = oneLine(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		rows = append(rows, row)
	}
	const gap = 2
	total := 2
	for _, n := range widths {
		total += n + gap
	}
	for _, row := range rows {
		if total-gap > width {
			lines = append(lines, fold("  "+row[0]+" "+row[1]+": "+row[2], width)...)
			lines = append(lines, fold("    "+strings.TrimSuffix(row[3]+": "+row[4]+", "+row[5], ", "), width)...)
			continue
		}
		l := "  "
		for i, cell := range row {
			l += pad(cell, widths[i]+gap)
		}
		lines = append(lines, strings.TrimRight(l, " "))
	}
	return lines
}

// runLabels head the columns: the folders' own names where they tell them apart.
func runLabels(a, b trial.Folder) [2]string {
	clean := func(f trial.Folder) string {
		return strings.NewReplacer("=", "_", ",", "_").Replace(oneLine(filepath.Base(filepath.Clean(string(f)))))
	}
	if x, y := clean(a), clean(b); x != y {
		return [2]string{x, y}
	}
	return noNames
}

var noNames = [2]string{"A", "B"}
