package report

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// stored writes a run into a fresh folder.
func stored(t *testing.T, run trial.Run, trials []trial.Trial) trial.Folder {
	t.Helper()
	f := trial.Folder(t.TempDir())
	run.RuleHashes = nil
	if len(run.Rules) == 0 {
		run.Rules = []trial.Rule{{Claim: "C00", Experiment: run.Experiments[0]}} // a run without rules is damaged
	}
	for _, r := range run.Rules {
		run.RuleHashes = append(run.RuleHashes, r.Hash())
	}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	for _, tr := range trials {
		if err := f.WriteTrial(tr); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// twoRuns are the small run and what it became: HS256 needs half as much CPU
// again, a session's cookie is shorter, half the sessions that were lost are
// kept, and the kernel is another.
func twoRuns(t *testing.T) Comparison {
	t.Helper()
	run, trials, _ := smallRun()
	before := stored(t, run, trials)
	run, trials, _ = smallRun()
	run.Commit, run.Machine.Kernel, run.Status = "ba9876543210", "6.18", "interrupted"
	run.Experiments = append(run.Experiments, "scale")
	for i := range trials {
		for _, m := range trials[i].Steps {
			switch a := trials[i].Spec.Cells[m.Cell].System.Arm; {
			case m.Journey != nil && trials[i].Spec.Experiment == "sticky":
				m.Journey.Counters["lost_sessions"] = 250
			case m.Journey != nil:
			case a == "jwt/HS256":
				m.Usage.CPU[trial.ReplicaTier] *= 1.5
			case a == "session/redis":
				m.Streams[trial.Main].SentBytes = 150 * m.Streams[trial.Main].Completed
			}
		}
	}
	c, err := NewComparison(before, stored(t, run, trials), 0.05)
	if err != nil {
		t.Fatal(err)
	}
	c.Names = [2]string{"before", "after"} // not the folders', which are others each time
	return c
}

func TestGoldenComparison(t *testing.T) {
	c := twoRuns(t)
	for name, shown := range map[string]struct {
		width int
		all   bool
	}{"compare-80.txt": {80, false}, "compare-120.txt": {120, false}, "compare-all.txt": {160, true}} {
		var b bytes.Buffer
		if err := c.Terminal(&b, shown.width, shown.all); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	golden(t, "compare-failed.txt", c.Failed(analysis.Regression)+"\n"+c.Failed(analysis.Regression, analysis.Improvement)+"\n")
	if line := c.Failed(analysis.NotCompared); strings.Contains(line, "\n") {
		t.Errorf("%q is more than a line", line)
	}
	if err := c.Refusal("--anyway"); err == nil || !strings.HasSuffix(err.Error(), "--anyway\n  kernel: 6.1 in A, 6.18 in B") {
		t.Errorf("refused with %v", err)
	}
}

// What a noisy machine left out is counted, and nobody takes silence for an answer.
func TestAComparisonSaysWhatItCouldNotCompare(t *testing.T) {
	run, trials, _ := smallRun()
	for i := range trials {
		trials[i].Doubt(trial.Doubt{Cause: "noise", Spoils: trial.Aspects()[1:], Text: "noise"})
	}
	f := stored(t, run, trials)
	c, err := NewComparison(f, f, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Terminal(&b, 120, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"left out by doubts.\n", "Nothing but counts could be compared"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
}

func TestRunsWithoutACommonFigureAreNoComparison(t *testing.T) {
	run, trials, _ := smallRun()
	other := run
	run.Experiments, other.Experiments = []string{"cost"}, []string{"revoke"}
	of := func(e string) []trial.Trial {
		return slices.DeleteFunc(slices.Clone(trials), func(tr trial.Trial) bool { return tr.Spec.Experiment != e })
	}
	a, b := stored(t, run, of("cost")), stored(t, other, of("revoke"))
	if _, err := NewComparison(a, b, 0.05); err == nil || !strings.Contains(err.Error(), "no figure in common") {
		t.Errorf("%v; want an error that says so", err)
	}
}

// page writes a comparison's page and returns its folder.
func page(t *testing.T, c Comparison) trial.Folder {
	t.Helper()
	into := trial.Folder(t.TempDir()).Path("new", "folder")
	if err := c.WritePage(trial.Folder(into)); err != nil {
		t.Fatal(err)
	}
	return trial.Folder(into)
}

func TestComparisonPageSaysWhatTheTerminalSays(t *testing.T) {
	c := twoRuns(t)
	text := contents(t, page(t, c), ComparisonPage)
	for _, want := range []string{"after against before", "kernel: 6.1 in A, 6.18 in B", "ba9876543210",
		"cost, jwt/HS256, load=common: CPU per request",
		"Run B is not complete, but interrupted.", "Only in B: scale.", "jwt/HS256, A</text>", "A is paler."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(text, "<tr><th scope=\"row\">"); n < len(c.Changes.All) {
		t.Errorf("the page has %d rows, and %d figures were compared", n, len(c.Changes.All))
	}
	c.Names[1] = `<script>alert("after")</script>`
	if strings.Contains(contents(t, page(t, c), ComparisonPage), "<script") {
		t.Error("a folder's name becomes a part of the page")
	}
}

// Each chart of a run shows both runs, on one axis.
func TestChartsAreOverlaid(t *testing.T) {
	run, trials := analysistest.Run()
	_, later := analysistest.Run()
	for i := range later {
		for _, m := range later[i].Steps {
			for tier := range m.Usage.CPU {
				m.Usage.CPU[tier] *= 2
			}
		}
	}
	a, b := newData(run, trials, nil, ""), newData(run, later, nil, "")
	shown := 0
	for _, e := range run.Experiments {
		single, both := b.drawn(e), overlaid(a, b, e)
		for _, f := range both {
			shown++
			i := slices.IndexFunc(single, func(s figure) bool { return s.ID == f.ID })
			switch d := f.Drawing.(type) {
			case rowChart:
				one := single[i].Drawing.(rowChart)
				if len(d.Rows) != 2*len(one.Rows) || !strings.HasSuffix(d.Rows[0].Label, ", A") || d.Rows[1].Label != "B" {
					t.Errorf("%s: %d rows, the first %q and %q; want two for each of %d", f.ID, len(d.Rows),
						d.Rows[0].Label, d.Rows[1].Label, len(one.Rows))
				}
				before, _ := a.drawn(e)[i].Drawing.(rowChart).xRange()
				_, after := one.xRange()
				if low, high := d.xRange(); low > before || high < after {
					t.Errorf("%s: the axis from %g to %g leaves out %g or %g", f.ID, low, high, before, after)
				}
			case lineChart:
				named := slices.DeleteFunc(slices.Clone(d.Series), func(s series) bool { return s.Name == "" })
				if one := single[i].Drawing.(lineChart); len(d.Series) != 2*len(one.Series) || len(named) != len(one.Series) || !d.Series[0].Before ||
					d.Series[1].Before {
					t.Errorf("%s: %d lines, %d named; want two for each of %d", f.ID, len(d.Series), len(named), len(one.Series))
				}
			case gridChart:
				if one := single[i].Drawing.(gridChart); len(d.Rows) != 2*len(one.Rows) || len(d.Cells) != len(d.Rows) {
					t.Errorf("%s: %d rows of %d", f.ID, len(d.Rows), len(one.Rows))
				}
			case timeline:
				if one := single[i].Drawing.(timeline); len(d.Rows) != 2*len(one.Rows) || d.Seconds != one.Seconds {
					t.Errorf("%s: %d rows of %d", f.ID, len(d.Rows), len(one.Rows))
				}
			}
			for _, width := range []vg.Length{wide, narrow} {
				doc, err := svgOf(f.Drawing, width)
				if err != nil {
					t.Errorf("%s: %v", f.ID, err)
				}
				checkSVG(t, string(doc))
			}
		}
	}
	if want := len(everyChart(run)) - 2; shown != want { // without the summary and the micro-benchmarks
		t.Errorf("%d charts, want %d", shown, want)
	}
}

func TestARowOfOneRunIsNamed(t *testing.T) {
	named := interleave([]string{"x", "gone"}, []string{"new", "x"}, func(s string) string { return s }, runLabel)
	if want := []string{"new, B", "x, A", "B", "gone, A"}; !slices.Equal(named, want) {
		t.Errorf("%q, want %q", named, want)
	}
}

func TestComparisonInABrowser(t *testing.T) {
	run, trials := analysistest.Run()
	f := stored(t, run, trials)
	c, err := NewComparison(f, f, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	lookAt(t, page(t, c).Path(ComparisonPage), len(everyChart(run))-2, func(t *testing.T, ctx context.Context) {
		if n := evaluate[int](t, ctx, `document.querySelectorAll("details tbody tr").length`); n != len(c.Changes.All) {
			t.Errorf("%d figures in tables, %d were compared", n, len(c.Changes.All))
		}
	})
}
