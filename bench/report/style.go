package report

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// The colours of a chart's furniture. The page replaces them by those of its
// light or dark theme (see themed), so nothing else may use these values.
var (
	ink    = color.NRGBA{0x1f, 0x23, 0x28, 0xff}
	muted  = color.NRGBA{0x57, 0x60, 0x6a, 0xff}
	grid   = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
	paper  = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	amber  = color.NRGBA{0x8a, 0x5a, 0x00, 0xff} // of doubts
	onPill = color.NRGBA{0xfe, 0xfe, 0xfe, 0xff} // on an answer's colour, in both themes
)

var answerColours = map[trial.Answer]color.NRGBA{
	trial.Supported:   {0x1f, 0x88, 0x3d, 0xff},
	trial.Refuted:     {0xcf, 0x39, 0x3c, 0xff},
	trial.Depends:     {0x09, 0x69, 0xda, 0xff},
	trial.Partly:      {0x82, 0x50, 0xdf, 0xff},
	trial.NotDecided:  {0x6e, 0x77, 0x81, 0xff},
	trial.NotMeasured: {0x8c, 0x95, 0x9f, 0xff},
}

// What became of a request.
var (
	lost = color.NRGBA{0xe0, 0x4f, 0x3f, 0xff}
	kept = color.NRGBA{0x3c, 0x9f, 0x63, 0xff}
)

// armColour is the same for an arm in every chart; another carrier shares its base's.
func armColour(a trial.Arm) color.NRGBA {
	if c := arm.Of(a).Colour; c != 0 {
		return color.NRGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff}
	}
	return muted
}

// sortArms puts arms in the order of every chart and table: control, sessions, JWT.
func sortArms(arms []trial.Arm) []trial.Arm {
	all := arm.All()
	place := func(a trial.Arm) int {
		if i := slices.IndexFunc(all, func(k arm.Kind) bool { return k.Name == a.Base() }); i >= 0 {
			return i
		}
		return len(all)
	}
	slices.SortStableFunc(arms, func(a, b trial.Arm) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a.String(), b.String())
	})
	return slices.Compact(arms)
}

// armLabel is an arm's name for a reader.
func armLabel(a trial.Arm) string {
	if a == trial.Control {
		return "control (no auth)"
	}
	return a.String()
}

// faint is a colour at the opacity share (0..1).
func faint(c color.NRGBA, share float64) color.NRGBA {
	c.A = uint8(math.Round(float64(c.A) * share))
	return c
}

// Text sizes, in points.
const (
	titleSize = vg.Length(14)
	textSize  = vg.Length(10)
	smallSize = vg.Length(9)
)

// textStyle is Liberation Sans, which has the widths of Arial and Helvetica, at a size.
func textStyle(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  draw.XLeft,
		YAlign:  draw.YCenter,
		Handler: text.Plain{Fonts: font.DefaultCache},
	}
}

func boldStyle(size vg.Length, c color.Color) text.Style {
	s := textStyle(size, c)
	s.Font.Weight = 3 // WeightBold of golang.org/x/image/font
	return s
}

// put writes one line, control characters left out, whose letters, not its whole
// line box, are centred at pt.
func put(c draw.Canvas, s text.Style, pt vg.Point, txt string) {
	pt.Y += s.Font.Size * 0.12
	c.FillText(s, pt, oneLine(txt))
}

// wrap breaks text into lines no wider than width; a longer word has a line of its own.
func wrap(s text.Style, txt string, width vg.Length) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(txt, "\n") {
		line := ""
		for _, word := range words(paragraph) {
			longer := strings.TrimSpace(line + " " + word)
			if line != "" && s.Width(longer) > width {
				lines = append(lines, line)
				longer = word
			}
			line = longer
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func lineStyle(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}
