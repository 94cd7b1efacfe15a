package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"

	"authbench/bench/analysis"
	"authbench/bench/plan"
	"authbench/bench/trial"
)

// drawn are the figures that an experiment's question asks for.
func (d *data) drawn(experiment string) (figures []figure) {
	for _, q := range d.run.Questions {
		if q.Experiment != experiment {
			continue
		}
		for _, f := range q.Figures {
			figures = append(figures, d.draw(experiment, f))
		}
	}
	return figures
}

// asked is a figure that is asked for, with what it is drawn from.
type asked struct {
	*data
	trial.Figure
	experiment string
	cells      []analysis.At // one of each, in the order of their rows
	factors    []string      // of the cells, besides the arm, the one across and those that the figure picks cells by
}

func (d *data) draw(experiment string, want trial.Figure) figure {
	if err := analysis.CheckFigures([]trial.Figure{want}, map[string]bool{}); err != nil { // of another version
		return notDrawn(want, err.Error())
	}
	a := asked{data: d, Figure: want, experiment: experiment}
	a.find()
	f := figure{ID: want.Name, Question: want.Title,
		Caption: sentences(want.Caption, a.offered(), d.sample(experiment)), Doubts: a.doubts()}
	var dr drawing
	switch want.Chart {
	case trial.Bars, trial.Dots:
		rows := a.rowChart(&f)
		f.Caption = sentences(f.Caption, rows.starts(), a.order())
		dr = rows
	case trial.Lines:
		dr = a.lineChart(&f)
	case trial.Grid:
		dr = a.gridChart(&f)
	case trial.TimeLine:
		dr = a.timeline(&f)
	case trial.Model:
		if dr = a.modelChart(&f); len(f.Table.Rows) == 0 && len(a.cells) > 0 {
			return notDrawn(want, "it rests on the CPU of a request, and no trial of "+plan.Experiment+" counts for that")
		}
	case trial.Crossings:
		a.crossings(&f)
		return f
	case trial.Predictions:
		a.predictions(&f)
		return f
	default:
		a.columns(&f)
		return f
	}
	if len(f.Table.Rows) == 0 && len(f.Doubts) > 0 { // there were trials, and none counts
		none := notDrawn(want, "no trial counts for it")
		none.Doubts = f.Doubts
		return none
	}
	return f.with(dr, len(f.Table.Rows))
}

// notDrawn stands where a figure was to be.
func notDrawn(want trial.Figure, why string) figure {
	return figure{ID: want.Name, Question: want.Title, Caption: want.Caption,
		Table: table{Head: []string{"figure", "why it is not drawn"}, Rows: [][]string{{want.Name, why}}}}
}

// find picks the cells, each once, and orders them by arm, then by their levels.
func (a *asked) find() {
	found := map[string]bool{}
	for _, at := range a.data.cells(a.experiment) {
		c := at.Spec()
		_, there := at.Trial.Step(at.Cell, a.Of.Step)
		name := c.Cell.String()
		if !found[name] && a.Of.Matches(c) && (there || a.Of.Step == "") && !(a.NoControl && c.Cell.Arm() == trial.Control) {
			found[name] = true
			a.cells = append(a.cells, at)
		}
	}
	arms := a.arms(a.experiment)
	slices.SortStableFunc(a.cells, func(x, y analysis.At) int {
		p, q := x.Spec().Cell, y.Spec().Cell
		order := slices.Index(arms, p.Arm()) - slices.Index(arms, q.Arm())
		for _, f := range p {
			order = cmp.Or(order, compareLevels(f.Level, q.Get(f.Name)))
		}
		return order
	})
	for _, at := range a.cells {
		for _, f := range at.Spec().Cell.Without("arm", a.Along) {
			if a.Of.Cell.Get(f.Name) == "" && !slices.Contains(a.factors, f.Name) {
				a.factors = append(a.factors, f.Name)
			}
		}
	}
}

// compareLevels orders levels by number, by length of time, by the usual order
// of balancers, or else as text.
func compareLevels(x, y string) int {
	balancers := trial.Balancers()
	return cmp.Or(cmp.Compare(levelNumber(x), levelNumber(y)),
		slices.Index(balancers, trial.Balancer(x))-slices.Index(balancers, trial.Balancer(y)), strings.Compare(x, y))
}

// levelNumber is a level's place on an axis; 0 for one that is no number.
func levelNumber(level string) float64 {
	if v, err := strconv.ParseFloat(strings.TrimSuffix(level, "%"), 64); err == nil {
		return v
	}
	d, _ := time.ParseDuration(level)
	return d.Seconds()
}

