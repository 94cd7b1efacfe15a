package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"authbench/bench/trial"
)

// row is one arm (or cell, or claim) of a rowChart. All its parts may be absent.
type row struct {
	Label    string
	Colour   color.NRGBA
	Bars     []float64        // parts of a bar, stacked from 0; below 0 to the left
	Whisker  trial.Interval   // of the whole bar
	Dots     []trial.Interval // with their intervals; the first filled, the others hollow
	Starts   []float64        // what the whisker and the dots sum up, value by value: a strip below them
	Expected []float64        // where theory puts it: upright strokes
	Note     string           // right of all that
}

// keyEntry explains one kind of mark: 0.. a part of a bar, or one of the following.
type keyEntry struct {
	Kind int
	Text string
}

const (
	keyDot = iota + 100
	keyHollow
	keyExpected
)

// rowChart is a chart of horizontal bars or dots, one row below the other.
type rowChart struct {
	XLabel string
	Log    bool
	Zero   bool // the axis begins at 0 for dots too
	Key    []keyEntry
	Rows   []row
}

const (
	rowHeight   = vg.Length(25)
	stripHeight = vg.Length(6) // more of a row with its starts
)

func (r rowChart) Height(width vg.Length) vg.Length {
	return vg.Length(len(r.Rows))*(rowHeight+r.strip()) + 44 + r.keyHeight(width)
}

// strip is the height that each row leaves for starts.
func (r rowChart) strip() vg.Length {
	if slices.ContainsFunc(r.Rows, func(row row) bool { return len(row.Starts) > 0 }) {
		return stripHeight
	}
	return 0
}

// starts explains the strip; "" where there is none.
func (r rowChart) starts() string {
	if r.strip() == 0 {
		return ""
	}
	return "Small dots: one start each."
}

func (r rowChart) Draw(c draw.Canvas) {
	keyHeight := r.keyHeight(c.Max.X - c.Min.X)
	r.drawKey(c)
	c = draw.Crop(c, 0, 0, 0, -keyHeight)

	p := newPlot(r.XLabel, "")
	p.X.Min, p.X.Max = r.xRange()
	n := 6
	if c.Max.X-c.Min.X < wide/2+100 {
		n = 3
	}
	p.X.Tick.Marker = plot.ConstantTicks(linearTicks(p.X.Min, p.X.Max, n))
	if r.Log {
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = plot.ConstantTicks(logTicks(p.X.Min, p.X.Max))
	}
	p.Y.Min, p.Y.Max = -0.5, float64(len(r.Rows))-0.5
	var names []plot.Tick
	for i, row := range r.Rows {
		names = append(names, plot.Tick{Value: r.y(i), Label: oneLine(row.Label)})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.Length = 0
	p.Add(gridLines{X: true}, r)
	p.Draw(c)
}

func (r rowChart) y(i int) float64 { return float64(len(r.Rows) - 1 - i) }

// xRange holds all that is drawn; a bar's axis holds 0.
func (r rowChart) xRange() (low, high float64) {
	xs := newSpan()
	if r.Zero {
		xs.add(0)
	}
	for _, row := range r.Rows {
		neg, pos := stackEnds(row.Bars)
		if len(row.Bars) > 0 {
			xs.add(0, neg, pos)
		}
		if row.Whisker.N > 0 {
			xs.add(row.Whisker.Low, row.Whisker.High)
		}
		for _, d := range row.Dots {
			if r.Log && d.Low <= 0 {
				d.Low = d.Estimate
			}
			xs.add(d.Estimate, d.Low, d.High)
		}
		xs.add(row.Expected...)
		xs.add(row.Starts...)
	}
	if r.Log {
		if xs.low > xs.high || xs.low <= 0 {
			return 1, 10
		}
		return xs.low / 1.25, xs.high * 1.25
	}
	if xs.low > xs.high {
		return 0, 1
	}
	return xs.padded(0.03, xs.low == 0 && !r.hasDots()) // a dot at 0 needs room beside the names
}

func (r rowChart) hasDots() bool {
	return slices.ContainsFunc(r.Rows, func(row row) bool { return len(row.Dots) > 0 })
}

func stackEnds(parts []float64) (neg, pos float64) {
	for _, v := range parts {
		if v > 0 {
			pos += v
		} else if v < 0 {
			neg += v
		}
	}
	return neg, pos
}

// shade is the opacity of a bar's i-th part.
func shade(i int) float64 { return []float64{1, 0.62, 0.32, 0.18}[min(i, 3)] }

// rightEnd is the largest x of what a row draws, for its note.
func (r rowChart) rightEnd(row row, p *plot.Plot) float64 {
	_, end := stackEnds(row.Bars)
	if len(row.Bars) == 0 {
		end = p.X.Min
	}
	for _, d := range append([]trial.Interval{row.Whisker}, row.Dots...) {
		for _, v := range []float64{d.Estimate, d.High} {
			if d.N > 0 && !math.IsNaN(v) && !math.IsInf(v, 0) {
				end = max(end, v)
			}
		}
	}
	for _, e := range row.Expected {
		end = max(end, e)
	}
	return min(end, p.X.Max)
}

// GlyphBoxes reserves room for the notes.
func (r rowChart) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	style := textStyle(smallSize, ink)
	var boxes []plot.GlyphBox
	for i, row := range r.Rows {
		if row.Note != "" {
			boxes = append(boxes, plot.GlyphBox{X: p.X.Norm(r.rightEnd(row, p)), Y: p.Y.Norm(r.y(i)),
				Rectangle: vg.Rectangle{Min: vg.Point{Y: -5}, Max: vg.Point{X: 9 + style.Width(row.Note), Y: 5}}})
		}
	}
	return boxes
}

