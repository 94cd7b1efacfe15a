package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"authbench/bench/trial"
)

var answerSigns = map[trial.Answer]string{
	trial.Supported: "✔", trial.Refuted: "✘", trial.Depends: "◐", trial.Partly: "◑", trial.NotDecided: "?", trial.NotMeasured: "·",
}

// Terminal writes the verdicts as a table that fits the width, held to 80..160
// columns: claim, answer, statement, and the strongest evidence. The last
// lines say what disturbed the run.
func Terminal(w io.Writer, run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, width int) error {
	width = min(max(width, 80), 160)
	const left = 5 + 15 // claim and answer
	right := width - left
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n",
		clip(oneLine(fmt.Sprintf("run %s: profile %s, seed %d, commit %s, %s", run.Name, run.Profile, run.Seed, run.Commit, run.Status)), width))
	rule := strings.Repeat("─", width) + "\n"
	b.WriteString(rule)
	if len(verdicts) == 0 {
		b.WriteString("no verdicts: the run holds no rules\n")
	}
	for _, v := range byClaim(verdicts) {
		lines := fold(v.Rule.Statement, right)
		for _, l := range strongestLines(v) {
			lines = append(lines, fold("  "+l, right)...)
		}
		switch v.Answer {
		case trial.Depends, trial.Partly:
			lines = append(lines, fold("  "+dependence(v), right)...)
		case trial.NotDecided, trial.NotMeasured:
			lines = append(lines, fold("  "+Why(v), right)...)
		}
		if v.Rule.Checked {
			lines = append(lines, fold("  "+checked, right)...)
		}
		for _, failed := range failures(v) {
			lines = append(lines, fold("  "+failed, right)...)
		}
		fmt.Fprintf(&b, "%s%s", pad(clip(oneLine(v.Rule.Claim), 4), 5), pad(answerSigns[v.Answer]+" "+string(v.Answer), 15))
		for i, l := range lines {
			if i > 0 {
				b.WriteString(strings.Repeat(" ", left))
			}
			b.WriteString(l + "\n")
		}
		if len(lines) == 0 {
			b.WriteByte('\n')
		}
	}
	b.WriteString(rule)
	for _, warning := range run.Warnings {
		for _, l := range fold("warning: "+warning, width) {
			b.WriteString(l + "\n")
		}
	}
	for _, l := range fold(disturbance(trials), width) {
		b.WriteString(l + "\n")
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), nbsp, " "))
	return err
}

// fold breaks text into lines of at most width characters; leading spaces
// indent every line.
func fold(s string, width int) []string {
	indent := s[:len(s)-len(strings.TrimLeft(s, " "))]
	var lines []string
	line := ""
	for _, word := range words(oneLine(s)) {
		for utf8.RuneCountInString(word) > width-len(indent) { // a word without a break
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, indent+string(r[:width-len(indent)])), string(r[width-len(indent):])
		}
		switch {
		case line == "":
			line = indent + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines, line = append(lines, line), indent+word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
