package selftest

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"

	"authbench/bench/analysis"
)

// Group is how many starts an interval is made of: half of what a standard run
// has, so that what a group finds a run finds too.
const Group = 4

// mostGroups bounds how many groups are looked at; more are sampled.
const mostGroups = 5000

// Share is how often something holds.
type Share struct {
	Value  float64
	Groups int // of separate starts: groups that share starts tell no more than these
}

// outside is how often the 95 % interval of a group of starts lies wholly below
// or wholly above 0. It looks at every group that can be drawn from the starts,
// or at thousands of them: a U-statistic, which is the unbiased estimate of the
// chance with the least variance (Hoeffding 1948). It varies no more than the
// share among floor(n/Group) separate groups does (Hoeffding 1963, section 5).
func outside(logs []float64) (below, above Share) {
	n := len(logs)
	below.Groups, above.Groups = n/Group, n/Group
	if n < Group {
		return below, above
	}
	seen := 0
	look := func(at []int) {
		group := make([]float64, Group)
		for i, k := range at {
			group[i] = logs[k]
		}
		seen++
		switch in := analysis.Estimate(group); {
		case in.Low > 0:
			above.Value++
		case in.High < 0:
			below.Value++
		}
	}
	if combin.Binomial(n, Group) <= mostGroups {
		for all := combin.NewCombinationGenerator(n, Group); all.Next(); {
			look(all.Combination(nil))
		}
	} else {
		random := rand.New(rand.NewPCG(1, uint64(n))) // the same starts give the same share
		for range mostGroups {
			look(random.Perm(n)[:Group])
		}
	}
	below.Value, above.Value = below.Value/float64(seen), above.Value/float64(seen)
	return below, above
}

// together pools shares of starts that are not mixed into one group.
func together(shares ...Share) (all Share) {
	for _, s := range shares {
		all.Value += s.Value * float64(s.Groups)
		all.Groups += s.Groups
	}
	all.Value /= math.Max(1, float64(all.Groups))
	return all
}

// sizeBound is the share of so many groups that sound 95 % intervals leave out 0
// in, and no more, in at least 99 of 100 self-tests.
func sizeBound(groups int) float64 {
	if groups == 0 {
		return 0
	}
	b := distuv.Binomial{N: float64(groups), P: 0.05}
	k := 0.0
	for b.CDF(k) < 0.99 {
		k++
	}
	return k / float64(groups)
}
