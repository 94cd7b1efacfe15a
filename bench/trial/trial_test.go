package trial_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"

	"github.com/google/go-cmp/cmp"
)

func spec() trial.Spec {
	return trial.Spec{
		Experiment: "cost", Arm: "jwt/ES256", Replicas: 3, Balancer: trial.RoundRobin,
		Lifetime: trial.Duration(time.Hour), Users: 10, Pool: 8, Budgets: map[trial.Tier]float64{trial.ReplicaTier: 0.1},
		Load: trial.Load{Connections: 4, Phases: []trial.Phase{{Name: "common", Mode: trial.Open, Rate: 100, Seconds: 1}}},
	}
}

func TestSpecIdentity(t *testing.T) {
	a, b := spec(), spec()
	b.Label = "b"
	if a.Hash() != b.Hash() {
		t.Error("a label changes the identity: the halves of an A/A comparison could differ unseen")
	}
	if a.Key(1, 1) == b.Key(1, 1) {
		t.Error("two labels share a file name")
	}
	b = spec()
	b.Load.Phases[0].Rate = 101
	if a.Hash() == b.Hash() {
		t.Error("another rate has the same identity")
	}
}

func TestFolderKeepsTrialsWholeAndUnchanged(t *testing.T) {
	f := trial.Folder(t.TempDir())
	h := trial.NewHistogram()
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	want := trial.Trial{Key: spec().Key(1, 1), Spec: spec(), Block: 1, Attempt: 1, Order: 7, Status: trial.OK, Started: time.Unix(1e9, 0).UTC(),
		Phases: []trial.Measurement{{Phase: spec().Load.Phases[0], Completed: 1000, Outcomes: map[string]int64{trial.Success: 1000}, Latency: map[string]*trial.Histogram{trial.Success: h}}}}
	if err := f.WriteTrial(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Trials()
	if err != nil || len(got) != 1 {
		t.Fatalf("%d trials, %v", len(got), err)
	}
	gotHist := got[0].Phases[0].Latency[trial.Success]
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		if gotHist.Quantile(q) != h.Quantile(q) {
			t.Errorf("q%v: %v after reading, %v before writing", q, gotHist.Quantile(q), h.Quantile(q))
		}
	}
	got[0].Phases[0].Latency, want.Phases[0].Latency = nil, nil
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("a trial changed on its way through its file:\n%s", d)
	}
	if err := f.WriteTrial(want); err == nil {
		t.Error("a second write of the same trial was accepted")
	}

	path := f.Path("trials", want.Key+".json")
	whole, _ := os.ReadFile(path)
	for name, damaged := range map[string][]byte{
		"truncated": whole[:len(whole)/2],
		"altered":   []byte(strings.Replace(string(whole), `"completed":1000`, `"completed":9000`, 1)),
		"empty":     {},
	} {
		os.WriteFile(path, damaged, 0o644)
		if _, err := f.Trials(); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s file: %v; want ErrDamaged and the file's name", name, err)
		}
	}
}

func TestRunGuardsItsRules(t *testing.T) {
	f := trial.Folder(t.TempDir())
	if _, err := f.ReadRun(); err == nil || !strings.Contains(err.Error(), "run.json") {
		t.Errorf("empty folder: %v", err)
	}
	r := trial.Run{Name: "x", Status: "complete", Profile: "smoke", Runtime: "native", Experiments: []string{"cost"}, Rules: []trial.Rule{{Claim: "C01", Margin: 2, Compare: []trial.Comparison{{Name: "one-sided", A: trial.Selector{Arm: trial.Control}}}}}}
	r.RuleHashes = []string{r.Rules[0].Hash()}
	if err := f.WriteRun(r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadRun(); err != nil {
		t.Fatal(err)
	}
	r.Rules[0].Margin = 20 // somebody moves the goal posts
	if err := f.WriteRun(r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadRun(); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), "C01") {
		t.Errorf("a changed rule: %v; want ErrDamaged that names the claim", err)
	}
}

func TestHistogramMergesAndClamps(t *testing.T) {
	a, b := trial.NewHistogram(), trial.NewHistogram()
	a.Record(time.Millisecond)
	b.Record(time.Hour)
	b.Record(-time.Second)
	a.Merge(b)
	a.Merge(nil)
	if a.Count() != 3 {
		t.Errorf("count %d, want 3: a duration out of bounds must be counted at the bound", a.Count())
	}
	if a.Max() < 2*time.Minute {
		t.Errorf("max %v, want the upper bound", a.Max())
	}
	var none *trial.Histogram
	if none.Count() != 0 || none.Quantile(0.99) != 0 {
		t.Error("a histogram that is not there must count as empty")
	}
	if _, err := json.Marshal(a); err != nil {
		t.Error(err)
	}
}
