package experiment_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/report"
	"authbench/bench/trial"
)

// verdict judges one rule and refuses what could not be kept in a file or shown.
func verdict(t *testing.T, r trial.Rule, trials []trial.Trial) trial.Verdict {
	t.Helper()
	vs, err := analysis.Evaluate(trial.Run{Rules: []trial.Rule{r}}, trials)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(vs) // which knows no NaN and no infinity
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || told(vs[0]) == "" {
		t.Errorf("a verdict without a figure: %s", s)
	}
	return vs[0]
}

// told is what a report says of a verdict, without its hard spaces.
func told(v trial.Verdict) string {
	return strings.ReplaceAll(strings.Join(append([]string{report.Why(v)}, report.Warnings(v)...), "\n"), "\u00a0", " ")
}

func TestEachRuleComesOutInEveryWay(t *testing.T) {
	for _, r := range testedRules(t) {
		seen := map[trial.Answer]bool{}
		for _, w := range worldsOf(t, r.Rule) {
			seen[w.answer] = true
			t.Run(fmt.Sprintf("%s/%s: %s", r.Claim, w.answer, w.story), func(t *testing.T) {
				r.mustKnow(t, w.figures)
				trials := r.trials(0, w.figures.value(r.Contrast))
				v := verdict(t, r.Rule, trials)
				if v.Answer != w.answer || !strings.Contains(told(v), w.why) {
					t.Errorf("%s: %s\nwant %s, with %q", v.Answer, told(v), w.answer, w.why)
				}
				if w.answer == trial.NotDecided && !strings.Contains(told(v), "reaches over the margin of ") {
					t.Errorf("%s\nwhich does not say what is unclear", told(v))
				}
				for name, other := range permutations(r.Rule, trials) {
					if again := verdict(t, other.rule, other.trials); again.Answer != v.Answer || other.sameText && told(again) != told(v) {
						t.Errorf("%s: %s, %s\nbefore: %s, %s", name, again.Answer, told(again), v.Answer, told(v))
					}
				}
			})
		}
		// With a single comparison nothing could lie on both sides; every rule has
		// more. Of groups the whole never depends: each has an answer of its own.
		for _, a := range trial.Answers() {
			if a == trial.NotMeasured { // see TestWithoutItsTrialsNoRuleIsClear
				continue
			}
			possible := a != trial.Depends && a != trial.Partly || len(r.Compare) > 1 && (a != trial.Depends || len(r.Groups) == 0)
			if seen[a] != possible {
				t.Errorf("%s: a world that is %s: %v, with %d comparisons in %d groups", r.Claim, a, seen[a], len(r.Compare), len(r.Groups))
			}
		}
	}
}

// mustKnow fails on figures for cells that the experiment does not have, which would be 0 unseen.
func (r tested) mustKnow(t *testing.T, fs figures) {
	t.Helper()
	for _, f := range fs {
		if !slices.ContainsFunc(r.jobs, func(j experiment.Job) bool {
			return slices.ContainsFunc(append(measured(j), ""), func(ph string) bool { return f.fits(words(j.Spec, ph)) })
		}) {
			t.Errorf("%s has no cell %q", r.Experiment, f.cells)
		}
	}
}

type permuted struct {
	rule     trial.Rule
	trials   []trial.Trial
	sameText bool // the reader is told the same, word by word
}

// permutations are other orders and names for the same facts.
func permutations(r trial.Rule, trials []trial.Trial) map[string]permuted {
	random := rand.New(rand.NewPCG(5, 6))
	shuffled := slices.Clone(trials)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })

	swapped, reversed := slices.Clone(trials), slices.Clone(trials)
	blocks := 0
	for _, t := range trials {
		blocks = max(blocks, t.Block)
	}
	for i := range trials {
		if s := &swapped[i]; len(s.Spec.Cells) == 2 {
			s.Spec.Cells = []trial.CellSpec{s.Spec.Cells[1], s.Spec.Cells[0]}
			s.Steps = slices.Clone(s.Steps)
			for k := range s.Steps {
				s.Steps[k].Cell = 1 - s.Steps[k].Cell
			}
		}
		reversed[i].Block = blocks + 1 - trials[i].Block
		for _, t := range []*trial.Trial{&swapped[i], &reversed[i]} {
			t.Key = t.Spec.Key(t.Block, t.Attempt)
		}
	}
	comparisons := r
	comparisons.Compare = slices.Clone(r.Compare)
	slices.Reverse(comparisons.Compare)
	return map[string]permuted{
		"trials in another order":            {r, shuffled, true},
		"the sides of duets swapped":         {r, swapped, true},
		"blocks numbered from the end":       {r, reversed, true},
		"comparisons listed the other way":   {comparisons, trials, false},
		"all of it, and comparisons as well": {comparisons, shuffled, false},
	}
}

// onEdges gives every A of the rule's comparisons an effect of this share of the
// margin, towards more or less, and every B the same base.
func (r tested) onEdges(towards, share, spread float64) []trial.Trial {
	const base = 100
	return r.trials(1e8, func(j experiment.Job, step string) float64 {
		if cell(j.Spec).System.Arm == trial.Control {
			return 0
		}
		for _, c := range r.Compare {
			if !c.A.Matches(cell(j.Spec)) || c.A.Step != step {
				continue
			}
			effect := r.Of(c).Margin * (share + spread*turn(j.Block))
			switch r.Contrast {
			case trial.Ratio:
				return base / 100 * math.Pow(1+effect, towards)
			case trial.Difference:
				return base + towards*effect
			}
			return c.Reference + towards*effect
		}
		if r.Contrast == trial.Ratio {
			return base / 100
		}
		return base
	})
}

