package analysis

import (
	"math"
	"math/rand/v2"
	"testing"

	"authbench/bench/trial"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Quantiles of t are those of the printed tables: t(0.975; 3) = 3.182, t(0.975; 4) = 2.776.
func TestEstimateFollowsTheTables(t *testing.T) {
	iv := Estimate([]float64{10, 12, 14, 16}) // mean 13, s = 2.582, s/2 = 1.291
	near(t, "estimate", iv.Estimate, 13, 1e-12)
	near(t, "low", iv.Low, 13-3.182446*1.290994, 1e-5)
	near(t, "high", iv.High, 13+3.182446*1.290994, 1e-5)
	iv = Estimate([]float64{1, 2, 3, 4, 5})
	near(t, "high", iv.High, 3+2.776445*math.Sqrt(0.5), 1e-5)
	near(t, "half-width over 8 of an sd of 1", HalfWidth(1, 8), 2.364624/math.Sqrt(8), 1e-5)
	for _, vs := range [][]float64{{}, {7}, {7, 7, 7}} {
		if iv := Estimate(vs); iv.N != len(vs) || iv.Low != iv.Estimate || iv.High != iv.Estimate {
			t.Errorf("Estimate(%v) = %+v", vs, iv)
		}
	}
}

func TestHolmByHand(t *testing.T) {
	// 0.01*4 = 0.04; 0.02*3 = 0.06; 0.03*2 = 0.06; 0.005 comes first: 0.005*5 = 0.025; 0.4*1.
	got := holm([]float64{0.02, 0.01, 0.4, 0.005, 0.03})
	for i, want := range []float64{0.06, 0.04, 0.4, 0.025, 0.06} {
		near(t, "p", got[i], want, 1e-12)
	}
	// never falling: 0.04*2 = 0.08 though 0.045*1 is less; never above 1.
	got = holm([]float64{0.045, 0.04})
	near(t, "first", got[0], 0.08, 1e-12)
	near(t, "second", got[1], 0.08, 1e-12)
	if got := holm([]float64{0.9, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("%v, want both 1", got)
	}
}

func TestStudentTests(t *testing.T) {
	// mean 13, standard error 1.290994, 3 degrees of freedom.
	e := estimateOf([]float64{10, 12, 14, 16}, 0)
	// t = (13 - 13 + 3.182446*1.290994) / 1.290994: exactly the 2.5 % point, doubled 5 %.
	near(t, "more at the interval's end", e.tests(13-3.182446*1.290994).more, 0.05, 1e-5)
	near(t, "same at the one-sided 95 % point", e.tests(13+2.353363*1.290994).same, 0.05, 1e-5)
	near(t, "not more at the interval's end", e.tests(13+3.182446*1.290994).notMore, 0.05, 1e-5)
	near(t, "not less at the interval's end", e.tests(3.182446*1.290994-13).notLess, 0.05, 1e-5)
	if c := e.tests(1); c.less != 1 || c.same < 0.99 {
		t.Errorf("far above the margin: %+v", c)
	}
}

// Figures that are all alike were read in steps, and lie anywhere within one.
func TestNoSpreadIsTheResolutions(t *testing.T) {
	e := estimateOf([]float64{0, 0, 0}, 0.01/math.Sqrt(12))
	near(t, "half of the interval", e.interval().High, 4.302653*0.01/math.Sqrt(36), 1e-6)
	if c := e.tests(0.1); !(c.same > 0 && c.same < 0.001) {
		t.Errorf("0, 0, 0 in steps of 0.01 within 0.1: %+v", c)
	}
	if c := e.tests(0.004); c.same < 0.05 {
		t.Errorf("0, 0, 0 in steps of 0.01 are not known to lie within 0.004: %+v", c)
	}
	if c := estimateOf([]float64{6, 6, 6}, 0).tests(5); c != (chances{1, 1, 1, 1, 1}) {
		t.Errorf("no spread and no resolution tells nothing: %+v", c)
	}
	if e := estimateOf([]float64{0.1 + 0.2, 0.3, 0.3}, 0); e.sd != 0 {
		t.Errorf("rounding alone gives a standard deviation of %v", e.sd)
	}
	m := Metric{resolution: 0.01}
	near(t, "two sides", m.grain(trial.Difference, []float64{1}, []float64{5}), 0.01*math.Sqrt(2.0/12), 1e-12)
	near(t, "as a share", m.grain(trial.Ratio, []float64{1}, []float64{5}), math.Sqrt((0.01*0.01+0.002*0.002)/12), 1e-12)
	near(t, "a thousandth", Metric{}.grain(trial.Against, []float64{200, 300}), 0.25/math.Sqrt(12), 1e-12)
}

// What is said of more blocks is what a table of sample sizes says: for a gap of
// one standard deviation, 5 % on both sides and a chance of 80 %, 10 pairs.
func TestMoreBlocks(t *testing.T) {
	e := estimate{mean: 3, sd: 2, n: 4, df: 3}
	if got := e.more(trial.Same, 1, alpha); got != 6 {
		t.Errorf("%d more blocks, want 10 - 4", got)
	}
	if got := (estimate{mean: 0, sd: 2, n: 4, df: 3}).more(trial.Same, 2, alpha); got != 6 {
		t.Errorf("inside the margin: %d, want the same", got)
	}
	if got := (estimate{mean: 1, sd: 2, n: 4, df: 3}).more(trial.Same, 1, alpha); got != 0 {
		t.Errorf("on the edge: %d, want none", got)
	}
	if got := (estimate{mean: -1, sd: 2, n: 4, df: 3}).more(trial.More, 1, alpha); got != 6 {
		t.Errorf("on the edge that a claim of more does not mind: %d, want as many as for a gap of 2", got)
	}
	if got := (estimate{mean: 1, sd: 2, n: 4, df: 3}).more(trial.Less, 1, alpha); got != 6 {
		t.Errorf("and of less: %d, want the same", got)
	}
	// the least number that is enough, whatever the effect: with one block less the chance to decide is lower
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		e := estimate{mean: random.NormFloat64(), sd: 0.1 + random.Float64(), n: 2 + random.IntN(6)}
		margin := 0.5 * random.Float64()
		more := e.more(trial.Same, margin, alpha)
		if more == 0 {
			continue
		}
		reach := func(n int) float64 {
			d := student(float64(n - 1))
			return (d.Quantile(0.975) + d.Quantile(0.8)) * e.sd / math.Sqrt(float64(n))
		}
		gap, n := math.Abs(math.Abs(e.mean)-margin), e.n+more
		if more < 1 || reach(n) > gap || more > 1 && reach(n-1) <= gap {
			t.Errorf("%+v, margin %v: %d more", e, margin, more)
		}
	}
	// 3/n below 1 % takes 299 chances: six blocks of 50.
	if got := (tally{events: 0, chances: 100}).more(2, trial.Same, 0, 0.01); got != 4 {
		t.Errorf("0 of 100 in 2 blocks: %d more, want 4", got)
	}
	if got := (tally{events: 10, chances: 1000}).more(1, trial.Same, 0, 0.01); got != 0 {
		t.Errorf("a share on the edge: %d, want none", got)
	}
}

// Values of Clopper-Pearson and Garwood intervals as printed in the literature.
func TestExactCounts(t *testing.T) {
	iv := tally{events: 5, chances: 10}.interval()
	near(t, "5 of 10 low", iv.Low, 0.18709, 1e-5)
	near(t, "5 of 10 high", iv.High, 0.81291, 1e-5)
	iv = tally{events: 10, chances: 100}.interval()
	near(t, "10 of 100 low", iv.Low, 0.04900, 1e-5)
	near(t, "10 of 100 high", iv.High, 0.17622, 1e-5)
	iv = tally{events: 10, chances: 1, poisson: true}.interval()
	near(t, "10 events low", iv.Low, 4.79539, 1e-5)
	near(t, "10 events high", iv.High, 18.39036, 1e-5)
	for _, poisson := range []bool{false, true} {
		iv = tally{chances: 10_000, poisson: poisson}.interval()
		if iv.Low != 0 || iv.N != 10_000 {
			t.Errorf("0 of 10,000: %+v", iv)
		}
		near(t, "0 of n is bounded by 3/n", iv.High, 3.0/10_000, 0.005/10_000)
	}
	iv = tally{events: 50, chances: 50}.interval()
	if iv.High != 1 {
		t.Errorf("50 of 50: %+v", iv)
	}
	near(t, "50 of 50 low", iv.Low, math.Pow(0.05, 1.0/50), 1e-9)
}

// The tests are the intervals read the other way: at an end of the interval p is 5 %.
func TestCountTestsInvertTheInterval(t *testing.T) {
	for _, c := range []tally{{events: 30, chances: 1000}, {events: 30, chances: 1000, poisson: true}, {events: 3, chances: 5}} {
		iv := c.interval()
		near(t, "more", c.tests(iv.Low, 0).more, alpha, 1e-6)
		near(t, "less", c.tests(iv.High, 0).less, alpha, 1e-6)
		near(t, "not less", c.tests(iv.Low, 0).notLess, alpha, 1e-6)
		near(t, "not more", c.tests(iv.High, 0).notMore, alpha, 1e-6)
	}
	zero := tally{events: 0, chances: 1000}
	near(t, "same", zero.tests(0, zero.interval().High).same, alpha, 1e-9)
	if c := zero.tests(0, 0.01); c.less != 1 || c.more != 1 {
		t.Errorf("0 of 1000 around 0: %+v", c)
	}
	all := tally{events: 1000, chances: 1000}
	if c := all.tests(1, 0.01); c.same > alpha || c.more != 1 {
		t.Errorf("1000 of 1000 around 1: %+v", c)
	}
}

func TestDispersion(t *testing.T) {
	even := []tally{{events: 100, chances: 1000}, {events: 104, chances: 1000}, {events: 96, chances: 1000}}
	if _, p, ok := dispersion(even); !ok || p < 0.5 {
		t.Errorf("even trials: p = %v, %v", p, ok)
	}
	// chi2 = 2 * 50^2/(1000*0.1*0.9) = 55.56 on 2 degrees of freedom.
	factor, p, ok := dispersion([]tally{{events: 50, chances: 1000}, {events: 150, chances: 1000}, {events: 100, chances: 1000}})
	near(t, "factor", factor, 27.78, 0.01)
	if !ok || p > 1e-9 {
		t.Errorf("uneven trials: p = %v, %v", p, ok)
	}
	if _, _, ok := dispersion(even[:2]); ok {
		t.Error("two trials cannot show it")
	}
	if _, _, ok := dispersion([]tally{{chances: 9}, {chances: 9}, {chances: 9}}); ok {
		t.Error("nothing differs where nothing happens")
	}
}

// Requests of one user say little about another's: 24 users are 24.
func TestChancesInClustersCountAsManyAsStandForThemselves(t *testing.T) {
	for _, c := range []struct {
		name       string
		t          tally
		events, of float64
	}{
		{"nothing lost by 24 users", tally{chances: 3000, clusters: 24}, 0, 24},
		{"everything lost", tally{events: 3000, chances: 3000, clusters: 24, squares: 24 * 125 * 125}, 24, 24},
		// round robin: every user loses half, so that they are more alike than chance would make them
		{"half of each user's", tally{events: 1500, chances: 3000, clusters: 24, squares: 24 * 62.5 * 62.5}, 1500, 3000},
		// a quarter of the users loses all: the design effect is the size of a user, and a little more for 24 users
		{"all of some users'", tally{events: 750, chances: 3000, clusters: 24, squares: 6 * 125 * 125}, 6, 24},
		{"no clusters", tally{events: 1500, chances: 3000}, 1500, 3000},
		{"a request each", tally{events: 15, chances: 30, clusters: 30, squares: 15}, 15, 30},
	} {
		got := c.t.independent()
		near(t, c.name+", events", got.events, c.events, 1e-9)
		near(t, c.name+", chances", got.chances, c.of, 1e-9)
	}
	// in between: users lose 0 or 2 of 4; mean 1 of 4, variance of a user's sum 1, binomial 4*1/4*3/4
	got := tally{events: 100, chances: 400, clusters: 100, squares: 50 * 4}.independent()
	effect := (200.0 - 100) / 99 / 0.75 * math.Pow(1.984217/1.959964, 2)
	near(t, "a design effect of 4/3", got.chances, 400/effect, 0.01)
}