// levelText is a level for a reader: 1h, not 1h0m0s.
func levelText(level string) string {
	if strings.HasSuffix(level, "m0s") {
		level = strings.TrimSuffix(level, "0s")
	}
	if strings.HasSuffix(level, "h0m") {
		level = strings.TrimSuffix(level, "0m")
	}
	return level
}

// label names a cell's row: its arm, and what tells it from others of that arm.
func (a asked) label(c trial.Cell) string {
	parts := []string{armLabel(c.Arm())}
	for _, name := range a.factors {
		if slices.ContainsFunc(a.cells, func(o analysis.At) bool {
			cell := o.Spec().Cell
			return cell.Arm() == c.Arm() && cell.Get(name) != c.Get(name)
		}) {
			parts = append(parts, levelText(c.Get(name)))
		}
	}
	return strings.Join(parts, ", ")
}

// named begins a row of the table, or its head: the arm and the other factors.
func (a asked) named(c trial.Cell) []string {
	cells := []string{armLabel(c.Arm())}
	for _, name := range a.factors {
		cells = append(cells, levelText(cmp.Or(c.Get(name), absent)))
	}
	return cells
}

func (a asked) at(c trial.Cell) trial.Selector {
	return trial.Selector{Cell: c, Step: a.Of.Step, Stream: a.Of.Stream}
}

// value is a metric in the unit of the figure.
func (a asked) value(metric string, sel trial.Selector) trial.Interval {
	i := analysis.Summary(metric, a.blocks[a.experiment], sel)
	for _, v := range []float64{i.Estimate, i.Low, i.High} {
		if math.IsNaN(v) || math.IsInf(v, 0) { // by one absurd trial
			return trial.Interval{}
		}
	}
	return scaled(i, a.scale(metric))
}

// scale takes a metric from its own unit to that of the figure.
func (a asked) scale(metric string) float64 {
	if a.unit(metric) != unitOf(metric) {
		return 1e-3
	}
	return 1
}

func (a asked) unit(metric string) string {
	unit := unitOf(metric)
	if unit == "µs" && a.Unit == "ms" {
		return a.Unit
	}
	return unit
}

// place is a value on an axis, where shares stand in percent.
func (a asked) place(metric string, i trial.Interval) trial.Interval {
	if a.unit(metric) == shareUnit {
		return scaled(i, 100)
	}
	return i
}

// starts are the values on the axis that an interval sums up, one a start; none
// where there is but one, or nowhere on a logarithmic axis.
func (a asked) starts(metric string, sel trial.Selector) (starts []float64) {
	vs, _ := analysis.Values(metric, a.blocks[a.experiment], sel)
	for _, v := range vs {
		if v = a.place(metric, trial.Interval{Estimate: v * a.scale(metric)}).Estimate; len(vs) > 1 && !(a.Log && v <= 0) {
			starts = append(starts, v)
		}
	}
	return starts
}

// text is a value for the table, whose head holds the unit.
func (a asked) text(metric string, i trial.Interval) string {
	m, _ := analysis.Lookup(metric)
	switch {
	case i.N > 0 && m.Counted() && (i.Estimate == 0 || m.Unit == shareUnit):
		return of(i, m.Unit)
	case m.Unit == shareUnit:
		return interval(i, percent)
	}
	return interval(i, number)
}

// note is a value beside its mark.
func (a asked) note(metric string, i trial.Interval) string {
	m, _ := analysis.Lookup(metric)
	switch {
	case i.N > 0 && m.Counted() && i.Estimate == 0:
		return of(i, m.Unit)
	case m.Counted() && m.Unit != shareUnit:
		return interval(i, number)
	}
	return amount(i.Estimate, a.unit(metric))
}

// title heads a metric's column; what is counted or a share holds its unit itself.
func (a asked) title(s trial.Shown) string {
	m, _ := analysis.Lookup(s.Metric)
	title := cmp.Or(s.As, m.Title, s.Metric)
	if unit := a.unit(s.Metric); unit != "" && unit != shareUnit && !m.Counted() {
		title += " (" + unit + ")"
	}
	return title
}

