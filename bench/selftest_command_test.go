package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbench/bench/experiment"
	"authbench/bench/selftest"
	"authbench/bench/trial"
)

// A few real duets: the exit status says what the checks say, every figure can be
// traced to a trial, and nothing stays behind. What comes out is the machine's.
func TestSelfTestMeasuresAndJudges(t *testing.T) {
	t.Parallel()
	starts(t, "nginx and replicas")
	out := filepath.Join(t.TempDir(), "self")
	stdout, stderr, code := invoke(t, "selftest", "--quick", "--only", selftest.Repeat, "--json", "--out", out)
	var r selftest.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("status %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if (code == 0) != r.Passed || code != 0 && code != exitFailure || !r.Quick || len(r.Checks) != 1 ||
		!slices.Contains([]selftest.Outcome{selftest.Pass, selftest.Fail, selftest.Undecided}, r.Checks[0].Outcome) {
		t.Errorf("status %d of %s", code, stdout)
	}
	folder := trial.Folder(out)
	if kept, err := os.ReadFile(folder.Path("selftest.json")); err != nil || !bytes.Equal(kept, []byte(stdout)) {
		t.Errorf("the folder keeps %s, %v", kept, err)
	}
	trials, err := folder.Trials()
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, tr := range trials {
		if tr.Status != trial.OK || len(tr.Spec.Cells) != 2 {
			t.Errorf("%s: %s, %v", tr.Spec, tr.Status, tr.Warnings)
		}
		made[tr.Spec.Experiment]++
		checkCounts(t, tr)
	}
	want := experiment.QuickSelfTest().RepeatStarts
	if made[experiment.RepeatFirst] != want || made[experiment.RepeatAgain] != want || len(made) != 2 {
		t.Errorf("trials of %v, want %d the first time and %d again", made, want, want)
	}
	var run trial.Run
	if b, err := os.ReadFile(folder.Path("run.json")); err != nil || json.Unmarshal(b, &run) != nil || run.Status != "complete" ||
		run.Machine.SystemCPUs == "" || len(run.DoubtRules) == 0 || !strings.Contains(string(run.Settings), "repeatStarts") {
		t.Errorf("manifest: %+v, %v", run, err)
	}
	if _, stderr, code := invoke(t, "selftest", "--quick", "--out", out); code != exitUsage || !strings.Contains(stderr, "another folder") {
		t.Errorf("a second self-test in one folder: status %d, %s", code, stderr)
	}
	assertNoCredentials(t, out)
}
