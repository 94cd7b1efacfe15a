package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"authbench/bench/plan"
	"authbench/bench/trial"
)

// planned sizes the small run for a target that shows most of what a plan can say.
func planned(t *testing.T) plan.Plan {
	t.Helper()
	run, trials, _ := smallRun()
	for _, t := range trials {
		for i := range t.Steps {
			if t.Steps[i].Step == "load=common" {
				t.Steps[i].Step = plan.Step
			}
		}
	}
	basis, err := plan.Read(run, trials, gobenchOutput(t))
	if err != nil {
		t.Fatal(err)
	}
	target := plan.Default()
	target.Rate, target.Users, target.Touch, target.RoundTrip = 120_000, 5_000_000, plan.Throttled, 4*time.Millisecond
	target.PriceNode, target.PriceStore = 0.3, 0.05
	p, err := plan.Make(basis, target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGoldenPlan(t *testing.T) {
	p := planned(t)
	for name, width := range map[string]int{"plan-80.txt": 80, "plan-100.txt": 200} {
		var b bytes.Buffer
		if err := Plan(&b, p, "results/small", width); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s has a line of %d characters: %s", name, n, line)
			}
		}
	}
}

func TestPlanFiles(t *testing.T) {
	p := planned(t)
	f := trial.Folder(t.TempDir())
	if err := WritePlan(f, p, "results/small"); err != nil {
		t.Fatal(err)
	}
	var again plan.Plan
	if err := json.Unmarshal([]byte(contents(t, f, "plan.json")), &again); err != nil || len(again.Arms) != len(p.Arms) {
		t.Errorf("plan.json: %v, %d arms, want %d", err, len(again.Arms), len(p.Arms))
	}
	svg := contents(t, f, "plan.svg")
	for _, want := range []string{"target: 120,000/s", "session/redis", "jwt/HS256", "replicas of one core",
		">64<", "predicted from CPU per request"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart does not show %q", want)
		}
	}
	if png := contents(t, f, "plan.png"); !strings.HasPrefix(png, "\x89PNG") {
		t.Error("plan.png is no PNG")
	}
	if text := contents(t, f, "plan.txt"); !strings.Contains(text, "what it takes") {
		t.Errorf("plan.txt: %s", text)
	}
}
