package report

import (
	"regexp"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// sideNames are how advice for a side begins.
var sideNames = map[trial.Side]string{trial.ForSessions: "Sessions fit if", trial.ForTokens: "JWT fits if", trial.ForBoth: "Either way"}

// advice is one sentence that follows from one verdict.
type advice struct {
	Side, Text, Claim string
}

// choose derives advice from the verdicts that exist, by what the run's own
// questions say of each answer; an open one gives none but is named, so
// that silence is not taken for consent.
func choose(questions []trial.Question, verdicts []trial.Verdict) []advice {
	var out []advice
	var open []string
	for _, v := range verdicts {
		before := len(out)
		for _, q := range questions {
			for _, a := range q.Advice {
				if a.Claim == v.Rule.Claim && a.Answer == v.Answer {
					out = append(out, advice{sideNames[a.Side], strings.ReplaceAll(a.Text, "%s", dependence(v)), a.Claim})
				}
			}
		}
		if len(out) == before && !slices.Contains([]trial.Answer{trial.Supported, trial.Refuted, trial.Depends}, v.Answer) {
			open = append(open, v.Rule.Claim)
		}
	}
	if len(open) > 0 {
		out = append(out,
			advice{Side: sideNames[trial.ForBoth], Text: "this run does not settle " + strings.Join(open, ", ") + "; nothing above relies on that."})
	}
	side := []string{sideNames[trial.ForSessions], sideNames[trial.ForTokens], sideNames[trial.ForBoth]}
	slices.SortStableFunc(out, func(a, b advice) int { return slices.Index(side, a.Side) - slices.Index(side, b.Side) })
	return out
}

var endOfCondition = regexp.MustCompile(`[.:] `)

// Condition is when advice fits, which its text says first.
func (a advice) Condition() string { c, _ := a.parts(); return c }

// Ground is what the advice rests on, said after the condition; "" for none.
func (a advice) Ground() string { _, g := a.parts(); return g }

func (a advice) parts() (condition, ground string) {
	parts := endOfCondition.Split(a.Text, 2)
	if len(parts) < 2 {
		return strings.TrimSuffix(a.Text, "."), ""
	}
	return parts[0], capitalised(parts[1])
}

// adviceSide is the advice for one side, in the order given.
type adviceSide struct {
	Name   string
	Advice []advice
}

func sides(all []advice) (grouped []adviceSide) {
	for _, a := range all {
		if n := len(grouped); n == 0 || grouped[n-1].Name != a.Side {
			grouped = append(grouped, adviceSide{Name: a.Side})
		}
		last := &grouped[len(grouped)-1]
		last.Advice = append(last.Advice, a)
	}
	return grouped
}
