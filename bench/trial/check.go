package trial

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// experimentName is what an experiment may be called: its trials are files.
var experimentName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// loads says whether the step sends any request.
func (s Step) loads() bool { return len(s.Streams) > 0 || s.Script != nil }

// Check says what about a spec makes no sense, before anything is started.
func (s Spec) Check() error {
	if !experimentName.MatchString(s.Experiment) {
		return fmt.Errorf("experiment %q: want a name of small letters, digits and dashes", s.Experiment)
	}
	if len(s.Cells) == 0 {
		return errors.New("no cells: want at least one")
	}
	for i, c := range s.Cells {
		if len(c.Steps) != len(s.Cells[0].Steps) {
			return fmt.Errorf("%d steps in the first cell and %d in cell %d: those of one position run at once",
				len(s.Cells[0].Steps), len(c.Steps), i+1)
		}
	}
	for i, c := range s.Cells {
		if c.Cell.Arm() != c.System.Arm {
			return fmt.Errorf("the cell %s has a system of arm %s", c.Cell, c.System.Arm)
		}
		seen := map[string]bool{}
		for at, step := range c.Steps {
			if step.Name == "" || seen[step.Name] {
				return fmt.Errorf("step %q: want names, each once", step.Name)
			}
			seen[step.Name] = true
			if !step.loads() && s.Cells[0].Steps[at].Search == nil {
				return fmt.Errorf("step %s: nothing loads it", step.Name)
			}
			for _, stream := range step.Streams {
				if step.Search != nil {
					stream.Pacing.Rate = 1 // is searched for
				}
				if err := stream.Check(); err != nil {
					return fmt.Errorf("step %s: %w", step.Name, err)
				}
			}
			if step.Search != nil {
				if err := step.Search.Check(); err != nil {
					return fmt.Errorf("step %s: %w", step.Name, err)
				}
				beside := slices.ContainsFunc(s.Cells[1:], func(c CellSpec) bool { return c.Steps[at].loads() || len(c.Steps[at].Faults) > 0 })
				if i > 0 || beside || len(step.Streams) != 1 || len(step.Faults) > 0 || step.Script != nil {
					return fmt.Errorf("step %s: a search wants one stream of the first cell, and nothing beside it", step.Name)
				}
			}
			for i, f := range step.Faults {
				for _, other := range step.Faults[:i] {
					if f.Target == other.Target && f.At <= other.At+other.Lasts && other.At <= f.At+f.Lasts {
						return fmt.Errorf("step %s: two faults of %s overlap: want one at a time of a component", step.Name, f.Target)
					}
				}
				if f.At < 0 || f.Lasts < 0 || f.At+f.Lasts > step.Seconds {
					return fmt.Errorf("step %s: the fault %s of %s lasts from %g to %g s of %g s", step.Name, f.Kind, f.Target, f.At,
						f.At+f.Lasts, step.Seconds)
				}
			}
		}
	}
	return nil
}