// An effect just inside the margin does not matter, one just outside does, and
// of one on the edge nobody knows.
func TestTheMarginsEdgeFlipsTheAnswer(t *testing.T) {
	for _, r := range byGroup(testedRules(t)) {
		of := r.Of(r.Compare[0])
		inside, outside := trial.Refuted, trial.Supported
		sides := map[trial.Direction][]float64{trial.More: {1}, trial.Less: {-1}, trial.Same: {1}}[of.Supports]
		if of.Supports == trial.Same {
			inside, outside = outside, inside
			switch ref := r.Compare[0].Reference; {
			case r.Contrast == trial.Count && ref+of.Margin > 1: // no share is above it
				sides = []float64{-1}
			case ref > of.Margin: // else a figure below it would be negative
				sides = []float64{1, -1}
			}
		}
		for _, side := range sides {
			for _, c := range []struct {
				share, spread float64
				want          trial.Answer
			}{{0.98, 0.001, inside}, {1.02, 0.001, outside}, {1, 0.05, trial.NotDecided}} {
				if r.Contrast == trial.Count {
					c.spread = 0 // pooled chances have a width of their own
				}
				if r.Metric == "revocation_lag_share" { // read in steps of a poll: nothing is known more finely
					c.share = 1 + 10*(c.share-1)
				}
				v := verdict(t, r.Rule, r.onEdges(side, c.share, c.spread))
				if v.Answer != c.want {
					t.Errorf("%s, %g times the margin: %s, want %s\n%s", r.Claim, side*c.share, v.Answer, c.want, told(v))
				}
			}
		}
	}
}

// byGroup makes a rule of each group, so that all of it has one bound.
func byGroup(rules []tested) (parts []tested) {
	for _, r := range rules {
		if len(r.Groups) == 0 {
			parts = append(parts, r)
		}
		for _, g := range r.Groups {
			part := r
			part.Compare = slices.DeleteFunc(slices.Clone(r.Compare), func(c trial.Comparison) bool { return c.Group != g.Name })
			parts = append(parts, part)
		}
	}
	return parts
}

// keep leaves out trials.
func keep(trials []trial.Trial, wanted func(trial.Trial) bool) []trial.Trial {
	return slices.DeleteFunc(slices.Clone(trials), func(t trial.Trial) bool { return !wanted(t) })
}

// Whatever a clear world lacks, its verdict says so and claims nothing.
func TestWithoutItsTrialsNoRuleIsClear(t *testing.T) {
	for _, r := range testedRules(t) {
		trials := r.trials(0, worldsOf(t, r.Rule)[0].figures.value(r.Contrast))
		first := r.Compare[0]
		nothing := "No good trial of the experiment " + r.Experiment
		few := fmt.Sprintf("%d of the %d blocks needed", r.MinBlocks-1, r.MinBlocks)
		fewAnswer, lackAnswer := trial.NotDecided, trial.NotDecided
		if r.MinBlocks == 1 {
			few, fewAnswer = nothing, trial.NotMeasured
		}
		switch {
		case len(r.Groups) > 0: // the other group stands
			lackAnswer = trial.Partly
		case len(r.Compare) == 1:
			lackAnswer = trial.NotMeasured
		}
		for _, c := range []struct {
			lack   string
			trials []trial.Trial
			answer trial.Answer
			why    string
		}{
			{"any trial", nil, trial.NotMeasured, nothing},
			{"its last block", keep(trials, func(t trial.Trial) bool { return t.Block < r.MinBlocks }), fewAnswer, few},
			{"one comparison's cell", keep(trials, func(t trial.Trial) bool { return !first.A.Matches(cell(t.Spec)) }), lackAnswer,
				first.Name + ": 0 of the "},
		} {
			if v := verdict(t, r.Rule, c.trials); v.Answer != c.answer || !strings.Contains(told(v), c.why) {
				t.Errorf("%s without %s: %s, %s\nwant %s, and in it: %s", r.Claim, c.lack, v.Answer, told(v), c.answer, c.why)
			}
		}
	}
}

// Figures of nothing at all must not become figures of infinity.
func TestNothingMeasuredIsNoInfinity(t *testing.T) {
	for _, r := range testedRules(t) {
		idle := r.trials(0, figures{}.value(r.Contrast))
		for i := range idle {
			for _, m := range idle[i].Steps {
				for _, s := range m.Streams {
					s.Offered, s.Completed, s.SentBytes, s.Outcomes, s.Series = 0, 0, 0, nil, nil
				}
				if j := m.Journey; j != nil {
					clear(j.Counters)
					j.Samples["remaining_life_seconds"] = []float64{0, 0, 0}
				}
			}
		}
		if v := verdict(t, r.Rule, idle); v.Answer != trial.NotMeasured {
			t.Errorf("%s: %s, %s", r.Claim, v.Answer, told(v))
		}
	}
}

// Where the control differs from itself by more than any margin, nothing that was
// seen of the arms decides a claim.
func TestABiasedInstrumentDecidesNothing(t *testing.T) {
	for _, r := range testedRules(t) {
		if r.Metric != "auth_cpu_us" { // the others count, or have no such pair
			continue
		}
		arms := worldsOf(t, r.Rule)[0].figures.value(r.Contrast)
		trials := r.trials(0, func(j experiment.Job, step string) float64 {
			if cell(j.Spec).System.Arm == trial.Control {
				return 50
			}
			return arms(j, step)
		})
		if v := verdict(t, r.Rule, trials); v.Answer != trial.NotDecided || !strings.Contains(told(v), "THE INSTRUMENT FAILED") {
			t.Errorf("%s: %s, %s", r.Claim, v.Answer, told(v))
		}
	}
}
