package analysis

import (
	"math"
	"testing"
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
	xs := []float64{10, 12, 14, 16}
	// t = (13 - 13 + 3.182446*1.290994) / 1.290994: exactly the 2.5 % point, doubled 5 %.
	near(t, "more at the interval's end", studentTests(xs, 13-3.182446*1.290994, 1).more, 0.05, 1e-5)
	near(t, "same at the one-sided 95 % point", studentTests(xs, 1, 13+2.353363*1.290994).same, 0.05, 1e-5)
	if c := studentTests(xs, 1, 1); c.less != 1 || c.same < 0.99 {
		t.Errorf("far above the margin: %+v", c)
	}
}

func TestNoSpreadAtAllIsExact(t *testing.T) {
	for _, c := range []struct {
		value, margin float64
		want          chances
	}{
		{6, 5, chances{more: 0, less: 1, same: 1}},
		{-6, 5, chances{more: 1, less: 0, same: 1}},
		{4, 5, chances{more: 1, less: 1, same: 0}},
		{5, 5, chances{more: 1, less: 1, same: 0}}, // the whole interval lies within, its edge included
		{0, 0, chances{more: 1, less: 1, same: 0}},
	} {
		if got := studentTests([]float64{c.value, c.value, c.value}, c.margin, c.margin); got != c.want {
			t.Errorf("%v against %v: %+v, want %+v", c.value, c.margin, got, c.want)
		}
	}
	if _, se := meanAndError([]float64{0.1 + 0.2, 0.3, 0.3}); se != 0 {
		t.Errorf("rounding alone gives a standard error of %v", se)
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
		iv = tally{0, 10_000, poisson}.interval()
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
