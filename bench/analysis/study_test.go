package analysis_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// noise is how figures differ for no reason, as standard deviations of the
// logarithm: of a block, of a trial in it and of a step in that.
type noise struct{ block, trial, step float64 }

// Two kinds of it: trials one after the other, as an early reference run of this
// project had them, and an arm beside its control, where most of it cancels out.
var (
	apart  = noise{block: 0.05, trial: 0.038, step: 0.057}
	beside = noise{block: 0.05, trial: 0.01, step: 0.015}
)

// study is a world of that noise: what a request costs (us) by each token arm, at
// every load, beside sessions that all cost the same, or as said.
type study struct {
	noise    noise
	blocks   int
	tokens   []float64
	sessions []float64
	loads    int
}

const sessionCost = 100.0

var (
	studied  = []trial.Arm{"jwt/HS256", "jwt/RS256", "jwt/ES256", "jwt/EdDSA"}
	sessions = []trial.Arm{"session/memory", "session/redis", "session/postgres"}
)

// lighter is the rule of a study: every token against every session at every load.
func lighter(loads int, supports trial.Direction, margin float64) trial.Rule {
	r := trial.Rule{Claim: "C99", Experiment: "cost", Metric: "cpu_us_per_request", Contrast: trial.Ratio, Supports: supports,
		Margin: margin, MinBlocks: 2}
	for _, t := range studied {
		for _, s := range sessions {
			for l := range loads {
				step := fmt.Sprintf("load=%d", l)
				r.Compare = append(r.Compare, trial.Comparison{Name: fmt.Sprintf("%s vs %s at %s", t, s, step), A: trial.Of(t, step),
					B: trial.Of(s, step), Factors: []string{"algorithm=" + string(t), "store=" + string(s), step}})
			}
		}
	}
	return r
}

// answers draws n runs: how often each answer came out, and how often a single
// comparison came out each way.
func (s study) answers(t *testing.T, r trial.Rule, n int) (answers map[trial.Answer]int, outcomes map[trial.Direction]int) {
	t.Helper()
	random := rand.New(rand.NewPCG(42, uint64(n)))
	answers, outcomes = map[trial.Answer]int{}, map[trial.Direction]int{}
	var steps []string
	for l := range s.loads {
		steps = append(steps, fmt.Sprintf("load=%d", l))
	}
	costs := map[trial.Arm]float64{}
	var trials []trial.Trial // made once: each run draws their figures anew
	for i, a := range slices.Concat(studied, sessions) {
		costs[a] = sessionCost
		if i < len(s.tokens) {
			costs[a] = s.tokens[i]
		} else if s.sessions != nil {
			costs[a] = s.sessions[i-len(s.tokens)]
		}
		for block := 1; block <= s.blocks; block++ {
			trials = append(trials, at.Trial(at.Spec("cost", a, steps...), block))
		}
	}
	for range n {
		ofBlock := make([]float64, s.blocks)
		for b := range ofBlock {
			ofBlock[b] = s.noise.block * random.NormFloat64()
		}
		for i := range trials {
			tr := &trials[i]
			ofTrial := ofBlock[tr.Block-1] + s.noise.trial*random.NormFloat64()
			for _, step := range steps {
				us := costs[tr.Spec.Cells[0].System.Arm] * math.Exp(ofTrial+s.noise.step*random.NormFloat64())
				for tier, us := range map[trial.Tier]float64{trial.BalancerTier: 0, trial.ReplicaTier: us, trial.StoreTier: 0} {
					at.CPU(step, tier, us)(tr)
				}
			}
		}
		vs, err := analysis.Evaluate(trial.Run{Rules: []trial.Rule{r}}, trials)
		if err != nil {
			t.Fatal(err)
		}
		answers[vs[0].Answer]++
		for _, f := range vs[0].Findings {
			outcomes[f.Outcome]++
		}
	}
	return answers, outcomes
}

// runs of each study: enough to notice a rule that is twice as wrong as it may
// be. STUDY=2000 takes minutes and tells more.
func runs() int {
	n, err := strconv.Atoi(os.Getenv("STUDY"))
	if err != nil || n < 1 {
		return 40
	}
	return n
}

