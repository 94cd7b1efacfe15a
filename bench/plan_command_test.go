package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

func TestPlanTakesTheNewestRunThatCanBePlannedFrom(t *testing.T) {
	t.Parallel()
	results := t.TempDir()
	add := func(name string, hours int, change func(*trial.Run)) {
		t.Helper()
		run, _ := analysistest.Run()
		run.Name, run.Started = name, analysistest.Epoch.Add(time.Duration(hours)*time.Hour)
		change(&run)
		if err := trial.Folder(filepath.Join(results, name)).WriteRun(run); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name string) {
		t.Helper()
		got, err := newestRun(results)
		if err != nil || got != trial.Folder(filepath.Join(results, name)) {
			t.Fatalf("%s, %v; want %s", got, err, name)
		}
	}
	want(referenceRun) // where there is no other, it is named, and reading it says what is missing
	add(referenceRun, 9, func(*trial.Run) {})
	want(referenceRun)
	add("b-older", 1, func(*trial.Run) {})
	want("b-older")
	add("a-newer", 2, func(*trial.Run) {})
	want("a-newer")
	add("c-running", 3, func(r *trial.Run) { r.Status = "running" })
	add("d-elsewhere", 4, func(r *trial.Run) { r.Experiments = []string{"revoke"} })
	if err := os.MkdirAll(filepath.Join(results, "e-broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(results, "e-broken", "run.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	want("a-newer")
}
