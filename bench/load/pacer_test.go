package load

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"authbench/bench/trial"
)

func TestPacers(t *testing.T) {
	const rate, n = 30_000.0, 300_000
	starts := func(a trial.Arrivals, seed uint64) []time.Duration {
		p := newPacer(a, rate, 0, rand.New(rand.NewPCG(seed, 0)))
		at := make([]time.Duration, n)
		for i := range at {
			at[i] = p()
		}
		return at
	}
	even := starts(trial.Even, 1)
	if last := float64(n-1) / rate * float64(time.Second); even[0] != 0 || math.Abs(float64(even[n-1])-last) > 1 {
		t.Errorf("even: from %v to %v", even[0], even[n-1])
	}
	poisson, again, other := starts(trial.Poisson, 1), starts(trial.Poisson, 1), starts(trial.Poisson, 2)
	if poisson[n-1] != again[n-1] || poisson[n-1] == other[n-1] {
		t.Error("the seed alone must decide Poisson arrivals")
	}
	// Gaps of a Poisson process: standard deviation equals mean.
	var sum, squares float64
	for i := 1; i < n; i++ {
		gap := float64(poisson[i] - poisson[i-1])
		if gap < 0 {
			t.Fatal("starts run backwards")
		}
		sum += gap
		squares += gap * gap
	}
	mean := sum / (n - 1)
	deviation := math.Sqrt(squares/(n-1) - mean*mean)
	if math.Abs(mean*rate/1e9-1) > 0.02 || math.Abs(deviation/mean-1) > 0.02 {
		t.Errorf("mean gap %v ns, deviation %v ns", mean, deviation)
	}
}

func TestWarmUp(t *testing.T) {
	d := driver(t, serve(t, me), Load{Connections: 8})
	m := run(t, d, Phase{Name: "warm", Mode: trial.Open, Warmup: true, Rate: 2000, Seconds: 20})
	if m.Seconds > 15 || len(m.Notes) != 0 || m.Replicas["r1"] < warmAnswers {
		t.Errorf("a steady server was warm after %v s and %v; notes %q", m.Seconds, m.Replicas, m.Notes)
	}
	m = run(t, d, Phase{Name: "cold", Mode: trial.Open, Warmup: true, Rate: 100, Seconds: 1})
	if m.Seconds < 1 || len(m.Notes) != 1 {
		t.Errorf("100 requests were enough after %v s; notes %q", m.Seconds, m.Notes)
	}
}