// atMost is the most of n that a chance of p gives, but for one study in a
// thousand.
func atMost(n int, p float64) int {
	return int(float64(n)*p + 3.1*math.Sqrt(float64(n)*p*(1-p)) + 0.5)
}

// What is said is wrong in at most 5 % of runs, where the truth lies on the edge
// at which that is most likely, and an effect that matters is found.
func TestStudyOfSizeAndPower(t *testing.T) {
	n := runs()
	const margin, edge = 0.05, sessionCost / 1.05
	all := func(cost float64) []float64 { return []float64{cost, cost, cost, cost} }
	duets := func(tokens ...float64) study { return study{noise: beside, blocks: 8, tokens: tokens, loads: 1} }
	singles := func(tokens ...float64) study { return study{noise: apart, blocks: 6, tokens: tokens, loads: 4} }
	fourLoads, oneSession := duets(all(80)...), duets(50, 50, 50, edge)
	fourLoads.loads, oneSession.sessions = 4, []float64{sessionCost, 200, 200}
	seen := map[string]map[trial.Answer]int{} // by world
	for _, c := range []struct {
		name     string
		study    study
		supports trial.Direction
		answer   trial.Answer
		most     float64 // wrong at most so often; 0: power, found at least so often as least says
		least    float64
	}{
		// size: the truth lies on the edge in one comparison at least, so that the answer is wrong
		{"all on the edge", duets(all(edge)...), trial.Less, trial.Supported, 0.05, 0},
		{"one arm on the edge", duets(50, 50, 50, edge), trial.Less, trial.Supported, 0.05, 0},
		{"one arm on the edge", duets(50, 50, 50, edge), trial.Less, trial.Partly, 0.05, 0},
		{"one comparison on the edge", oneSession, trial.Less, trial.Supported, 0.05, 0},
		{"one comparison on the edge", oneSession, trial.Less, trial.Depends, 0.05, 0},
		{"all on the edge", duets(all(edge)...), trial.Same, trial.Supported, 0.05, 0},
		{"all on the edge", duets(all(edge)...), trial.Less, trial.Partly, 0.05, 0},
		{"all on the edge", duets(all(edge)...), trial.Less, trial.Refuted, 0.05, 0},
		{"all on the edge, apart", singles(all(edge)...), trial.Same, trial.Supported, 0.05, 0},
		{"all on the edge, apart", singles(all(edge)...), trial.More, trial.Supported, 0.05, 0},
		{"nothing differs, apart", singles(all(sessionCost)...), trial.Less, trial.Depends, 0.05, 0},
		{"nothing differs, apart", singles(all(sessionCost)...), trial.Less, trial.Partly, 0.05, 0},
		{"a fifth less", duets(all(80)...), trial.Less, trial.Supported, 0, 0.9},
		{"a fifth less at four loads", fourLoads, trial.Less, trial.Supported, 0, 0.9},
		{"nothing differs", duets(all(sessionCost)...), trial.Less, trial.Refuted, 0, 0.9},
		{"all on the other edge", duets(all(sessionCost / edge * sessionCost)...), trial.Less, trial.Refuted, 0, 0.9},
		{"two arms a fifth less, two more", duets(80, 80, 125, 125), trial.Less, trial.Depends, 0, 0.9},
	} {
		world := fmt.Sprintf("%s, the claim is %s", c.name, c.supports)
		if seen[world] == nil {
			answers, outcomes := c.study.answers(t, lighter(c.study.loads, c.supports, margin), n)
			seen[world] = answers
			t.Logf("%s: of %d runs %v, of their comparisons %v", world, n, answers, outcomes)
		}
		got := seen[world][c.answer]
		if c.most > 0 && got > atMost(n, c.most) || c.least > 0 && n-got > atMost(n, 1-c.least) {
			t.Errorf("%s: %s in %d of %d runs", c.name, c.answer, got, n)
		}
	}
}
