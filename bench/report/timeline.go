package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"authbench/bench/trial"
)

// outcomeColours of a time line: served, refused, failed.
var outcomeColours = []struct {
	classes []string
	name    string
	colour  color.NRGBA
}{
	{[]string{trial.Success}, "answered 2xx", kept},
	{[]string{trial.Refused}, "refused (401)", color.NRGBA{0xe3, 0xa0, 0x1b, 0xff}},
	{[]string{trial.Failed, trial.Shed, trial.Other}, "error (503 and other)", lost},
	{[]string{trial.Transport}, "no answer", color.NRGBA{0x7a, 0x2e, 0x26, 0xff}},
}

// timeline draws, row by row, what became of requests over time.
type timeline struct {
	Seconds float64
	Rows    []timelineRow
}

type timelineRow struct {
	Label  string
	Shares [][]float64 // by slice, then by outcomeColours; empty where nothing ended
	Width  float64     // of a slice, in seconds
	From   float64     // of the first slice
	Marks  []float64   // begun to show, over; full strokes
	Asked  []float64   // its end asked for; dashed
}

// timelineOf reads a row from a step and the stream that is shown.
func timelineOf(label string, m *trial.Measurement, r *trial.StreamResult) timelineRow {
	row := timelineRow{Label: label, Width: trial.SeriesSlice.Seconds(), From: r.Started.Sub(m.Started).Seconds()}
	n := 0 // slices
	for _, s := range r.Series {
		n = max(n, len(s))
	}
	if n == 0 { // nothing was broken: one slice says all
		n, row.Width = 1, r.Seconds
	}
	for i := range n {
		var counts []float64
		total := 0.0
		for _, o := range outcomeColours {
			ended := 0.0
			for _, c := range o.classes {
				switch s := r.Series[c]; {
				case r.Series == nil:
					ended += float64(r.Outcomes[c])
				case i < len(s):
					ended += float64(s[i])
				}
			}
			counts = append(counts, ended)
			total += ended
		}
		for k := range counts {
			counts[k] /= max(total, 1)
		}
		if total == 0 {
			counts = nil
		}
		row.Shares = append(row.Shares, counts)
	}
	for _, mark := range m.Marks {
		for _, at := range []*float64{mark.InEffect, mark.Recovered} {
			if at != nil {
				row.Marks = append(row.Marks, *at)
			}
		}
		if mark.Ended != nil {
			row.Asked = append(row.Asked, *mark.Ended)
		}
	}
	return row
}

const (
	timelineRowHeight = vg.Length(30)
	timelineKey       = vg.Length(20)
	timelineAxis      = vg.Length(30)
)

func (t timeline) Height(width vg.Length) vg.Length {
	return vg.Length(len(t.Rows))*timelineRowHeight + timelineKey*vg.Length(len(t.keyLines(width))) + timelineAxis
}

// keyLines breaks the key into lines that fit.
func (t timeline) keyLines(width vg.Length) (lines [][]int) {
	style, used := textStyle(smallSize, ink), vg.Length(0)
	for i, o := range outcomeColours {
		w := 26 + style.Width(o.name)
		if len(lines) == 0 || used+w > width {
			lines, used = append(lines, nil), 0
		}
		used += w
		lines[len(lines)-1] = append(lines[len(lines)-1], i)
	}
	return lines
}

// tick is the distance of the marks on the axis, in seconds: few enough to be read.
func (t timeline) tick() float64 {
	for _, step := range []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800} {
		if t.Seconds/step <= 20 {
			return step
		}
	}
	return 3600
}

func (t timeline) Draw(c draw.Canvas) {
	style := textStyle(smallSize, ink)
	y := c.Max.Y
	for _, line := range t.keyLines(c.Max.X - c.Min.X) {
		x := c.Min.X
		for _, i := range line {
			o := outcomeColours[i]
			fillBox(c, o.colour, x, y-14, x+10, y-4)
			put(c, style, vg.Point{X: x + 14, Y: y - 9}, o.name)
			x += 26 + style.Width(o.name)
		}
		y -= timelineKey
	}
	left := c.Min.X
	for _, r := range t.Rows {
		left = max(left, c.Min.X+style.Width(r.Label)+8)
	}
	bottom := c.Min.Y + timelineAxis
	x := func(seconds float64) vg.Length {
		return left + (c.Max.X-4-left)*vg.Length(seconds/max(t.Seconds, 0.001))
	}
	axis := textStyle(smallSize, muted)
	axis.XAlign = draw.XCenter
	for s := 0.0; s <= math.Floor(t.Seconds); s += t.tick() {
		c.StrokeLine2(lineStyle(grid, 0.6), x(s), bottom-3, x(s), y)
		put(c, axis, vg.Point{X: x(s), Y: bottom - 9}, number(s))
	}
	put(c, axis, vg.Point{X: (left + c.Max.X) / 2, Y: bottom - 22}, "seconds from the step's start")
	for i, r := range t.Rows {
		low := y - vg.Length(i+1)*timelineRowHeight + 4
		high := low + timelineRowHeight - 8
		put(c, style, vg.Point{X: c.Min.X, Y: (low + high) / 2}, r.Label)
		for k, shares := range r.Shares {
			from := low
			x0, x1 := x(r.From+float64(k)*r.Width), x(min(r.From+float64(k+1)*r.Width, t.Seconds))
			for j, s := range shares {
				if s > 0 {
					to := from + (high-low)*vg.Length(s)
					fillBox(c, outcomeColours[j].colour, x0, from, x1, to)
					from = to
				}
			}
		}
		for _, at := range r.Marks {
			c.StrokeLine2(lineStyle(ink, 1.4), x(at), low-2, x(at), high+2)
		}
		for _, at := range r.Asked {
			c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{2, 2}}, x(at), low-2, x(at), high+2)
		}
	}
}
