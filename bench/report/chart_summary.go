package report

import (
	"fmt"

	"authbench/bench/trial"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// verdictChart shows every claim with its answer: one picture of a run.
type verdictChart struct{ Verdicts []trial.Verdict }

const (
	pillWidth   = vg.Length(86)
	claimWidth  = vg.Length(30)
	summaryLine = vg.Length(12.5)
	summaryGap  = vg.Length(11)
)

// parts are the wrapped texts of one verdict beside its claim and answer.
func (verdictChart) parts(v trial.Verdict, width vg.Length) (statement, figures []string) {
	width -= claimWidth + pillWidth + 10
	statement = wrap(boldStyle(textSize, ink), v.Rule.Statement, width)
	figures = wrap(textStyle(smallSize, muted), strongestText(v), width)
	return statement, figures
}

func (s verdictChart) Height(width vg.Length) vg.Length {
	h := vg.Length(4)
	for _, v := range s.Verdicts {
		statement, figures := s.parts(v, width)
		h += vg.Length(len(statement)+len(figures))*summaryLine + summaryGap
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
		statement, figures := s.parts(v, c.Max.X-c.Min.X)
		c.FillText(textStyle(textSize, muted), vg.Point{X: c.Min.X, Y: y - summaryLine/2}, v.Rule.Claim)
		pill(c, c.Min.X+claimWidth, y-summaryLine/2, v.Answer)
		x := c.Min.X + claimWidth + pillWidth + 10
		for _, l := range statement {
			c.FillText(boldStyle(textSize, ink), vg.Point{X: x, Y: y - summaryLine/2}, l)
			y -= summaryLine
		}
		for _, l := range figures {
			c.FillText(textStyle(smallSize, muted), vg.Point{X: x, Y: y - summaryLine/2}, l)
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
	c.FillText(style, vg.Point{X: x + pillWidth/2, Y: y}, string(a))
}

func summaryFigure(d *data) figure {
	f := figure{ID: "summary", Question: "Sessions or JWT? The claims, measured",
		Caption: fmt.Sprintf("Under each claim: what speaks loudest for it and, where there is such, against it, with 95 %% intervals. Profile %s, seed %d, %s.",
			d.run.Profile, d.run.Seed, d.run.Machine.CPU),
		Doubts: d.runDoubts()}
	for _, v := range d.verdicts {
		f.Alt += fmt.Sprintf("%s %s: %s. ", v.Rule.Claim, v.Rule.Statement, v.Answer)
	}
	return f.with(verdictChart{d.verdicts}, len(d.verdicts))
}
