package analysistest_test

import (
	"encoding/json"
	"testing"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/experiment"
)

func TestRunIsWholeAndTheSameEveryTime(t *testing.T) {
	run, trials := analysistest.Run()
	_, again := analysistest.Run()
	a, _ := json.Marshal(trials)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("two calls differ")
	}
	cells, keys := map[string]int{}, map[string]bool{}
	for _, tr := range trials {
		if keys[tr.Key] {
			t.Errorf("two trials are called %s", tr.Key)
		}
		keys[tr.Key] = true
		if tr.Attempt == 1 && tr.Block > 0 {
			cells[tr.Spec.String()]++
		}
	}
	for cell, n := range cells {
		if n != analysistest.Blocks {
			t.Errorf("%s: %d trials, want %d", cell, n, analysistest.Blocks)
		}
	}
	if len(run.Rules) < 10 || len(run.Rules) != len(run.RuleHashes) || len(run.Experiments) != len(experiment.All(analysistest.Profile())) {
		t.Errorf("%d rules, %d hashes, experiments %v", len(run.Rules), len(run.RuleHashes), run.Experiments)
	}
}
