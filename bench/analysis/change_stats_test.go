package analysis

import (
	"math"
	"math/rand/v2"
	"testing"
)

func about(a, b, within float64) bool { return math.Abs(a-b) <= within }

func TestFisherAgainstKnownTables(t *testing.T) {
	for _, c := range []struct {
		a, b  tally
		crowd float64
		want  float64
	}{
		{tally{events: 1, chances: 12}, tally{events: 9, chances: 12}, 1, 0.001379728}, // R's fisher.test(alternative = "greater")
		{tally{events: 1, chances: 4}, tally{events: 3, chances: 4}, 1, 17.0 / 70},     // the lady who tastes tea, with one cup wrong
		{tally{events: 0, chances: 4}, tally{events: 4, chances: 4}, 1, 1.0 / 70},
		{tally{events: 3, chances: 10}, tally{events: 0, chances: 10}, 1, 1},
		{tally{events: 3, chances: 36}, tally{events: 27, chances: 36}, 3, 0.001379728}, // events in crowds of three
	} {
		if got := fisher(c.a, c.b, c.crowd); !about(got, c.want, 1e-6) {
			t.Errorf("%+v against %+v: %g, want %g", c.b, c.a, got, c.want)
		}
	}
	if got := fisher(tally{events: 500, chances: 100_000}, tally{events: 500, chances: 100_000}, 1); !about(got, 0.5, 0.02) {
		t.Errorf("two equal shares of many: %g, want about a half", got)
	}
}

func TestTrigamma(t *testing.T) {
	for x, want := range map[float64]float64{1: math.Pi * math.Pi / 6, 0.5: math.Pi * math.Pi / 2, 2: math.Pi*math.Pi/6 - 1} {
		if got := trigamma(x); !about(got, want, 1e-9) {
			t.Errorf("trigamma(%g) = %g, want %g", x, got, want)
		}
	}
}

// sampled draws n normal values about a mean.
func sampled(r *rand.Rand, n int, mean, sd float64) (vs []float64) {
	for range n {
		vs = append(vs, mean+sd*r.NormFloat64())
	}
	return vs
}

// 95 % intervals hold the truth about as often, also where one run has fewer
// blocks and scatters more, and with what other arms tell of the scatter.
func TestIntervalsOfChangesHoldTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		nA, nB   int
		sdA, sdB float64
		arms     int
	}{{4, 4, 1, 1, 1}, {8, 4, 1, 3, 1}, {4, 8, 2, 1, 8}, {3, 3, 1, 1, 8}, {8, 8, 1, 1, 8}} {
		held, total := 0, 0
		for range 4000 / c.arms {
			var changes []Change
			for i := range c.arms {
				own := 1 + float64(i%3)/2 // arms scatter differently
				changes = append(changes, Change{Basis: OverPartner, test: &test{bound: 0.1,
					a: sampled(r, c.nA, 5, own*c.sdA), b: sampled(r, c.nB, 7, own*c.sdB)}})
			}
			runTests(changes)
			for _, x := range changes {
				total++
				if x.Effect.Low <= 2 && 2 <= x.Effect.High {
					held++
				}
			}
		}
		if share := float64(held) / float64(total); share < 0.935 || share > 0.975 {
			t.Errorf("%+v: %.3f of intervals hold the truth, want about 0.95", c, share)
		}
	}
}

func TestAPriorIsWorthWhatItsSamplesAgreeOn(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var alike, unlike [][]float64
	for i := range 40 {
		alike = append(alike, sampled(r, 5, 0, 2))
		unlike = append(unlike, sampled(r, 5, 0, math.Pow(10, float64(i%5))))
	}
	if p := priorOf(alike); p.df < 8 || !about(p.variance, 4, 1.5) {
		t.Errorf("40 samples of one variance: %+v, want 4 and more degrees of freedom than one has", p)
	}
	if p := priorOf(unlike); p.df > 1 {
		t.Errorf("samples whose deviations reach from 1 to 10,000: %+v, want it worth next to nothing", p)
	}
	if p := priorOf(alike[:2]); p != (prior{}) {
		t.Errorf("two samples: %+v, want none", p)
	}
}
