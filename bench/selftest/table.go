package selftest

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// String is the figure as a person reads it.
func (m Measured) String() string {
	unit := ""
	if m.Unit != "" {
		unit = " " + m.Unit
	}
	if m.Low != nil && m.High != nil {
		return fmt.Sprintf("%+.1f [%+.1f, %+.1f]%s", m.Value, *m.Low, *m.High, unit)
	}
	return fmt.Sprintf("%.3g%s", m.Value, unit)
}

// WriteText writes the table, what a group proves, and how it came out.
func (r Result) WriteText(w io.Writer) error {
	if r.Quick {
		fmt.Fprintf(w, "This is the quick form: few starts, which show that it works and prove little. The whole: bin/authbench selftest\n\n")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PART\tSIDE BY SIDE\tCHECK\tMEASURED\tBOUND\t\t")
	for _, c := range r.Checks {
		measured := ""
		if c.Value != nil {
			measured = c.Value.String()
		}
		outcome := string(c.Outcome)
		switch c.Outcome {
		case Fail:
			outcome = "FAIL"
		case Shown:
			outcome = ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Part, c.Systems, c.What, measured, c.Bound, outcome, c.Note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
A start is two systems that come up afresh and are loaded at the same moment; its figure is the logarithm of their ratio of CPU per
request. Intervals are 95 %%, Student's t over starts, as in verdicts. Groups are all those of %d starts that can be drawn from the starts
made: sound intervals find a difference between identical systems in 5 %% of them, and keep within the bound in 99 of 100 self-tests.

%s
`, Group, r.summary())
	return err
}

// summary is the last line.
func (r Result) summary() string {
	count := map[Outcome]int{}
	for _, c := range r.Checks {
		count[c.Outcome]++
	}
	said := fmt.Sprintf("%d checks passed, %d failed", count[Pass], count[Fail])
	for _, o := range []Outcome{Undecided, NotMeasured} {
		if n := count[o]; n > 0 {
			said += fmt.Sprintf(", %d %s", n, o)
		}
	}
	how := "The instrument holds its bounds here and now: "
	switch {
	case count[Fail] > 0:
		how = "The instrument does not hold its bounds here and now: "
	case !r.Passed:
		how = "The instrument is not proved here and now: "
	}
	said = how + said + "."
	if r.Count < r.Starts {
		said += fmt.Sprintf(" %d of %d starts count.", r.Count, r.Starts)
		if 2*r.Count < r.Starts {
			said += " Try again when the machine is quieter."
		}
	}
	if r.Folder != "" {
		said += " Every figure comes from " + r.Folder + "."
	}
	return said
}

// WriteJSON writes the same for programs.
func (r Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
