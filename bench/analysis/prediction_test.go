package analysis_test

import (
	"math"
	"testing"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

func TestPredictionsAreHeldAgainstWhatWasMeasured(t *testing.T) {
	var trials []trial.Trial
	for b, x := range []float64{900, 1000, 1100} {
		trials = append(trials, at.Trial(at.Spec("cost", "jwt/HS256", phase), b+1, at.Throughput(phase, x)))
	}
	predict := func(experiment string, arm trial.Arm, value float64) trial.Prediction {
		return trial.Prediction{Experiment: experiment, Of: sel(arm), Metric: "throughput_per_second", Value: value}
	}
	all := analysis.Hold([]trial.Prediction{predict("cost", "jwt/HS256", 1100), predict("cost", "jwt/HS256", 700),
		predict("cost", "jwt/ES256", 1), predict("scale", "jwt/HS256", 1)}, analysis.Blocks(trials, "cost"))
	if len(all) != 3 || math.Abs(all[0].Error-0.1) > 1e-9 || math.Abs(all[1].Error+0.3) > 1e-9 || all[0].Measured.N != 3 ||
		all[2].Measured.N != 0 {
		t.Fatalf("%+v; want errors of +10 %% and -30 %%, and one that was not measured", all)
	}
	if median, n := analysis.MedianError(all); n != 2 || math.Abs(median-0.2) > 1e-9 {
		t.Errorf("a median error of %v of %d, want 0.2 of 2", median, n)
	}
	if median, n := analysis.MedianError(nil); n != 0 || median != 0 {
		t.Errorf("a median error of %v of %d where nothing was predicted", median, n)
	}
}
