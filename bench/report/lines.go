package report

import (
	"cmp"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"authbench/bench/trial"
)

// point is one x with an interval of y.
type point struct {
	X float64
	Y trial.Interval
}

// series is a line of points with its name at its right end, if it has one.
type series struct {
	Name   string
	Colour color.NRGBA
	Points []point
	Before bool // of the earlier of two runs, or a second one of its arm: dashed
}

// level is a horizontal line with its name.
type level struct {
	Name string
	Y    float64
}

// ring marks a place where two lines cross.
type ring struct{ X, Y float64 }

// lineChart draws series over a shared x, with intervals as error bars.
type lineChart struct {
	XLabel, YLabel string
	XTicks         []plot.Tick
	Series         []series
	Reference      float64 // a horizontal line, where not 0
	FromZero       bool

	// Log draws both axes logarithmically: for what grows with x, each doubling of which then counts alike.
	Log    bool
	Levels []level // named at their left end, if they have one; with Log only
	Rings  []ring
	Marks  []series // points that no line joins, each with a rim
}

func (l lineChart) Height(width vg.Length) vg.Length { return max(min(width*0.52, 340), 270) }

func (l lineChart) Draw(c draw.Canvas) {
	c = draw.Crop(c, 3, 0, 0, 0) // the upright label's letters may reach a little over their line
	p := newPlot(l.XLabel, l.YLabel)
	if l.Log {
		l.drawLog(c, p)
		return
	}
	ys, estimates := newSpan(), newSpan()
	for _, s := range l.Series {
		for _, pt := range s.Points {
			ys.add(pt.Y.Estimate, pt.Y.Low, pt.Y.High)
			estimates.add(pt.Y.Estimate)
		}
	}
	// What is drawn here is never negative, and one interval that is far wider
	// than what all others are of must not flatten them.
	ys.low, ys.high = max(ys.low, 0), min(ys.high, 1.6*estimates.high)
	if l.FromZero {
		ys.add(0)
	}
	if l.Reference != 0 {
		ys.add(l.Reference*0.9, l.Reference*1.1) // so that noise around it does not look like news
	}
	p.Y.Min, p.Y.Max = ys.padded(0.04, l.FromZero)
	p.Y.Tick.Marker = plot.ConstantTicks(linearTicks(p.Y.Min, p.Y.Max, 6))
	p.X.Min, p.X.Max = l.XTicks[0].Value, l.XTicks[len(l.XTicks)-1].Value
	room := max((p.X.Max-p.X.Min)*0.04, 0.04) // for dots beside the axis
	p.X.Min, p.X.Max = p.X.Min-room, p.X.Max+room/2
	p.X.Tick.Marker = plot.ConstantTicks(l.XTicks)
	p.Add(gridLines{Y: true}, l)
	p.Draw(c)
}

// drawLog draws with both axes logarithmic, over what is above 0.
func (l lineChart) drawLog(c draw.Canvas, p *plot.Plot) {
	ys, estimates := newSpan(), newSpan()
	for _, s := range slices.Concat(l.Series, l.Marks) {
		for _, pt := range s.Points {
			ys.add(pt.Y.Low, pt.Y.High)
			estimates.add(pt.Y.Estimate)
		}
	}
	for _, level := range l.Levels {
		estimates.add(level.Y)
	}
	// An interval may reach to 0 and below, which is nowhere here.
	ys.low, ys.high = min(estimates.low, max(ys.low, estimates.low/1.6)), max(estimates.high, min(ys.high, 1.6*estimates.high))
	p.Y.Min, p.Y.Max = ys.low/1.15, ys.high*1.15
	p.X.Min, p.X.Max = l.XTicks[0].Value/1.06, l.XTicks[len(l.XTicks)-1].Value*1.03
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(l.XTicks), plot.ConstantTicks(logTicks(p.Y.Min, p.Y.Max))
	p.Add(gridLines{X: true, Y: true}, l)
	p.Draw(c)
}

// GlyphBoxes reserves room for the names at the right.
func (l lineChart) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	style := textStyle(smallSize, ink)
	var boxes []plot.GlyphBox
	for _, s := range l.Series {
		if s.Name == "" {
			continue
		}
		boxes = append(boxes, plot.GlyphBox{X: 1, Y: 0.5,
			Rectangle: vg.Rectangle{Max: vg.Point{X: 28 + style.Width(s.Name), Y: 1}}})
	}
	return boxes
}

