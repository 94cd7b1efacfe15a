package report

import (
	"fmt"
	"strings"

	"authbench/bench/trial"
)

// markdownText renders REPORT.md, with charts as links to their files.
func markdownText(doc document) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Sessions or JWT? Measured: run %s\n", inline(doc.Run.Name))
	line("%s.\n", inline(doc.Opening.Run))
	doubts(line, doc.Summary.Doubts)
	var found []string
	for _, v := range doc.Opening.Findings {
		found = append(found, fmt.Sprintf("%s, %s: %s %s", v.Rule.Claim, labelled(v), v.Rule.Statement, plainly(v)))
	}
	if len(found) > 0 {
		line("%s", bullets(found))
	}
	line("%s\n", inline("How far to trust this: "+strings.Join(doc.Opening.Trust, " ")))
	chosen(line, doc.Advice)
	line("## Verdicts\n")
	if len(doc.Verdicts) == 0 {
		line("This run holds no rules, so it answers no claim.\n")
	} else {
		line("%s", picture(doc.Summary))
		line("%s", markdownTable(verdictTable(doc)))
		line("Each rule was written down, with its hash, before the first trial.\n")
		for _, v := range doc.Verdicts {
			text := fmt.Sprintf("%s, %s: %s", v.Rule.Claim, v.Answer, Why(v))
			if v.Rule.Checked {
				text += " " + capitalised(checked) + "."
			}
			for _, failed := range failures(v) {
				text += " " + failed + "."
			}
			line("- %s", inline(text))
		}
		line("")
	}
	for _, s := range doc.Sections {
		line("## %s: %s\n", inline(s.Name), inline(s.Question))
		line("%s\n", strings.TrimSpace(inline(s.Method)+" "+inline(s.Setup)))
		for _, f := range s.Figures {
			line("### %s\n", inline(f.Question))
			line("%s", picture(f))
			line("%s\n", inline(f.Caption))
			doubts(line, f.Doubts)
			line("%s", markdownTable(f.Table))
		}
		line("Repeat it:\n\n%s", codeBlock(s.Command))
	}
	trust(line, doc)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func chosen(line func(string, ...any), all []advice) {
	if len(all) == 0 {
		return
	}
	line("## What to choose\n\nOnly what the verdicts of this run support, on this machine, under these loads.\n")
	for _, side := range sides(all) {
		line("%s …\n", side.Name)
		for _, a := range side.Advice {
			text := "- " + inline(a.Text)
			if a.Claim != "" {
				text += " (" + inline(a.Claim) + ")"
			}
			line("%s", text)
		}
		line("")
	}
}

func trust(line func(string, ...any), doc document) {
	line("## How far to trust this\n\n### Trials\n\n%s", markdownTable(doc.Validity))
	if len(doc.Doubts.Rows) > 0 {
		line("### Doubts\n\nA doubt leaves out the figures that rest on what it spoils, and no others. The bounds were fixed before "+
			"the run.\n\n%s", markdownTable(doc.Doubts))
	}
	if len(doc.Noise.Rows) > 0 {
		line("### The instrument\n\n%s\n\n%s", inline(instrumentText), markdownTable(doc.Noise))
	}
	line("### Warnings\n\n%s", bullets(warningTexts(doc.Warnings)))
	line("### What this cannot say\n\n%s", bullets(doc.Limits))
	line("## This run\n\n%s", markdownTable(table{Head: []string{"", ""}, Rows: factRows(doc.Facts)}))
	line("This command repeats it:\n\n%s", codeBlock(doc.Command))
	line("### Software\n\n%s", markdownTable(doc.Software))
}

func verdictTable(doc document) table {
	t := table{Head: []string{"claim", "statement", "answer", "strongest evidence", "measure", "rule"}}
	for _, v := range doc.Verdicts {
		t.Rows = append(t.Rows, []string{v.Rule.Claim, v.Rule.Statement, labelled(v), strings.Join(strongestLines(v), "; "),
			measure(v.Rule), v.RuleHash})
	}
	return t
}

// labelled is an answer, with what a reader must know before leaning on it.
func labelled(v trial.Verdict) string {
	label := string(v.Answer)
	if v.Rule.Checked {
		label += " (checked)"
	}
	if l := instrumentLabel(v); l != "" {
		label += " (" + l + ")"
	}
	return label
}

func picture(f figure) string {
	if f.Drawing == nil {
		return ""
	}
	return fmt.Sprintf("![%s](charts/%s.png)\n", inline(f.Alt), f.ID)
}

func doubts(line func(string, ...any), ds []string) {
	if len(ds) > 0 {
		line("**Doubt:** %s\n", inline(joinDoubts(ds)))
	}
}

func bullets(items []string) string {
	if len(items) == 0 {
		return "None.\n"
	}
	var b strings.Builder
	for _, s := range items {
		b.WriteString("- " + inline(s) + "\n")
	}
	return b.String()
}

func factRows(facts [][2]string) (rows [][]string) {
	for _, f := range facts {
		rows = append(rows, f[:])
	}
	return rows
}

func markdownTable(t table) string {
	if len(t.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	row := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + inline(c) + " ")
		}
		b.WriteString("|\n")
	}
	row(t.Head)
	b.WriteString("|---" + strings.Repeat("|---", len(t.Head)-1) + "|\n")
	for _, r := range t.Rows {
		row(r)
	}
	return b.String()
}

// codeBlock fences text with more backticks than it holds in a row.
func codeBlock(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "sh\n" + s + "\n" + fence + "\n"
}
