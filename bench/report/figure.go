package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figure is one question with the picture and the table that answer it. The
// page, REPORT.md and the chart files all show the same figures.
type figure struct {
	ID       string // file name of its chart
	Question string // its title
	Caption  string // how to read it, blocks, profile
	Doubts   []string
	Alt      string // what a reader who cannot see it should know
	Drawing  drawing
	Table    table
}

func joinDoubts(doubts []string) string { return strings.Join(doubts, "; ") + "." }

// drawing fills a canvas. It is asked for its height at a width first, so that
// the same drawing suits a desk and a telephone.
type drawing interface {
	Height(width vg.Length) vg.Length
	Draw(c draw.Canvas)
}

// table is what a figure shows, in figures. All but the first column hold numbers.
type table struct {
	Head []string
	Rows [][]string
}

// Widths of a chart, in points: of chart files and desks, and of telephones.
const (
	wide   = vg.Length(720)
	narrow = vg.Length(370)
)

const margin = vg.Length(12)

// block is a run of text lines above or below a drawing.
type block struct {
	lines  []string
	style  draw.TextStyle
	height vg.Length // of one line
}

func textBlock(style draw.TextStyle, txt string, width vg.Length) block {
	return block{wrap(style, txt, width), style, style.Font.Size * 1.35}
}

func (b block) total() vg.Length { return vg.Length(len(b.lines)) * b.height }

// draw writes the lines from y downwards and returns where it ended.
func (b block) draw(c draw.Canvas, y vg.Length) vg.Length {
	for _, l := range b.lines {
		put(c, b.style, vg.Point{X: c.Min.X, Y: y - b.height/2}, l)
		y -= b.height
	}
	return y
}

// framed is the whole of a chart file: question, drawing, caption and doubts.
type framed struct{ figure }

func (f framed) blocks(width vg.Length) (head, foot []block) {
	width -= 2 * margin
	head = []block{textBlock(boldStyle(titleSize, ink), f.Question, width)}
	foot = []block{textBlock(textStyle(smallSize, muted), f.Caption, width)}
	if len(f.Doubts) > 0 {
		foot = append(foot, textBlock(boldStyle(smallSize, amber), "Doubt: "+joinDoubts(f.Doubts), width))
	}
	return head, foot
}

func (f framed) Height(width vg.Length) vg.Length {
	h := 2*margin + 2*8 + f.Drawing.Height(width-2*margin)
	head, foot := f.blocks(width)
	for _, b := range append(head, foot...) {
		h += b.total()
	}
	return h
}

func (f framed) Draw(c draw.Canvas) {
	c.FillPolygon(paper, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	head, foot := f.blocks(c.Max.X - c.Min.X)
	inner := draw.Crop(c, margin, -margin, margin, -margin)
	top := inner.Max.Y
	for _, b := range head {
		top = b.draw(inner, top)
	}
	bottom := inner.Min.Y
	for _, b := range foot {
		bottom += b.total()
	}
	y := bottom
	for _, b := range foot {
		y = b.draw(inner, y)
	}
	f.Drawing.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: inner.Min.X, Y: bottom + 8}, Max: vg.Point{X: inner.Max.X, Y: top - 8},
	}})
}

// svgOf renders a drawing.
func svgOf(d drawing, width vg.Length) ([]byte, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(width, d.Height(width)))
	d.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write SVG: %w", err)
	}
	return fixTexts(b.Bytes()), nil
}

var svgText = regexp.MustCompile(
	`(?s)<text ([^>]*font-family:)Liberation Sans;([^>]*font-weight:)(\w+);([^>]*font-size:)([0-9.]+)(px[^>]*)>([^<]*)</text>`)

// fixTexts names fonts of the same widths for readers without Liberation Sans,
// and gives every text the width that it was laid out with, so that it fits in
// whatever font is there.
func fixTexts(doc []byte) []byte {
	return svgText.ReplaceAllFunc(doc, func(m []byte) []byte {
		p := svgText.FindSubmatch(m)
		size, err := strconv.ParseFloat(string(p[5]), 64)
		if err != nil {
			return m
		}
		style := textStyle(vg.Length(size), ink)
		if string(p[3]) == "bold" {
			style = boldStyle(vg.Length(size), ink)
		}
		return fmt.Appendf(nil,
			`<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s'Liberation Sans',Arial,Helvetica,sans-serif;%s%s;%s%s%s>%s</text>`,
			style.Width(html.UnescapeString(string(p[7]))).Points(), p[1], p[2], p[3], p[4], p[5], p[6], p[7])
	})
}

func pngOf(d drawing, width vg.Length) ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(width, d.Height(width)), vgimg.UseDPI(144), vgimg.UseBackgroundColor(paper))
	d.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write PNG: %w", err)
	}
	return b.Bytes(), nil
}

var (
	svgProlog = regexp.MustCompile(`(?s)^.*?<svg [^>]*?viewBox="([^"]*)"[^>]*>`)
	themeVars = map[string]color.NRGBA{"ink": ink, "muted": muted, "grid": grid, "paper": paper, "amber": amber}
)

// themed makes an SVG part of a page: no size of its own, and the furniture's
// colours from the page's theme.
func themed(doc []byte, class, alt string) string {
	s := svgProlog.ReplaceAllString(string(doc), fmt.Sprintf(`<svg class="%s" viewBox="$1" role="img" aria-label="%s">`, class, escape(alt)))
	for name, c := range themeVars {
		s = strings.ReplaceAll(s, hex(c), "var(--"+name+")")
		// With an opacity, vgsvg rounds each channel down by one.
		s = strings.ReplaceAll(s, hex(color.NRGBA{c.R - 1, c.G - 1, c.B - 1, c.A}), "var(--"+name+")")
	}
	return s
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }
