package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// everyChart is what a whole run's report shows: the summary first, and what its
// questions ask for.
func everyChart(run trial.Run) []string {
	names := []string{trial.SummaryFigure}
	for _, q := range run.Questions {
		for _, f := range q.Figures {
			if !slices.Contains([]trial.Chart{trial.Table, trial.Crossings, trial.Predictions}, f.Chart) {
				names = append(names, f.Name)
			}
		}
	}
	return append(names, trial.MicroFigure)
}

func TestWholeRunGivesEveryFile(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	f := written(t, run, trials, verdicts, gobenchOutput(t))
	for _, id := range everyChart(run) {
		checkSVG(t, contents(t, f, "charts/"+id+".svg"))
		img, err := png.Decode(strings.NewReader(contents(t, f, "charts/"+id+".png")))
		if err != nil {
			t.Errorf("%s.png: %v", id, err)
		} else if b := img.Bounds(); b.Dx() != 1440 || b.Dy() < 300 {
			t.Errorf("%s.png is %d x %d", id, b.Dx(), b.Dy())
		}
	}
	if names, _ := fs.Glob(os.DirFS(string(f)), "charts/*"); len(names) != 2*len(everyChart(run)) {
		t.Errorf("%d chart files, want %d", len(names), 2*len(everyChart(run)))
	}
	page := contents(t, f, "report.html")
	if n := strings.Count(page, `<article class="verdict `); n != len(run.Rules) {
		t.Errorf("the page shows %d verdicts, the run has %d rules", n, len(run.Rules))
	}
	for _, word := range []string{run.Commit, "--seed 1", run.RuleHashes[0], "The instrument", run.Software[0].SHA256,
		"expected 66.7"} {
		if !strings.Contains(page, word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	var back []struct{ Answer trial.Answer }
	if err := json.Unmarshal([]byte(contents(t, f, "verdicts.json")), &back); err != nil || len(back) != len(verdicts) {
		t.Errorf("verdicts.json: %d verdicts, %v", len(back), err)
	}
}

// The committed run, which older code measured, can be reported at any time.
func TestTheReferenceCanBeReportedAgain(t *testing.T) {
	f := trial.Folder("../../results/reference")
	run, trials, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := analysis.Evaluate(run, trials)
	if err != nil {
		t.Fatal(err)
	}
	d := newData(run, trials, verdicts, "")
	files, err := texts(d, newDocument(d), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range run.Rules {
		if !strings.Contains(string(files["REPORT.md"]), "\n| "+r.Claim+" | ") {
			t.Errorf("no verdict of %s", r.Claim)
		}
	}
}

// checkSVG says whether a document is whole XML whose every number is one.
func checkSVG(t *testing.T, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	elements := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("SVG: %v", err)
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	if elements < 10 {
		t.Errorf("SVG has only %d elements", elements)
	}
	if strings.Contains(doc, "NaN") || strings.Contains(doc, "Inf") {
		t.Error("SVG holds a coordinate that is no number")
	}
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	run, trials, verdicts := smallRun()
	render := func() map[string][]byte {
		d := newData(run, trials, verdicts, gobenchOutput(t))
		doc := newDocument(d)
		files, err := texts(d, doc, gobenchOutput(t))
		if err != nil {
			t.Fatal(err)
		}
		if files["summary.png"], err = pngOf(framed{doc.Summary}, narrow); err != nil {
			t.Fatal(err)
		}
		return files
	}
	first, second := render(), render()
	for name := range first {
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s differs between two reports of one run", name)
		}
	}
	if len(first) != len(second) || len(first) < 10 {
		t.Errorf("%d files, then %d", len(first), len(second))
	}
}

func TestAnOldChartGoesAway(t *testing.T) {
	run, _, _ := smallRun()
	f := rendered(t, run, nil, nil, "")
	if err := f.WriteFile("charts/old.svg", nil); err != nil {
		t.Fatal(err)
	}
	if err := Write(f, run, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Path("charts", "old.svg")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a chart of an earlier report is still there: %v", err)
	}
}

func TestWhatIsMissingIsLeftOut(t *testing.T) {
	run, trials, verdicts := smallRun()
	noSteps := analysistest.Trial(analysistest.Spec("cost", "jwt/ES256"), 1)
	nothing := analysistest.Trial(analysistest.Spec("scale", "jwt/ES256", "saturation"), 1)
	idle := nothing.Steps[0].Streams[trial.Main]
	idle.Outcomes, idle.Completed, idle.Seconds = nil, 0, 0
	wrong := analysistest.Trial(analysistest.Spec("revoke", "jwt/ES256"), 1,
		analysistest.JourneySamples("revocation_lag_seconds", math.MaxFloat64, 1))
	for name, c := range map[string]struct {
		run      trial.Run
		trials   []trial.Trial
		verdicts []trial.Verdict
	}{
		"nothing at all":   {},
		"no trials":        {run, nil, verdicts},
		"no verdicts":      {run, trials, nil},
		"one experiment":   {run, trials[3:4], verdicts[:1]},
		"no steps":         {run, []trial.Trial{noSteps}, verdicts},
		"no request":       {run, append(slices.Clone(trials), nothing), verdicts},
		"absurd sample":    {run, []trial.Trial{wrong}, verdicts},
		"only calibration": {run, []trial.Trial{analysistest.Trial(analysistest.Spec("cost", "none", "saturation"), 0)}, nil},
		"an unknown experiment": {trial.Run{Experiments: []string{"later"}},
			[]trial.Trial{analysistest.Trial(analysistest.Spec("later", "none", "x"), 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := rendered(t, c.run, c.trials, c.verdicts, "no benchmark output")
			for _, file := range []string{"report.html", "REPORT.md", "bench.txt"} {
				if s := contents(t, f, file); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "%!") {
					t.Errorf("%s holds what is no figure", file)
				}
			}
			charts, _ := fs.Glob(os.DirFS(string(f)), "charts/*.svg")
			for _, name := range charts {
				checkSVG(t, contents(t, f, name))
			}
			var b bytes.Buffer
			if err := Terminal(&b, c.run, nil, c.verdicts, 100); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHostileTextsStayText(t *testing.T) {
	const hostile = "<script>alert(1)</script> | `x` [a](javascript:b) \"q\" 'r'\n# head\x1b[31m\r{{.}} --> </style>"
	run, trials, verdicts := smallRun()
	run.Name, run.Commit, run.Status, run.Machine.CPU = hostile, hostile, hostile, hostile
	run.Command, run.Warnings, run.Failure = []string{"authbench", hostile}, []string{hostile}, hostile
	run.Software = []trial.Software{{Name: hostile, Version: hostile, SHA256: hostile}}
	run.Experiments = append(run.Experiments, hostile)
	trials[0].Warnings = []string{hostile}
	for i := range verdicts {
		verdicts[i].Rule.Statement, verdicts[i].Rule.Experiment, verdicts[i].LeftOut = hostile, hostile, []trial.LeftOut{{Cause: hostile, N: 1}}
		verdicts[i].Findings[0].Comparison.Name, verdicts[i].RuleHash = hostile, hostile
	}
	odd := analysistest.Trial(analysistest.Spec("sticky", "session/memory"), 1, analysistest.JourneyCounter("authenticated_requests", 10))
	odd.Spec.Cells[0].System.Balancer = hostile
	f := rendered(t, run, append(trials, odd), verdicts, hostile)

	if page := strings.ToLower(contents(t, f, "report.html")); strings.Contains(page, "<script") || strings.Count(page, "</style>") != 1 {
		t.Error("the page holds markup that came from a name")
	}
	for line := range strings.SplitSeq(contents(t, f, "REPORT.md"), "\n") {
		fenced := strings.Contains(line, "authbench '") || strings.HasPrefix(line, "# head\x1b") // within a code block, where nothing is markup
		if !fenced && (strings.Contains(line, "<script") || strings.HasPrefix(line, "# head") || strings.Contains(line, " [a](")) {
			t.Errorf("REPORT.md holds markup that came from a name: %q", line)
		}
	}
	charts, _ := fs.Glob(os.DirFS(string(f)), "charts/*.svg")
	for _, name := range charts {
		checkSVG(t, contents(t, f, name))
	}
	r := benchfmt.NewReader(strings.NewReader(contents(t, f, "bench.txt")), "bench.txt")
	for r.Scan() {
		if e, bad := r.Result().(*benchfmt.SyntaxError); bad {
			t.Errorf("bench.txt: %v", e)
		}
	}
	var b bytes.Buffer
	if err := Terminal(&b, run, trials, verdicts, 80); err != nil || strings.ContainsAny(b.String(), "\x1b\r") {
		t.Errorf("the terminal is sent control characters (%v)", err)
	}
}

// A report that cannot be written whole leaves the one that is there.
func TestAFailedReportSpoilsNoGoodOne(t *testing.T) {
	run, trials, verdicts := smallRun()
	f := rendered(t, run, trials, verdicts, "")
	before := map[string]string{}
	for _, name := range []string{"report.html", "REPORT.md", "bench.txt", "verdicts.json"} {
		before[name] = contents(t, f, name)
	}
	if err := os.RemoveAll(f.Path("charts")); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteFile("charts", nil); err != nil { // a file, in which no chart has room
		t.Fatal(err)
	}
	run.Name, run.Commit = "later", "another"
	for gobench, want := range map[string]string{"": f.Path("charts"), "<html>": "gobench.txt holds no result"} {
		if err := Write(f, run, trials[:3], verdicts[:1], gobench); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("gobench.txt of %q: %v; want an error that holds %q", gobench, err, want)
		}
	}
	for name, text := range before {
		if contents(t, f, name) != text {
			t.Errorf("%s was replaced", name)
		}
	}
	if left, err := fs.Glob(os.DirFS(string(f)), ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