// rowTable fills the table with a row for each cell that has one of the metrics.
func (a asked) rowTable(f *figure, add func(c trial.Cell, shown []trial.Interval, whole trial.Interval)) {
	metrics := slices.Clone(a.Metrics)
	if a.Whole != "" {
		metrics = append(metrics, trial.Shown{Metric: a.Whole, As: "whole"})
	}
	f.Table.Head = append([]string{"arm"}, a.factors...)
	percentiles := false
	for _, m := range metrics {
		f.Table.Head = append(f.Table.Head, a.title(m))
		metric, _ := analysis.Lookup(m.Metric)
		percentiles = percentiles || metric.Percentile()
	}
	control := trial.Interval{}
	if a.Chart == trial.Bars && a.Whole == "" && len(metrics) == 1 && !a.NoControl {
		control = a.value(metrics[0].Metric, a.at(trial.NewCell("arm", trial.Control)))
	}
	if control.N > 0 {
		f.Table.Head = append(f.Table.Head, "over the control")
	}
	if percentiles { // never without what was offered
		f.Table.Head = append(f.Table.Head, "offered", "completed", "dropped", "failed")
	}
	f.Table.Head = append(f.Table.Head, "blocks")
	for _, at := range a.cells {
		c := at.Spec().Cell
		sel := a.at(c)
		values, cells, any := []trial.Interval{}, a.named(c), false
		for _, m := range metrics {
			i := a.value(m.Metric, sel)
			values, cells, any = append(values, i), append(cells, a.text(m.Metric, i)), any || i.N > 0
		}
		if !any || a.Whole != "" && values[len(values)-1].N == 0 {
			continue
		}
		if control.N > 0 {
			cells = append(cells, signed(values[0].Estimate-control.Estimate))
		}
		if percentiles {
			sum := a.pooled(a.experiment, sel)
			cells = append(cells, count(sum.offered), count(sum.completed), count(sum.dropped), count(sum.completed-sum.succeeded))
		}
		vs, _ := analysis.Values(metrics[len(metrics)-1].Metric, a.blocks[a.experiment], sel)
		f.Table.Rows = append(f.Table.Rows, append(cells, strconv.Itoa(len(vs))))
		whole := trial.Interval{}
		if a.Whole != "" {
			whole = values[len(values)-1]
		}
		add(c, values[:len(a.Metrics)], whole)
	}
}

// rowChart draws bars or dots.
func (a asked) rowChart(f *figure) rowChart {
	chart := rowChart{XLabel: a.Values, Log: a.Log, Zero: a.Zero}
	for i, m := range a.Metrics {
		kind := i
		if a.Chart == trial.Dots {
			kind = min(keyDot+i, keyHollow)
		}
		if !m.Aside && (len(a.Metrics) > 1 || a.Expected != "") {
			chart.Key = append(chart.Key, keyEntry{kind, cmp.Or(m.As, m.Metric)})
		}
	}
	if m, err := analysis.Lookup(a.Expected); err == nil {
		chart.Key = append(chart.Key, keyEntry{keyExpected, strings.ToLower(m.Title[:1]) + m.Title[1:]})
	}
	a.rowTable(f, func(c trial.Cell, shown []trial.Interval, whole trial.Interval) {
		r := row{Label: a.label(c), Colour: armColour(c.Arm()), Whisker: whole}
		var notes, told []string
		for i, m := range a.Metrics {
			at := a.place(m.Metric, shown[i])
			switch {
			case m.Aside:
				continue
			case a.Chart == trial.Dots && at.N > 0 && !(a.Log && at.Estimate <= 0):
				r.Dots = append(r.Dots, at)
				r.Starts = append(r.Starts, a.starts(m.Metric, a.at(c))...)
			case a.Chart == trial.Bars:
				r.Bars = append(r.Bars, at.Estimate)
				if len(a.Metrics) == 1 {
					r.Whisker, r.Starts = at, a.starts(m.Metric, a.at(c))
				}
			}
			notes = append(notes, a.note(m.Metric, shown[i]))
			told = append(told, m.As+" "+a.note(m.Metric, shown[i]))
		}
		r.Note = strings.Join(notes, " / ")
		if a.Whole != "" {
			r.Whisker, r.Starts = a.place(a.Whole, whole), a.starts(a.Whole, a.at(c))
			r.Note = a.note(a.Whole, whole)
			told = append(told, "whole "+r.Note)
		}
		if e := a.value(a.Expected, a.at(c)); e.N > 0 && !(a.Log && e.Estimate <= 0) {
			r.Expected = []float64{a.place(a.Expected, e).Estimate}
		}
		chart.Rows = append(chart.Rows, r)
		if len(told) == 1 {
			told[0] = r.Note
		}
		f.Alt += fmt.Sprintf("%s: %s. ", r.Label, strings.Join(told, ", "))
	})
	return chart
}

