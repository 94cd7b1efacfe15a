package selftest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// starts are those of one cell: fresh duets, one after another.
type starts struct {
	logs    []float64 // ln(CPU per request of the first system / of the one beside it), of those that count
	levels  []float64 // µs of CPU per request of the system beside, of the same
	all     []float64 // logs of those that a doubt leaves out, too
	burned  []float64 // share of the system's CPUs that the burner took, of all
	made    int
	leftOut []string // why some do not count
}

// short says how few count, why, and what all of them would say; "" if all count.
func (s starts) short() string {
	switch {
	case s.made == 0:
		return "no start was made"
	case len(s.logs) == s.made:
		return ""
	}
	said := fmt.Sprintf("%d of %d starts count (%s)", len(s.logs), s.made, strings.Join(s.leftOut, "; "))
	if len(s.all) > 1 {
		said += fmt.Sprintf(", all would say %s", interval(s.all))
	}
	return said
}

// read gathers the starts of an experiment by the cell of the first system. A
// start that a doubt spoils for CPU per request does not count, as in any run.
func read(trials []trial.Trial, name string) map[string]starts {
	byCell := map[string]starts{}
	for _, t := range trials {
		if t.Spec.Experiment != name || t.Block == 0 || len(t.Spec.Cells) != 2 {
			continue
		}
		cell := t.Spec.Cells[0].Cell.String()
		s := byCell[cell]
		s.made++
		first, second, err := levels(t)
		if err == nil {
			s.all = append(s.all, math.Log(first/second))
			if d, spoiled := t.Spoiled(experiment.SelfTestStep, trial.CPUTotal); spoiled {
				err = errors.New(d.Cause)
			} else {
				s.logs, s.levels = append(s.logs, math.Log(first/second)), append(s.levels, second)
			}
		}
		if err != nil && !slices.Contains(s.leftOut, err.Error()) {
			s.leftOut = append(s.leftOut, err.Error())
		}
		for _, d := range t.Doubts {
			if d.Cause == burnerCause {
				s.burned = append(s.burned, d.Amount)
			}
		}
		byCell[cell] = s
	}
	return byCell
}

// levels are the CPU per request (µs) of both systems of a duet, whatever its doubts.
func levels(t trial.Trial) (first, second float64, err error) {
	if t.Status != trial.OK {
		return 0, 0, errors.New("aborted")
	}
	t.Doubts = nil
	b := analysis.Blocks([]trial.Trial{t}, t.Spec.Experiment)[0]
	var us [2]float64
	for i, c := range t.Spec.Cells {
		us[i], err = analysis.Value("cpu_us_per_request", b, trial.Selector{Cell: c.Cell, Label: c.Label, Step: experiment.SelfTestStep})
		if err != nil {
			return 0, 0, err
		}
	}
	return us[0], us[1], nil
}
