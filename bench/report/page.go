package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"

	"gonum.org/v1/plot/vg"

	"authbench/bench/trial"
)

//go:embed page.html comparison.html parts.html page.css
var pageFiles embed.FS

// pageText renders report.html: one file that asks for nothing from outside.
func pageText(doc document) ([]byte, error) { return renderPage("page.html", doc) }

// renderPage fills one of this package's templates.
func renderPage(name string, doc any) ([]byte, error) {
	css, err := pageFiles.ReadFile("page.css")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	t, err := template.New(name).Funcs(template.FuncMap{
		"strongest":       strongest,
		"mark":            outcomeMark,
		"effect":          effect,
		"tally":           tally,
		"measure":         measure,
		"findings":        findingTable,
		"why":             Why,
		"plainly":         plainly,
		"warnings":        ownWarnings,
		"remarked":        remarked,
		"instrumentLabel": instrumentLabel,
		"slug":            slug,
		"checked":         func() string { return capitalised(checked) + "." },
		"instrument":      func() string { return instrumentText },
		"doubts":          joinDoubts,
		"sides":           sides,
		"chart":           chart,
		"css":             func() template.CSS { return template.CSS(css) },
	}).ParseFS(pageFiles, name, "parts.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, doc); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// slug is an answer as the name of a style.
func slug(a trial.Answer) string { return strings.ReplaceAll(string(a), " ", "-") }

// chart is a figure's drawing at two widths; the page's style shows the one that
// fits the screen. A figure without a drawing has its table alone.
func chart(f figure) (template.HTML, error) {
	if f.Drawing == nil {
		return "", nil
	}
	var both string
	for _, v := range []struct {
		class string
		width vg.Length
	}{{"wide", wide}, {"narrow", narrow}} {
		doc, err := svgOf(f.Drawing, v.width)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.ID, err)
		}
		both += themed(doc, v.class, f.Alt)
	}
	return template.HTML(both), nil
}

// findingTable is every comparison behind a verdict; why is said of unclear ones.
func findingTable(v trial.Verdict) table {
	t := table{Head: []string{"comparison", "verdict", "effect", "A", "B", "p", "why"}}
	write := number
	if unitOf(v.Rule.Metric) == shareUnit {
		write = percent
	}
	for _, f := range v.Findings {
		t.Rows = append(t.Rows, []string{f.Comparison.Name, outcomeMark(v.Rule, f), effect(v.Rule, f), figureOf(f.A, write), figureOf(f.B, write),
			chance(f.P, f.Interval.N > 0), reason(v.Rule, f)})
	}
	if len(v.Unclear) == 0 {
		t.Head = t.Head[:6]
		for i, row := range t.Rows {
			t.Rows[i] = row[:6]
		}
	}
	return t
}