// column is a level of the factor across.
type column struct {
	level string
	step  string // of steps: the one that is named by the level
}

// across lists the levels of the factor across, and the cells without it.
func (a asked) across() (columns []column, rows []trial.Cell) {
	for _, at := range a.cells {
		c := at.Spec()
		if level := c.Cell.Get(a.Along); level != "" {
			columns = append(columns, column{level: level})
		} else {
			for _, s := range c.Steps {
				level, ok := strings.CutPrefix(s.Name, a.Along+"=")
				if ok && levelNumber(level) > 0 {
					columns = append(columns, column{level, s.Name})
				}
			}
		}
		rows = append(rows, c.Cell.Without(a.Along))
	}
	slices.SortFunc(columns, func(x, y column) int { return compareLevels(x.level, y.level) })
	same := func(x, y trial.Cell) bool { return x.String() == y.String() }
	return slices.Compact(columns), slices.CompactFunc(rows, same)
}

// columns fills the table: a row for each cell without the factor across, a
// column for each of its levels, in the order of which values come.
func (a asked) columns(f *figure) (columns []column, rows []trial.Cell, values [][]trial.Interval) {
	if a.Along == "" {
		a.rowTable(f, func(trial.Cell, []trial.Interval, trial.Interval) {})
		return nil, nil, nil
	}
	columns, all := a.across()
	f.Table.Head = append([]string{"arm"}, a.factors...)
	for _, c := range columns {
		f.Table.Head = append(f.Table.Head, a.Along+" = "+levelText(c.level))
	}
	metric := a.Metrics[0].Metric
	for _, cell := range all {
		var line []trial.Interval
		cells, any := a.named(cell), false
		for _, c := range columns {
			i := a.value(metric, a.cross(cell, c))
			line, any = append(line, i), any || i.N > 0
			text := a.text(metric, i)
			if e := a.expected(cell, c); e != "" {
				text += " (expected " + e + ")"
			}
			cells = append(cells, text)
		}
		if any {
			rows, values = append(rows, cell), append(values, line)
			f.Table.Rows = append(f.Table.Rows, cells)
			f.Alt += fmt.Sprintf("%s: %s. ", a.label(cell), strings.Join(cells[1+len(a.factors):], ", "))
		}
	}
	return columns, rows, values
}

// cross is the cell, or its step, at a level of the factor across.
func (a asked) cross(cell trial.Cell, c column) trial.Selector {
	sel := a.at(cell)
	if c.step != "" {
		sel.Step = c.step
		return sel
	}
	sel.Cell = cell.With(a.Along, c.level)
	return sel
}

// expected is what theory says of a cell, where it says something.
func (a asked) expected(cell trial.Cell, c column) string {
	if e := a.value(a.Expected, a.cross(cell, c)); e.N > 0 {
		return amount(e.Estimate, a.unit(a.Expected))
	}
	return ""
}

func (a asked) lineChart(f *figure) drawing {
	metric := a.Metrics[0].Metric
	chart := lineChart{XLabel: a.Levels, YLabel: a.Values, FromZero: a.Zero,
		Reference: a.place(metric, trial.Interval{Estimate: a.Reference}).Estimate}
	columns, rows, values := a.columns(f)
	for _, c := range columns {
		label := strings.Replace(levelText(c.level), "%", " %", 1)
		chart.XTicks = append(chart.XTicks, plot.Tick{Value: levelNumber(c.level), Label: label})
	}
	for i, cell := range rows {
		s := series{Name: a.label(cell), Colour: armColour(cell.Arm())}
		for j, v := range values[i] {
			if v.N > 0 {
				s.Points = append(s.Points, point{chart.XTicks[j].Value, a.place(metric, v)})
			}
		}
		chart.Series = append(chart.Series, s)
	}
	return chart
}

func (a asked) gridChart(f *figure) drawing {
	var chart gridChart
	columns, rows, values := a.columns(f)
	for _, c := range columns {
		chart.Columns = append(chart.Columns, a.Along+" = "+levelText(c.level))
	}
	metric := a.Metrics[0].Metric
	for i, r := range rows {
		var fields []cell
		for j, c := range columns {
			fields = append(fields, a.field(metric, values[i][j], a.expected(r, c)))
		}
		chart.Rows = append(chart.Rows, strings.Join(a.named(r), "\n"))
		chart.Cells = append(chart.Cells, fields)
	}
	return chart
}

