package experiment

import (
	"fmt"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// Choose keeps the named experiments; no names keeps all.
func Choose(all []Experiment, names []string) ([]Experiment, error) {
	if len(names) == 0 {
		return all, nil
	}
	for _, n := range names {
		if !slices.ContainsFunc(all, func(e Experiment) bool { return e.Name == n }) {
			if slices.Contains(everyName(), n) {
				return nil, fmt.Errorf("this profile has no arms for the experiment %s: name them in %s_arms of a --config file", n,
					strings.ReplaceAll(n, "-", "_"))
			}
			return nil, fmt.Errorf("unknown experiment %q: want one of %s", n, Names())
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(e Experiment) bool { return !slices.Contains(names, e.Name) }), nil
}

// Narrow keeps what some claims need: of each experiment their rules, the trials
// that these read or that check the instrument for them, and the figures that
// these trials fill. No claims keep all. The error lists the claims there are.
func Narrow(all []Experiment, claims []string) ([]Experiment, error) {
	if len(claims) == 0 {
		return all, nil
	}
	var known []string
	for _, e := range all {
		for _, r := range e.Rules {
			known = append(known, r.Claim)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, c := range claims {
		if !slices.Contains(known, c) {
			return nil, fmt.Errorf("unknown claim %q: want one of %s", c, strings.Join(known, ", "))
		}
	}
	var kept []Experiment
	for _, e := range all {
		e.Rules = slices.DeleteFunc(slices.Clone(e.Rules), func(r trial.Rule) bool { return !slices.Contains(claims, r.Claim) })
		if len(e.Rules) > 0 {
			kept = append(kept, e.narrowed())
		}
	}
	return kept, nil
}

// narrowed leaves out of an experiment what its rules have no use for.
func (e Experiment) narrowed() Experiment {
	trials := e.Trials
	e.Trials = func(calibration []trial.Trial) ([]trial.Spec, error) {
		specs, err := trials(calibration)
		return slices.DeleteFunc(slices.Clone(specs), func(s trial.Spec) bool { return !e.needs(s) }), err
	}
	planned, _ := e.planned() // an error comes up where the trials are asked for
	if _, err := trials(nil); err == nil {
		// Calibration sets no rate, so it only predicts: what is not measured needs no prediction.
		e.Calibrate = slices.DeleteFunc(slices.Clone(e.Calibrate), func(c trial.Spec) bool {
			return !slices.ContainsFunc(planned, func(s trial.Spec) bool { return tells(c.Cells[0], s.Cells[0]) })
		})
	}
	e.Figures = slices.DeleteFunc(slices.Clone(e.Figures), func(f trial.Figure) bool {
		return !slices.ContainsFunc(planned, func(s trial.Spec) bool {
			return slices.ContainsFunc(s.Cells, func(c trial.CellSpec) bool { return f.Of.Matches(c) && hasStep(c, f.Of.Step) })
		})
	})
	return e
}

// needs says whether a rule reads a trial, or checks the instrument by it: by the
// control beside itself. Counts are exact, and need no check.
func (e Experiment) needs(s trial.Spec) bool {
	return slices.ContainsFunc(e.Rules, func(r trial.Rule) bool {
		if r.Contrast != trial.Count && len(s.Cells) == 2 && s.Cells[0].Cell.String() == s.Cells[1].Cell.String() {
			return true
		}
		return slices.ContainsFunc(r.Compare, func(c trial.Comparison) bool {
			return slices.ContainsFunc(s.Cells, func(cell trial.CellSpec) bool {
				return len(c.A.Cell) > 0 && c.A.Matches(cell) || len(c.B.Cell) > 0 && c.B.Matches(cell)
			})
		})
	})
}

// tells says whether a calibration is the same cell with a step of the same name.
func tells(calibration, c trial.CellSpec) bool {
	return calibration.Cell.String() == c.Cell.String() &&
		slices.ContainsFunc(calibration.Steps, func(s trial.Step) bool { return !s.Warmup && hasStep(c, s.Name) })
}

func hasStep(c trial.CellSpec, name string) bool {
	return name == "" || slices.ContainsFunc(c.Steps, func(s trial.Step) bool { return s.Name == name })
}
