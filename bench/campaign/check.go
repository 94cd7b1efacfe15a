package campaign

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// decidable says which rules decide nothing, whatever their trials show.
func decidable(e experiment.Experiment) (err error) {
	var short []string
	need := 0
	for _, r := range e.Rules {
		if wrong := analysis.CheckRule(r); wrong != nil {
			err = errors.Join(err, fmt.Errorf("the rule of %s: %w", r.Claim, wrong))
		}
		if n := analysis.BlocksNeeded(r); e.Blocks < n {
			short, need = append(short, r.Claim), max(need, n)
		}
	}
	if len(short) > 0 {
		err = errors.Join(err, fmt.Errorf("%s cannot be answered from fewer than %d blocks: plan more than %d (%s_blocks in a --config file)",
			strings.Join(short, ", "), need, e.Blocks, e.Name))
	}
	return err
}

// answerable says which rule asks for a figure that no planned trial has: it
// would come out as not measured, after all the time that the trials take.
func answerable(rules []trial.Rule, jobs []experiment.Job) error {
	cells := cellsOf(jobs)
	for _, r := range rules {
		for _, c := range r.Compare {
			for _, s := range []trial.Selector{c.A, c.B} {
				if len(s.Cell) == 0 { // a side that the contrast has no use for
					continue
				}
				if err := planned(s, cells); err != nil {
					return fmt.Errorf("the rule of %s: %s: %w", r.Claim, c.Name, err)
				}
			}
		}
	}
	return nil
}

// drawable says which figure shows what no planned trial has.
func drawable(figures []trial.Figure, jobs []experiment.Job) error {
	cells := cellsOf(jobs)
	if len(cells) == 0 { // a profile may leave an experiment empty
		return nil
	}
	for _, f := range figures {
		if f.Of.Step != "" {
			if err := planned(f.Of, cells); err != nil {
				return fmt.Errorf("figure %s: %w", f.Name, err)
			}
		}
		if f.Along != "" && !slices.ContainsFunc(cells, func(c trial.CellSpec) bool { return f.Of.Matches(c) && varies(c, f) }) {
			return fmt.Errorf("figure %s: unknown factor %q along: want one of cells, or of steps where it names no step", f.Name, f.Along)
		}
	}
	return nil
}

// varies says whether a cell, or its steps, have the factor along which a figure goes.
func varies(c trial.CellSpec, f trial.Figure) bool {
	if f.Of.Step != "" {
		return c.Cell.Get(f.Along) != ""
	}
	return slices.ContainsFunc(c.Steps, func(s trial.Step) bool { return strings.HasPrefix(s.Name, f.Along+"=") })
}

func cellsOf(jobs []experiment.Job) (cells []trial.CellSpec) {
	for _, j := range jobs {
		cells = append(cells, j.Spec.Cells...)
	}
	return cells
}

// planned says what of a selector no cell has.
func planned(s trial.Selector, cells []trial.CellSpec) error {
	var factors, steps, streams []string
	met := false
	for _, c := range cells {
		for _, f := range c.Cell {
			factors = append(factors, f.Name)
		}
		if !s.Matches(c) {
			continue
		}
		met = true
		for _, step := range c.Steps {
			steps = append(steps, step.Name)
			for _, stream := range step.Streams {
				if step.Name == s.Step {
					streams = append(streams, stream.Name)
				}
			}
		}
	}
	for _, f := range s.Cell {
		if !slices.Contains(factors, f.Name) {
			return fmt.Errorf("unknown factor %q: want one of %s", f.Name, list(factors))
		}
	}
	switch {
	case !met:
		return fmt.Errorf("no cell is %s", s.Cell.Words())
	case !slices.Contains(steps, s.Step):
		return fmt.Errorf("unknown step %q: want one of %s", s.Step, list(steps))
	case s.Stream != "" && !slices.Contains(streams, s.Stream):
		return fmt.Errorf("unknown stream %q: want one of %s", s.Stream, list(streams))
	}
	return nil
}

// list names each once, in order.
func list(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
}