func (r rowChart) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := textStyle(smallSize, ink)
	if !r.Log && p.X.Min < 0 && p.X.Max > 0 {
		c.StrokeLine2(lineStyle(muted, 1), x(0), c.Min.Y, x(0), c.Max.Y)
	}
	for i, row := range r.Rows {
		at := y(r.y(i)) + r.strip()/2
		neg, pos := 0.0, 0.0
		for k, v := range row.Bars {
			from := pos
			if v < 0 {
				from, neg = neg, neg+v
			} else {
				pos += v
			}
			fillBox(c, faint(row.Colour, shade(k)), x(from), at-7, x(from+v), at+7)
		}
		if row.Whisker.N > 0 {
			whiskerX(c, ink, at, x(row.Whisker.Low), x(row.Whisker.High))
			if neg < 0 { // the bar's parts cancel: show where the whole is
				dotAt(c, ink, vg.Point{X: x(row.Whisker.Estimate), Y: at}, 2.2)
			}
		}
		r.drawDots(c, row, x, at)
		for k, v := range row.Starts {
			dotAt(c, faint(row.Colour, 0.5), vg.Point{X: x(v), Y: at - 11.5 + vg.Length(k%3-1)*1.4}, 1.7)
		}
		for _, e := range row.Expected {
			c.StrokeLine2(lineStyle(ink, 1.6), x(e), at-8, x(e), at+8)
		}
		if row.Note != "" {
			put(c, style, vg.Point{X: x(r.rightEnd(row, p)) + 7, Y: at}, row.Note)
		}
	}
}

// drawDots joins a row's dots by a line, as they are of one arm.
func (r rowChart) drawDots(c draw.Canvas, row row, x func(float64) vg.Length, at vg.Length) {
	for k, d := range row.Dots {
		if k > 0 {
			if from, to := x(row.Dots[k-1].Estimate), x(d.Estimate); finite(from, to) {
				c.StrokeLine2(lineStyle(faint(row.Colour, 0.45), 2), from, at, to, at)
			}
		}
	}
	for k, d := range row.Dots {
		low := d.Low
		if r.Log && low <= 0 {
			low = d.Estimate
		}
		whiskerX(c, row.Colour, at, x(low), x(d.High))
		pt := vg.Point{X: x(d.Estimate), Y: at}
		dotAt(c, row.Colour, pt, 4)
		if k > 0 {
			dotAt(c, paper, pt, 2.3)
		}
	}
}
