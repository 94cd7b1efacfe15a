package report

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot"

	"authbench/bench/trial"
)

// overlaid are the figures of an experiment with two runs in one chart: on one
// axis, a row or line of A beside that of B. A figure without a chart is none.
func overlaid(a, b *data, experiment string) (figures []figure) {
	asked := map[string]bool{}
	for _, d := range []*data{b, a} { // B's words, where both have them
		for _, q := range d.run.Questions {
			for _, want := range q.Figures {
				if q.Experiment != experiment || asked[want.Name] {
					continue
				}
				asked[want.Name] = true
				if f := overlay(a.draw(experiment, want), b.draw(experiment, want), want); f.Drawing != nil {
					figures = append(figures, f)
				}
			}
		}
	}
	return figures
}

// overlay draws two runs' drawings of one figure in one; none where one of them
// has nothing to draw.
func overlay(a, b figure, want trial.Figure) figure {
	f := figure{ID: want.Name, Question: want.Title, Caption: want.Caption, Alt: "A: " + a.Alt + " B: " + b.Alt}
	if a.Drawing == nil || b.Drawing == nil {
		return f
	}
	switch before := a.Drawing.(type) {
	case rowChart:
		after := b.Drawing.(rowChart) // of one figure, and so of one kind
		merged := after
		merged.Rows = interleave(before.Rows, after.Rows, func(r row) string { return r.Label },
			func(r row, run string, paired bool) row {
				r.Label = runLabel(r.Label, run, paired)
				if run == "A" {
					r.Colour = faint(r.Colour, 0.45)
				}
				return r
			})
		f.Drawing = merged
		f.Caption = sentences(f.Caption, "A is paler.", merged.starts())
	case gridChart:
		after := b.Drawing.(gridChart)
		if !slices.Equal(before.Columns, after.Columns) {
			return f
		}
		type line struct {
			name   string
			fields []cell
		}
		lines := func(g gridChart) (all []line) {
			for i, name := range g.Rows {
				all = append(all, line{name, g.Cells[i]})
			}
			return all
		}
		merged := gridChart{Columns: after.Columns}
		for _, l := range interleave(lines(before), lines(after), func(l line) string { return l.name },
			func(l line, run string, _ bool) line { return line{run + ": " + l.name, l.fields} }) {
			merged.Rows, merged.Cells = append(merged.Rows, l.name), append(merged.Cells, l.fields)
		}
		f.Drawing = merged
	case timeline:
		after := b.Drawing.(timeline)
		f.Drawing = timeline{Seconds: max(before.Seconds, after.Seconds),
			Rows: interleave(before.Rows, after.Rows, func(r timelineRow) string { return r.Label },
				func(r timelineRow, run string, paired bool) timelineRow {
					r.Label = runLabel(r.Label, run, paired)
					return r
				})}
	case lineChart:
		f.Drawing = overlayLines(before, b.Drawing.(lineChart))
		f.Caption += " A is dashed."
	}
	return f
}

// runLabel names a row's run; the second row of a pair stands below its name.
func runLabel(label, run string, paired bool) string {
	if paired && run == "B" {
		return run
	}
	return label + ", " + run
}

// interleave puts what both have side by side, in B's order, then what is A's alone.
func interleave[T any](as, bs []T, name func(T) string, label func(x T, run string, paired bool) T) (all []T) {
	find := func(xs []T, n string) int { return slices.IndexFunc(xs, func(x T) bool { return name(x) == n }) }
	for _, y := range bs {
		i := find(as, name(y))
		if i >= 0 {
			all = append(all, label(as[i], "A", true))
		}
		all = append(all, label(y, "B", i >= 0))
	}
	for _, x := range as {
		if find(bs, name(x)) < 0 {
			all = append(all, label(x, "A", false))
		}
	}
	return all
}

// overlayLines names a pair of lines once, at the end of B's.
func overlayLines(before, after lineChart) lineChart {
	merged := after
	merged.Series = interleave(before.Series, after.Series, func(s series) string { return s.Name },
		func(s series, run string, paired bool) series {
			if s.Before = run == "A"; s.Before && paired {
				s.Name = ""
			}
			return s
		})
	merged.XTicks = slices.Concat(before.XTicks, after.XTicks)
	slices.SortFunc(merged.XTicks, func(x, y plot.Tick) int { return cmp.Compare(x.Value, y.Value) })
	merged.XTicks = slices.CompactFunc(merged.XTicks, func(x, y plot.Tick) bool { return x.Value == y.Value })
	return merged
}
