package report

import (
	"path/filepath"
	"testing"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// BenchmarkReport reads, judges and shows a run of 10,000 trials.
func BenchmarkReport(b *testing.B) {
	run, trials := analysistest.Long(10_000)
	f := trial.Folder(filepath.Join(b.TempDir(), "run"))
	if err := f.WriteRun(run); err != nil {
		b.Fatal(err)
	}
	for _, t := range trials {
		if err := f.WriteTrial(t); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		run, trials, err := f.Read()
		if err != nil {
			b.Fatal(err)
		}
		verdicts, err := analysis.Evaluate(run, trials)
		if err != nil {
			b.Fatal(err)
		}
		if err := Write(f, run, trials, verdicts, ""); err != nil {
			b.Fatal(err)
		}
	}
}
