package report

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// newPlot is a plot in this report's type and colours, without ticks.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.TextHandler = textStyle(textSize, ink).Handler
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = textStyle(textSize, muted)
		a.Label.TextStyle.XAlign = draw.XCenter
		a.Label.TextStyle.YAlign = draw.YBottom
		a.LineStyle = lineStyle(grid, 1)
		a.Tick.LineStyle = lineStyle(grid, 0.8)
		a.Tick.Length = 4
		a.Tick.Label = textStyle(smallSize, ink)
		a.Padding = 0
	}
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XCenter, draw.YTop
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	p.X.Label.Padding, p.Y.Label.Padding = 4, 4
	return p
}

// gridLines are thin lines at the labelled ticks.
type gridLines struct{ X, Y bool }

func (g gridLines) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	thin := lineStyle(grid, 0.6)
	if g.X {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if at := x(t.Value); c.ContainsX(at) {
				c.StrokeLine2(thin, at, c.Min.Y, at, c.Max.Y)
			}
		}
	}
	if g.Y {
		for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			if at := y(t.Value); c.ContainsY(at) {
				c.StrokeLine2(thin, c.Min.X, at, c.Max.X, at)
			}
		}
	}
}

// linearTicks are about n round values within the range.
func linearTicks(low, high float64, n int) []plot.Tick {
	raw := (high - low) / float64(n)
	if !(raw > 0) || math.IsInf(raw, 0) {
		return []plot.Tick{{Value: low, Label: number(low)}}
	}
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*unit >= raw*0.85 {
			step = f * unit
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if step/math.Pow(10, -float64(digits)) != math.Round(step/math.Pow(10, -float64(digits))) {
		digits++ // a step of 2.5 needs one more
	}
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9 && len(ticks) < 50; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: thousands(strconv.FormatFloat(i*step+0, 'f', digits, 64))})
	}
	return ticks
}

// logTicks are 1, 2 and 5 times powers of ten within the range.
func logTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	steps := []float64{1, 2, 5}
	if high/low > 1000 {
		steps = steps[:1]
	}
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high) && len(ticks) < 50; e++ {
		for _, f := range steps {
			if v := f * math.Pow(10, e); v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: number(v)})
			}
		}
	}
	return ticks
}

// whiskerX and whiskerY draw a 95 % interval; one without width is not drawn.
func whiskerX(c draw.Canvas, col color.Color, y, low, high vg.Length) {
	if finite(low, high) && high-low > 0.5 {
		s := lineStyle(col, 1.1)
		c.StrokeLine2(s, low, y, high, y)
		c.StrokeLine2(s, low, y-3, low, y+3)
		c.StrokeLine2(s, high, y-3, high, y+3)
	}
}

// An interval that reaches over the frame ends there, without its cap.
func whiskerY(c draw.Canvas, col color.Color, x, low, high vg.Length) {
	if finite(low, high) && high-low > 0.5 {
		s := lineStyle(col, 1.1)
		c.StrokeLine2(s, x, max(low, c.Min.Y), x, min(high, c.Max.Y))
		for _, y := range []vg.Length{low, high} {
			if c.Min.Y-0.5 <= y && y <= c.Max.Y+0.5 {
				c.StrokeLine2(s, x-2.5, y, x+2.5, y)
			}
		}
	}
}

func finite(ls ...vg.Length) bool {
	for _, l := range ls {
		if math.IsNaN(float64(l)) || math.IsInf(float64(l), 0) {
			return false
		}
	}
	return true
}

func dotAt(c draw.Canvas, col color.Color, at vg.Point, radius vg.Length) {
	if finite(at.X, at.Y) {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: col, Radius: radius, Shape: draw.CircleGlyph{}}, at)
	}
}

func fillBox(c draw.Canvas, col color.Color, x0, y0, x1, y1 vg.Length) {
	if finite(x0, x1, y0, y1) {
		c.FillPolygon(col, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
	}
}
