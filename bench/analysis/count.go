package analysis

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/trial"
)

// tally is a number of events in a number of chances. If each chance gives at
// most one event it is binomial; operations per request may exceed one and are
// taken as Poisson.
type tally struct {
	events, chances float64
	poisson         bool

	// Where chances come in clusters, such as the requests of one user: how many
	// clusters, and the sum over them of their events squared, which says how alike
	// the chances of one cluster are. 0 clusters: each chance stands for itself.
	clusters, squares float64
}

// independent is a tally of as many chances as stand for themselves, with the
// same share: Korn and Graubard (1998) divide them by the design effect, which is
// the variance between clusters over what it would be if chances did not hang
// together. Where nothing or everything happened it cannot be seen, and a cluster
// is one chance: 0 of 24 users is no more than that, however often each asked.
func (t tally) independent() tally {
	if t.clusters < 1 || t.chances <= t.clusters {
		return t
	}
	share, size := t.events/t.chances, t.chances/t.clusters
	effect := size
	if t.clusters > 1 && t.events > 0 && t.events < t.chances {
		variance := (t.squares - t.clusters*size*size*share*share) / (t.clusters - 1)
		if effect = max(1, variance/(size*share*(1-share))); effect > 1 { // known as well as so many clusters tell it
			effect *= math.Pow(student(t.clusters-1).Quantile(1-alpha/2)/distuv.UnitNormal.Quantile(1-alpha/2), 2)
		}
		effect = min(effect, size)
	}
	return tally{events: t.events / effect, chances: t.chances / effect, poisson: t.poisson}
}

// interval is the exact 95 % interval of the share (Clopper and Pearson 1934) or
// the rate (Garwood 1936). Where nothing or everything happened, all of the 5 %
// lies on the one open side: 0 of n bounds a share by 1 - 0.05^(1/n), about 3/n.
func (t tally) interval() trial.Interval {
	iv := trial.Interval{Estimate: t.events / t.chances, N: int(t.chances)}
	low, high := alpha/2, alpha/2
	switch {
	case t.events == 0:
		low, high = 0, alpha
	case !t.poisson && t.events == t.chances:
		low, high = alpha, 0
	}
	switch {
	case t.poisson:
		if low > 0 {
			iv.Low = mathext.GammaIncRegInv(t.events, low) / t.chances
		}
		iv.High = mathext.GammaIncRegCompInv(t.events+1, high) / t.chances
	default:
		iv.High = 1
		if low > 0 {
			iv.Low = mathext.InvRegIncBeta(t.events, t.chances-t.events+1, low)
		}
		if high > 0 {
			iv.High = mathext.InvRegIncBeta(t.events+1, t.chances-t.events, 1-high)
		}
	}
	return iv
}

// atLeast is the chance of so many events or more at a true share; atMost of so many or fewer.
func (t tally) atLeast(share float64) float64 {
	switch {
	case t.events == 0:
		return 1
	case share <= 0:
		return 0
	case t.poisson:
		return mathext.GammaIncReg(t.events, share*t.chances)
	case share >= 1:
		return 1
	}
	return mathext.RegIncBeta(t.events, t.chances-t.events+1, share)
}

func (t tally) atMost(share float64) float64 {
	switch {
	case share <= 0:
		return 1
	case t.poisson:
		return mathext.GammaIncRegComp(t.events+1, share*t.chances)
	case t.events == t.chances:
		return 1
	case share >= 1:
		return 0
	}
	return mathext.RegIncBeta(t.chances-t.events, t.events+1, 1-share)
}

// tests sets the share against reference ± margin. A bound that no share can
// cross (below 0, above 1) holds by itself.
func (t tally) tests(reference, margin float64) chances {
	lower, upper := reference-margin, reference+margin
	c := chances{more: min(1, 2*t.atLeast(upper)), less: min(1, 2*t.atMost(lower)),
		notMore: min(1, 2*t.atMost(upper)), notLess: min(1, 2*t.atLeast(lower))}
	if lower > 0 {
		c.same = t.atLeast(lower)
	}
	if upper < 1 || t.poisson {
		c.same = max(c.same, t.atMost(upper))
	}
	return c
}

// more is how many more blocks would make the share clear of what a claim turns on
// (see estimate.more), if they are as the n there are; 0 if no number of them would.
func (t tally) more(n int, claim trial.Direction, reference, margin float64) int {
	return moreBlocks(n, func(blocks int) bool {
		k := float64(blocks) / float64(n)
		iv := tally{events: t.events * k, chances: t.chances * k, poisson: t.poisson}.interval()
		above, below := iv.Low > reference+margin, iv.High < reference-margin
		switch claim {
		case trial.More:
			return above || iv.High < reference+margin
		case trial.Less:
			return below || iv.Low > reference-margin
		}
		return above || below || reference-margin <= iv.Low && iv.High <= reference+margin
	})
}

// dispersion compares how much shares differ between trials with what chance
// allows: about 1 if the events are independent. p is the chance of at least so
// much; ok is false with fewer than 3 trials or nothing to differ.
func dispersion(trials []tally) (factor, p float64, ok bool) {
	total := pooled(trials)
	share := total.events / total.chances
	spread := share
	if !total.poisson {
		spread = share * (1 - share)
	}
	if len(trials) < 3 || spread <= 0 {
		return 0, 1, false
	}
	chi := 0.0
	for _, t := range trials {
		chi += math.Pow(t.events-t.chances*share, 2) / (t.chances * spread)
	}
	df := float64(len(trials) - 1)
	return chi / df, distuv.ChiSquared{K: df}.Survival(chi), true
}

func pooled(trials []tally) (sum tally) {
	for _, t := range trials {
		sum.events += t.events
		sum.chances += t.chances
		sum.poisson = t.poisson
		sum.clusters += t.clusters
		sum.squares += t.squares
	}
	return sum
}