func (a asked) field(metric string, i trial.Interval, expected string) cell {
	switch text := amount(i.Estimate, a.unit(metric)); {
	case i.N == 0:
		return cell{Share: math.NaN(), Text: "not measured"}
	case i.Estimate == 0:
		return cell{Share: 0.25, Colour: kept, Text: strings.Replace(a.note(metric, i), " (", "\n(", 1)}
	case expected != "":
		return cell{Share: i.Estimate, Colour: lost, Text: text + "\nexpected " + expected}
	default:
		return cell{Share: i.Estimate, Colour: lost, Text: text}
	}
}

func (a asked) timeline(f *figure) drawing {
	var chart timeline
	a.rowTable(f, func(c trial.Cell, shown []trial.Interval, _ trial.Interval) {
		for _, at := range a.cells {
			m, ok := at.Trial.Step(at.Cell, a.Of.Step)
			if !ok || at.Spec().Cell.String() != c.String() {
				continue
			}
			if r, ok := m.Result(a.Of.Stream); ok {
				row := timelineOf(a.label(c), m, r)
				chart.Rows = append(chart.Rows, row)
				chart.Seconds = max(chart.Seconds, row.From+row.Width*float64(len(row.Shares)))
				f.Alt += fmt.Sprintf("%s: %s. ", row.Label, a.text(a.Metrics[0].Metric, shown[0]))
			}
		}
	})
	return chart
}

// sentences joins some, of which some may be missing.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}

// offered says at which rate all cells were loaded, if it was one.
func (a asked) offered() string {
	rate := 0.0
	for _, at := range a.cells {
		m, ok := at.Trial.Step(at.Cell, a.Of.Step)
		if !ok {
			return ""
		}
		r, ok := m.Result(a.Of.Stream)
		if !ok || m.Search != nil || r.Stream.Pacing.Mode != trial.Open || rate > 0 && r.Stream.Pacing.Rate != rate {
			return ""
		}
		rate = r.Stream.Pacing.Rate
	}
	if rate == 0 {
		return ""
	}
	return "Every arm was offered " + number(rate) + nbsp + "requests/s."
}

// order says how the arms stand to each other, by the whole.
func (a asked) order() string {
	if !a.Ordered || a.Whole == "" {
		return ""
	}
	var cells []trial.Selector
	for _, at := range a.cells {
		cells = append(cells, a.at(at.Spec().Cell))
	}
	told, ties := armLabel(trial.Control), false
	order := analysis.Order(a.Whole, a.blocks[a.experiment], cells)
	for _, p := range order {
		sign := " < "
		if p.Tie {
			sign, ties = " ≈ ", true
		}
		told += sign + a.label(p.Of.Cell)
	}
	if len(order) == 0 {
		return ""
	}
	if ties {
		told += " (≈: the 95" + nbsp + "% interval of the difference holds 0)"
	}
	return "In order: " + told + "."
}

// doubts are what weakens the figure: trials that a doubt took from its metrics,
// and a curve that bends where it should not.
func (a asked) doubts() (doubts []string) {
	var rests []trial.Aspect
	for _, name := range a.All() {
		if m, err := analysis.Lookup(name); err == nil {
			rests = append(rests, m.Aspect)
		}
	}
	spoiled := 0
	for _, t := range a.trials {
		if t.Spec.Experiment == a.experiment && t.Block > 0 && t.Status == trial.OK && slices.ContainsFunc(t.Spec.Cells, a.Of.Matches) &&
			slices.ContainsFunc(rests, func(r trial.Aspect) bool { _, is := t.Spoiled(a.Of.Step, r); return is }) {
			spoiled++
		}
	}
	if spoiled > 0 {
		doubts = append(doubts, "figures of "+plural(spoiled, "trial", "trials")+" were left out (see the table of doubts)")
	}
	if a.Bent == nil {
		return doubts
	}
	var bent []string
	for _, at := range a.cells {
		c := at.Spec().Cell
		if i := a.value(a.Bent.Metric, a.at(c)); c.Holds(a.Bent.Of) && i.N > 0 && i.Estimate < a.Bent.Below {
			bent = append(bent, amount(i.Estimate, a.unit(a.Bent.Metric))+" at "+c.Without("arm").String())
		}
	}
	if len(bent) > 0 {
		doubts = append(doubts, a.Bent.Text+" "+strings.Join(bent, ", "))
	}
	return doubts
}
