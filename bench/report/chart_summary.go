package report

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"authbench/bench/trial"
)

// verdictChart shows every claim with its answer: one picture of a run.
type verdictChart struct{ Verdicts []trial.Verdict }

const (
	pillWidth   = vg.Length(86)
	claimWidth  = vg.Length(30)
	summaryLine = vg.Length(12.5)
	summaryGap  = vg.Length(11)
)

// summaryText is the wrapped text of one verdict beside its claim and answer.
type summaryText struct {
	statement, figures []string
	measure            string // at the right of the statement; "" where it stands among the figures
}

func textOf(v trial.Verdict, width vg.Length) (t summaryText) {
	width -= claimWidth + pillWidth + 10
	bold, small := boldStyle(textSize, ink), textStyle(smallSize, muted)
	t.statement = wrap(bold, v.Rule.Statement, width)
	t.measure = measure(v.Rule)
	figures := strings.Join(strongestLines(v), "\n")
	if len(t.statement) != 1 || bold.Width(v.Rule.Statement)+20+small.Width(t.measure) > width {
		figures, t.measure = t.measure+"\n"+figures, ""
	}
	t.figures = wrap(small, figures, width)
	return t
}

func (s verdictChart) Height(width vg.Length) vg.Length {
	h := vg.Length(4)
	for _, v := range s.Verdicts {
		t := textOf(v, width)
		h += vg.Length(len(t.statement)+len(t.figures))*summaryLine + summaryGap
	}
	return h
}

func (s verdictChart) Draw(c draw.Canvas) {
	y := c.Max.Y - 2
	for i, v := range s.Verdicts {
		if i > 0 {
			c.StrokeLine2(lineStyle(grid, 0.7), c.Min.X, y, c.Max.X, y)
		}
		y -= summaryGap / 2
		t := textOf(v, c.Max.X-c.Min.X)
		right := textStyle(smallSize, muted)
		right.XAlign = draw.XRight
		put(c, right, vg.Point{X: c.Max.X, Y: y - summaryLine/2}, t.measure)
		put(c, textStyle(textSize, muted), vg.Point{X: c.Min.X, Y: y - summaryLine/2}, v.Rule.Claim)
		pill(c, c.Min.X+claimWidth, y-summaryLine/2, v.Answer)
		x := c.Min.X + claimWidth + pillWidth + 10
		for _, l := range t.statement {
			put(c, boldStyle(textSize, ink), vg.Point{X: x, Y: y - summaryLine/2}, l)
			y -= summaryLine
		}
		for _, l := range t.figures {
			put(c, textStyle(smallSize, muted), vg.Point{X: x, Y: y - summaryLine/2}, l)
			y -= summaryLine
		}
		y -= summaryGap / 2
	}
}

// pill is an answer on its colour, with round ends.
func pill(c draw.Canvas, x, y vg.Length, a trial.Answer) {
	const r = vg.Length(7.5)
	col := answerColours[a]
	fillBox(c, col, x+r, y-r, x+pillWidth-r, y+r)
	dotAt(c, col, vg.Point{X: x + r, Y: y}, r)
	dotAt(c, col, vg.Point{X: x + pillWidth - r, Y: y}, r)
	style := boldStyle(smallSize, onPill)
	style.XAlign = draw.XCenter
	put(c, style, vg.Point{X: x + pillWidth/2, Y: y}, string(a))
}

func summaryFigure(d *data) figure {
	f := figure{ID: trial.SummaryFigure, Question: "Sessions or JWT? The claims, measured",
		Caption: fmt.Sprintf("Under each claim: the strongest evidence for it and, if there is any, against it, with 95 %% intervals. "+
			"Profile %s, seed %d, %s.",
			d.run.Profile, d.run.Seed, d.run.Machine.CPU),
		Doubts: d.runDoubts()}
	for _, v := range d.verdicts {
		f.Alt += fmt.Sprintf("%s %s: %s. ", v.Rule.Claim, v.Rule.Statement, v.Answer)
	}
	return f.with(verdictChart{d.verdicts}, len(d.verdicts))
}