func (l lineChart) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	whisker := func(col color.Color, x vg.Length, i trial.Interval) {
		if l.Log && i.Low <= 0 { // nowhere on the axis: below the frame
			i.Low = p.Y.Min / 2
		}
		whiskerY(c, col, x, y(i.Low), y(i.High))
	}
	across := draw.LineStyle{Color: muted, Width: 1, Dashes: []vg.Length{4, 3}}
	if l.Reference != 0 {
		c.StrokeLine2(across, c.Min.X, y(l.Reference), c.Max.X, y(l.Reference))
	}
	for _, level := range l.Levels {
		at := y(level.Y)
		c.StrokeLine2(across, c.Min.X, at, c.Max.X, at)
		put(c, textStyle(smallSize, muted), vg.Point{X: c.Min.X + 4, Y: at + 7}, level.Name)
	}
	var named []series
	var ends []vg.Length // of the named lines, at the right
	for i, s := range l.Series {
		// Whiskers of different arms at one x stand a little apart.
		shift := vg.Length(float64(i)-float64(len(l.Series)-1)/2) * 2.5
		if l.Log { // where lines cross must show
			shift = 0
		}
		var pts []vg.Point
		for _, pt := range s.Points {
			at := vg.Point{X: x(pt.X) + shift, Y: y(pt.Y.Estimate)}
			pts = append(pts, at)
			whisker(s.Colour, at.X, pt.Y)
			dotAt(c, s.Colour, at, 2.8)
		}
		stroke := lineStyle(s.Colour, 1.6)
		if s.Before {
			stroke.Dashes = []vg.Length{4, 3}
		}
		c.StrokeLines(stroke, pts)
		if len(pts) > 0 && s.Name != "" {
			named, ends = append(named, s), append(ends, pts[len(pts)-1].Y)
		}
	}
	for _, s := range l.Marks {
		for _, pt := range s.Points {
			at := vg.Point{X: x(pt.X), Y: y(pt.Y.Estimate)}
			whisker(ink, at.X, pt.Y)
			dotAt(c, ink, at, 4.2)
			dotAt(c, s.Colour, at, 3.2)
		}
	}
	for _, r := range l.Rings {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: ink, Radius: 5, Shape: draw.RingGlyph{}}, vg.Point{X: x(r.X), Y: y(r.Y)})
	}
	style := textStyle(smallSize, ink)
	for i, at := range spread(ends, 11.5, c.Min.Y, c.Max.Y) {
		s := named[i]
		last := x(s.Points[len(s.Points)-1].X)
		c.StrokeLine2(lineStyle(s.Colour, 0.7), last+8, ends[i], c.Max.X+20, at)
		c.StrokeLine2(lineStyle(s.Colour, 2), c.Max.X+20, at, c.Max.X+25, at)
		put(c, style, vg.Point{X: c.Max.X + 28, Y: at}, s.Name)
	}
}

// spread moves places apart so that neighbours are at least gap from each
// other, and keeps their order and, where they fit, the bounds.
func spread(places []vg.Length, gap, low, high vg.Length) []vg.Length {
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	out := slices.Clone(places)
	for range 200 { // relax: push close neighbours apart evenly
		moved := false
		for k := 1; k < len(order); k++ {
			a, b := order[k-1], order[k]
			if lack := gap - (out[b] - out[a]); lack > 0.01 {
				out[a], out[b], moved = out[a]-lack/2, out[b]+lack/2, true
			}
		}
		for k, i := range order { // room for those below and above
			out[i] = max(out[i], low+gap*vg.Length(k))
			out[i] = min(out[i], max(high-gap*vg.Length(len(order)-1-k), low+gap*vg.Length(k)))
		}
		if !moved {
			break
		}
	}
	return out
}

// span is the range that finite values reach over.
type span struct{ low, high float64 }

func newSpan() *span { return &span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(vs ...float64) {
	for _, v := range vs {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.low, s.high = min(s.low, v), max(s.high, v)
		}
	}
}

// padded widens the range by a share; a lower end of 0 stays where keepZero.
func (s *span) padded(share float64, keepZero bool) (low, high float64) {
	if s.low > s.high {
		return 0, 1
	}
	pad := (s.high - s.low) * share
	if pad == 0 {
		pad = max(math.Abs(s.high)*0.1, 0.5)
	}
	low, high = s.low-pad, s.high+pad
	if keepZero && s.low >= 0 {
		low = 0
	}
	return low, high
}
