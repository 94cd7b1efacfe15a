package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// starts are by block, each as slow as its block and a little by itself.
func starts(rng *rand.Rand, slow []float64, d Demand, own float64) []Start {
	var out []Start
	for b, common := range slow {
		f := math.Exp(common + own*rng.NormFloat64())
		out = append(out, Start{b + 1, Demand{f * d.Balancer, f * d.Replica, f * d.Store}})
	}
	return out
}

func slowness(rng *rand.Rand, blocks int, sd float64) []float64 {
	out := make([]float64, blocks)
	for i := range out {
		out[i] = sd * rng.NormFloat64()
	}
	return out
}

// TestIntervalsCover asks in 400 worlds whether intervals hold the truth about
// as often as they say, of an arm alone and of two that share their blocks.
func TestIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	a, b := Demand{1, 100, 0}, Demand{1, 50, 10}
	alone, ratio, worlds := 0, 0, 400
	for w := range worlds {
		slow := slowness(rng, 6, 0.1)
		d, err := Draw([][]Start{starts(rng, slow, a, 0.01), starts(rng, slow, b, 0.01)}, 400, uint64(w))
		if err != nil {
			t.Fatal(err)
		}
		truth := 100 * math.Exp(0.5*(0.1*0.1+0.01*0.01)) // mean of a lognormal
		if iv := d.Of(0, func(d Demand) float64 { return d.Replica }); iv.Low <= truth && truth <= iv.High {
			alone++
		}
		iv := d.Between(0, 1, func(a, b Demand) float64 { return a.Replica / b.Replica })
		if iv.Low <= 2 && 2 <= iv.High {
			ratio++
		}
		if width := (iv.High - iv.Low) / iv.Estimate; width > 0.1 {
			t.Fatalf("world %d: what blocks have in common does not cancel: the ratio's interval is %.0f %% wide", w, 100*width)
		}
	}
	for what, held := range map[string]int{"an arm alone": alone, "a ratio": ratio} {
		if share := float64(held) / float64(worlds); share < 0.90 || share > 0.99 {
			t.Errorf("%s: %.1f %% of the intervals hold the truth, want about 95", what, 100*share)
		}
	}
}

func TestDrawsRepeatAndTellOfFewStarts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	arms := [][]Start{starts(rng, slowness(rng, 6, 0.1), Demand{0, 1, 1}, 0), {{Block: 2, Demand: Demand{Replica: 3}}}}
	first, err := Draw(arms, 200, 7)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Draw(arms, 200, 7)
	other, _ := Draw(arms, 200, 8)
	replica := func(d Demand) float64 { return d.Replica }
	if x, y := first.Of(0, replica), again.Of(0, replica); x != y {
		t.Errorf("the same seed gives %v and %v", x, y)
	}
	if x, y := first.Of(0, replica), other.Of(0, replica); x == y {
		t.Errorf("two seeds both give %v", x)
	}
	if iv := first.Of(1, replica); iv.N != 1 || iv.Low != 3 || iv.High != 3 {
		t.Errorf("a single start has the interval %+v, want none", iv)
	}
	if k := first.Of(0, Demand.ReplicasPerStoreCore); math.Abs(k.Estimate-1) > 1e-12 || k.High-k.Low > 1e-12 || k.N != 6 {
		t.Errorf("K of tiers that are slowed alike is %+v, want 1 without doubt", k)
	}
}

func TestDrawRefuses(t *testing.T) {
	for name, arms := range map[string][][]Start{
		"no start":     {{}},
		"no demand":    {{{Block: 1}}},
		"not a number": {{{Block: 1, Demand: Demand{Replica: math.NaN()}}}},
	} {
		if _, err := Draw(arms, 10, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
