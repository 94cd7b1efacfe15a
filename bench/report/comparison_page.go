package report

import (
	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// ComparisonPage is the file that [Comparison.WritePage] writes.
const ComparisonPage = "compare.html"

// comparisonDocument is what the page of a comparison shows.
type comparisonDocument struct {
	Facts    table // of both runs
	Names    [2]string
	Result   string
	Unlike   []string
	Notes    []string
	Clear    table
	Sections []comparisonSection
}

type comparisonSection struct {
	Name, Question, Tally string
	Figures               []figure
	Changes               table
}

// WritePage writes compare.html into a folder, which is made if need be: one file
// that asks for nothing from outside, with both runs in each chart and every
// figure in a table.
func (c Comparison) WritePage(into trial.Folder) error {
	found := append(c.Changes.Of(analysis.Regression), c.Changes.Of(analysis.Improvement)...)
	doc := comparisonDocument{Names: c.Names, Unlike: c.unlikenesses(), Notes: c.notes(), Result: tallyOf(found),
		Clear: changeTable(found, func(x analysis.Change) string { return x.Experiment + ", " + whereOf(x) }),
		Facts: table{Head: []string{"", "A: " + c.Names[0], "B: " + c.Names[1]}}}
	factsB := facts(c.B.Run)
	for i, f := range facts(c.A.Run) {
		doc.Facts.Rows = append(doc.Facts.Rows, []string{f[0], f[1], factsB[i][1]})
	}
	a, b := newData(c.A.Run, c.A.Trials, nil, ""), newData(c.B.Run, c.B.Trials, nil, "")
	for _, e := range c.experiments() {
		cs := c.of(e)
		doc.Sections = append(doc.Sections, comparisonSection{Name: e, Question: b.head(e).Question, Tally: tallyOf(cs),
			Figures: overlaid(a, b, e), Changes: changeTable(cs, whereOf)})
	}
	text, err := renderPage("comparison.html", doc)
	if err != nil {
		return err
	}
	return into.WriteFile(ComparisonPage, text)
}
