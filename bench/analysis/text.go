package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"authbench/bench/trial"
)

// effectText is the figure that a finding rests on: "-22.4 [-24.1, -20.7] us",
// "2.41 [2.38, 2.44] times", "0 of 4,000 (95 %: below 0.0749 %)".
func effectText(r trial.Rule, unit string, f trial.Finding) string {
	switch r.Contrast {
	case trial.Ratio:
		return span(f.Interval, 1) + " times"
	case trial.Against:
		return inUnit(f.A, unit)
	case trial.Count:
		if f.Interval.Estimate == 0 {
			return fmt.Sprintf("0 of %s (95 %%: below %s)", thousands(strconv.Itoa(f.Interval.N)), figure(f.Interval.High, unit))
		}
		return fmt.Sprintf("%s of %s", inUnit(f.Interval, unit), thousands(strconv.Itoa(f.Interval.N)))
	}
	return inUnit(f.Interval, unit)
}

// marginText is a margin in its contrast's terms.
func marginText(m float64, c trial.Contrast, unit string) string {
	if c == trial.Ratio {
		return figure(m, "share")
	}
	return figure(m, unit)
}

// around names what a margin lies around; nothing for 0, as between two equals.
func around(r trial.Rule, unit string, c trial.Comparison) string {
	if c.Reference == 0 || r.Contrast == trial.Difference || r.Contrast == trial.Ratio {
		return ""
	}
	return " around " + figure(c.Reference, unit)
}

func inUnit(iv trial.Interval, unit string) string {
	if unit == "share" {
		return span(iv, 100) + " %"
	}
	return span(iv, 1) + " " + unit
}

// span writes an interval, its ends as fine as they differ.
func span(iv trial.Interval, scale float64) string {
	decimals := decimalsOf(iv.Estimate * scale)
	if width := (iv.High - iv.Low) * scale; width > 0 {
		decimals = max(decimals, decimalsOf(width*10))
	}
	round := func(v float64) string { return fixed(v*scale, min(decimals, 6)) }
	return fmt.Sprintf("%s [%s, %s]", round(iv.Estimate), round(iv.Low), round(iv.High))
}

func figure(v float64, unit string) string {
	if unit == "share" {
		return number(100*v) + " %"
	}
	return strings.TrimSpace(number(v) + " " + unit)
}

// number writes three significant digits, whole from 100 on.
func number(v float64) string { return fixed(v, decimalsOf(v)) }

// decimalsOf is how many digits after the point show three significant ones.
func decimalsOf(v float64) int {
	if v == 0 {
		return 0
	}
	return min(9, max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))))
}

func fixed(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return thousands(s)
}

// thousands puts a comma between groups of three digits before the point.
func thousands(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, rest, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + rest
	}
	return sign + whole
}

func at(step string) string {
	if step == "" {
		return ""
	}
	return " at " + step
}
