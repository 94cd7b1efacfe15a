// Package experiment says what is asked: one file a question, with its factors,
// its load and the rules that will turn figures into verdicts. It is
// declarative: it starts nothing and measures nothing. In comes a [Profile], out
// come the cells ([trial.Spec]) of each block and the rules, both fixed before
// the first trial.
package experiment

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Experiment is one question.
type Experiment struct {
	Name     string // also the key of its trials
	Question string
	Method   string // how it is measured, in a sentence or two
	Blocks   int    // how often every cell runs

	// NeedsBudgets: without CPU budgets the experiment is skipped, and the run says so.
	NeedsBudgets bool

	// Calibrate lists trials of block 0, which only set rates for the rest. May be nil.
	Calibrate []trial.Spec

	// Cells lists the cells of every block, given the calibration trials. One
	// that is in doubt after its last attempt is used too: it sets a rate and
	// feeds no verdict. An error says which calibration is missing.
	Cells func(calibration []trial.Trial) ([]trial.Spec, error)

	Rules []trial.Rule
}

// All lists the experiments of a profile in the order in which they run.
func All(p Profile) []Experiment {
	return []Experiment{Cost(p), Scale(p), Sticky(p), Revoke(p)}
}

// Choose keeps the named experiments; no names keeps all.
func Choose(all []Experiment, names []string) ([]Experiment, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, e := range all {
		known = append(known, e.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("unknown experiment %q: allowed are %s", n, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(e Experiment) bool { return !slices.Contains(names, e.Name) }), nil
}

// fixed is the Cells of an experiment that needs no calibration.
func fixed(cells []trial.Spec) func([]trial.Trial) ([]trial.Spec, error) {
	return func([]trial.Trial) ([]trial.Spec, error) { return cells, nil }
}

// factors names what sets some arms apart, for verdicts that depend on it.
func factors(arms ...trial.Arm) (fs []string) {
	for _, a := range arms {
		fs = append(fs, arm.Of(a).Factors...)
	}
	return fs
}

// round2 keeps two significant digits, so that a rate reads well and small
// changes of a calibration give the same cell.
func round2(v float64) float64 {
	if v <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/unit) * unit
}

// Seconds estimates how long a job takes, for --dry-run and the time left:
// starting and ending the stack, and its phases or its script.
func (j Job) Seconds() float64 {
	const stack = 1.2
	s := stack
	for _, ph := range j.Spec.Load.Phases {
		switch {
		case ph.Warmup:
			s += 0.7 // by criterion, commonly far below its bound
		case ph.Mode == trial.Search:
			s += ph.Seconds * float64(ph.Steps)
		default:
			s += ph.Seconds
		}
	}
	env := j.Spec.Load.Env
	number := func(key string) float64 { v, _ := strconv.ParseFloat(env[key], 64); return v }
	if j.Spec.Load.Script != "" {
		s += 1.5 + number("REQUESTS")/4_000 + number("WATCH")
	}
	return s
}
