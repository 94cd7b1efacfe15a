package report

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	keyLine   = vg.Length(16) // height of one line of a key
	keySwatch = vg.Length(18) // from a key's mark to its text
	keyGap    = vg.Length(14) // between entries
)

// keyPlaces puts a key's entries side by side, in as many lines as the width needs.
func (r rowChart) keyPlaces(width vg.Length) (places []vg.Point, lines int) {
	style := textStyle(smallSize, ink)
	x, line := vg.Length(0), 0
	for _, e := range r.Key {
		w := keySwatch + style.Width(e.Text)
		if x > 0 && x+w > width {
			x, line = 0, line+1
		}
		places = append(places, vg.Point{X: x, Y: vg.Length(line)})
		x += w + keyGap
	}
	return places, line + 1
}

func (r rowChart) keyHeight(width vg.Length) vg.Length {
	if len(r.Key) == 0 {
		return 0
	}
	_, lines := r.keyPlaces(width)
	return vg.Length(lines)*keyLine + 4
}

func (r rowChart) drawKey(c draw.Canvas) {
	style := textStyle(smallSize, ink)
	places, _ := r.keyPlaces(c.Max.X - c.Min.X)
	for i, e := range r.Key {
		at := vg.Point{X: c.Min.X + places[i].X, Y: c.Max.Y - places[i].Y*keyLine - keyLine/2}
		mark := vg.Point{X: at.X + 7, Y: at.Y}
		switch e.Kind {
		case keyDot, keyHollow:
			dotAt(c, muted, mark, 4)
			if e.Kind == keyHollow {
				dotAt(c, paper, mark, 2.3)
			}
		case keyExpected:
			c.StrokeLine2(lineStyle(ink, 1.6), mark.X, at.Y-6, mark.X, at.Y+6)
		default:
			fillBox(c, faint(muted, shade(e.Kind)), at.X, at.Y-5, at.X+13, at.Y+5)
		}
		put(c, style, vg.Point{X: at.X + keySwatch, Y: at.Y}, e.Text)
	}
}
