package campaign

import (
	"context"
	"testing"

	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// predicting is an experiment that predicts a value from what its one calibration trial sent.
func predicting(factor float64) experiment.Experiment {
	e := asked("cost", 3, 0)
	specs, _ := e.Trials(nil)
	e.Calibrate = specs[:1]
	e.Predict = func(done []trial.Trial) (all []trial.Prediction) {
		for _, t := range done {
			m, _ := t.Step(0, "step")
			all = append(all, trial.Prediction{Experiment: "cost", Name: "bytes", Of: trial.Of("jwt/HS256", "step"), Metric: "request_bytes",
				Value: factor * float64(m.Streams[trial.Main].SentBytes), From: []string{t.Key}})
		}
		return all
	}
	return e
}

// A prediction that is written after its check could have been fitted to it.
func TestPredictionsAreWrittenBeforeWhatChecksThem(t *testing.T) {
	c, p := newCampaign(t, predicting(2)), &paper{}
	p.make = func(_ context.Context, n int, spec trial.Spec) (Made, error) {
		run, err := c.Folder.ReadRun()
		if want := min(n-1, 1); err != nil || len(run.Predictions) != want {
			t.Errorf("before trial %d the manifest holds %d predictions, %v; want %d", n, len(run.Predictions), err, want)
		}
		return good(spec), nil
	}
	if err := measure(t, c, p); err != nil {
		t.Fatal(err)
	}
	run, trials, err := c.Folder.Read()
	if err != nil || len(run.Predictions) != 1 || run.Predictions[0].Value != 200 || run.Predictions[0].From[0] != trials[0].Key ||
		trials[0].Block != 0 {
		t.Fatalf("%+v, %v; want one of 200 bytes, from the calibration trial", run.Predictions, err)
	}
	again := newCampaign(t, predicting(3))
	again.Run, again.Trials = run, trials[:3] // in a folder of its own: trials are never written twice
	if err := measure(t, again, &paper{}); err != nil {
		t.Fatal(err)
	}
	if run, err = again.Folder.ReadRun(); err != nil || len(run.Predictions) != 1 || run.Predictions[0].Value != 200 {
		t.Errorf("a resumed run predicts %+v, %v; want what it did", run.Predictions, err)
	}
}

// What is left to check when a run without predictions is resumed was begun without knowing better.
func TestNothingIsPredictedThatIsMeasured(t *testing.T) {
	c := newCampaign(t, predicting(2))
	if err := measure(t, c, &paper{}); err != nil {
		t.Fatal(err)
	}
	run, trials, err := c.Folder.Read()
	if err != nil {
		t.Fatal(err)
	}
	run.Predictions = nil
	again := newCampaign(t, predicting(2))
	again.Run, again.Trials = run, trials[:3] // in a folder of its own: trials are never written twice
	if err := measure(t, again, &paper{}); err != nil || len(again.Run.Predictions) != 0 {
		t.Errorf("%+v, %v: predicted after trials of blocks were there", again.Run.Predictions, err)
	}
}
