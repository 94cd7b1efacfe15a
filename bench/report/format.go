package report

import (
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"

	"authbench/bench/trial"
)

// absent stands where there is no figure.
const absent = "–"

// number writes a figure with three significant digits and thousands separated,
// or with an exponent where it is very large or very small.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return absent
	case v == 0:
		return "0"
	case math.Abs(v) >= 1e9 || math.Abs(v) < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return thousands(s)
}

// signed is number with its sign always shown.
func signed(v float64) string {
	if v > 0 {
		return "+" + number(v)
	}
	return strings.Replace(number(v), "-", "−", 1)
}

// thousands puts commas into the whole part of a decimal number.
func thousands(s string) string {
	sign, whole, rest := "", s, ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	if i := strings.IndexByte(whole, '.'); i >= 0 {
		whole, rest = whole[:i], whole[i:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + rest
}

// nbsp keeps a figure and its unit, or the ends of an interval, on one line.
const nbsp = "\u00a0"

func percent(share float64) string { return number(share*100) + nbsp + "%" }

// limits writes the ends of an interval, or says why there are none.
func limits(i trial.Interval, write func(float64) string) string {
	if i.N < 2 || math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return ""
	}
	return "[" + write(i.Low) + "," + nbsp + write(i.High) + "]"
}

// interval writes an estimate with its limits, or 0 alone where that says as much.
func interval(i trial.Interval, write func(float64) string) string {
	switch {
	case i.N == 0:
		return absent
	case nearZero(i, write):
		return write(0)
	}
	return strings.TrimSpace(write(i.Estimate) + " " + limits(i, write))
}

// nearZero says whether an interval that holds 0 is so narrow that its ends are
// written as 0 or take an exponent: it says how finely the figure was read, which
// is of no use to a reader, and not that there was anything.
func nearZero(i trial.Interval, write func(float64) string) bool {
	for _, end := range []float64{i.Low, i.High} {
		if text := write(end); text != write(0) && !strings.Contains(text, "e-") {
			return false
		}
	}
	return i.N > 1 && i.Low <= 0 && 0 <= i.High
}

// of writes a figure counted in n chances; none seen is "0 of n (< 3/n)", because
// n chances without an event bound it by 3/n with 95 % confidence.
func of(i trial.Interval, unit string) string {
	n := thousands(strconv.Itoa(i.N))
	switch {
	case i.N == 0:
		return absent
	case i.Estimate == 0:
		return "0 of " + n + " (<" + nbsp + amount(3/float64(i.N), unit) + ")"
	}
	return inUnit(i, unit) + " of " + n
}

// chance writes a p-value no finer than anyone should read it, if there is one.
func chance(p float64, any bool) string {
	switch {
	case !any:
		return absent
	case p < 0.0001:
		return "<" + nbsp + "0.0001"
	}
	return number(p)
}

func count(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

// figureOf is an interval's estimate alone.
func figureOf(i trial.Interval, write func(float64) string) string {
	if i.N == 0 {
		return absent
	}
	return write(i.Estimate)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(strconv.Itoa(n)) + " " + many
}

// escape makes text safe within HTML and SVG, attributes included.
func escape(s string) string { return html.EscapeString(s) }

// words splits at white space that may break a line.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) && string(r) != nbsp })
}

// inline makes text safe within a line or a table cell of Markdown: nothing of
// it is markup, and it stays on its line.
func inline(s string) string {
	s = strings.ReplaceAll(oneLine(s), nbsp, " ")
	return strings.NewReplacer(`\`, `\\`,
		"|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`).Replace(s)
}

// oneLine takes line breaks and control characters out of text for a terminal.
func oneLine(s string) string {
	return strings.Join(words(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)), " ")
}
