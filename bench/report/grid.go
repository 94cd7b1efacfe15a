package report

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// cell is one field of a gridChart: its fill says how much, its text exactly what.
type cell struct {
	Share  float64 // 0..1, NaN for a field that was not measured
	Text   string  // may have two lines
	Colour color.NRGBA
}

// gridChart is a table of coloured fields: two factors and a share.
type gridChart struct {
	Columns []string
	Rows    []string
	Cells   [][]cell // by row, by column
}

const (
	gridRow  = vg.Length(34)
	gridHead = vg.Length(22)
)

func (g gridChart) Height(vg.Length) vg.Length {
	return gridHead + vg.Length(len(g.Rows))*gridRow
}

func (g gridChart) Draw(c draw.Canvas) {
	names := textStyle(smallSize, ink)
	left := vg.Length(0)
	for _, r := range g.Rows {
		for l := range strings.SplitSeq(r, "\n") {
			left = max(left, names.Width(l)+10)
		}
	}
	width := (c.Max.X - c.Min.X - left) / vg.Length(len(g.Columns))
	head := boldStyle(smallSize, muted)
	head.XAlign = draw.XCenter
	y := c.Max.Y - gridHead/2
	crowded := slices.ContainsFunc(g.Columns, func(name string) bool { return head.Width(name) > width-4 })
	for j, name := range g.Columns {
		if factor, level, ok := strings.Cut(name, " = "); ok && crowded { // the factor once, and a level over two lines
			if j == 0 {
				lines(c, textStyle(smallSize, muted), c.Min.X, y, factor)
			}
			if name = level; head.Width(name) > width-4 {
				name = strings.Replace(name, "-", "-\n", 1)
			}
		}
		lines(c, head, c.Min.X+left+(vg.Length(j)+0.5)*width, y, name)
	}
	for i, name := range g.Rows {
		middle := c.Max.Y - gridHead - (vg.Length(i)+0.5)*gridRow
		lines(c, names, c.Min.X, middle, name)
		for j, cell := range g.Cells[i] {
			x0 := c.Min.X + left + vg.Length(j)*width
			g.drawCell(c, cell, x0+1.5, x0+width-1.5, middle)
		}
	}
}

func (g gridChart) drawCell(c draw.Canvas, cell cell, x0, x1, middle vg.Length) {
	style := textStyle(smallSize, ink)
	style.XAlign = draw.XCenter
	y0, y1 := middle-gridRow/2+1.5, middle+gridRow/2-1.5
	if math.IsNaN(cell.Share) {
		style.Color = muted
	} else {
		fillBox(c, faint(cell.Colour, 0.10+0.55*min(max(cell.Share, 0), 1)), x0, y0, x1, y1)
	}
	lines(c, style, (x0+x1)/2, middle, cell.Text)
}

// lines writes text lines around a middle.
func lines(c draw.Canvas, style draw.TextStyle, x, middle vg.Length, txt string) {
	ls := strings.Split(txt, "\n")
	for i, l := range ls {
		put(c, style, vg.Point{X: x, Y: middle - (vg.Length(i)-vg.Length(len(ls)-1)/2)*12}, l)
	}
}
