package experiment

import (
	"fmt"
	"strings"

	"authbench/bench/trial"
)

// ChaosName is the experiment's and its step's.
const ChaosName = "chaos"

// Chaos is a system and whatever faults somebody wants to see it under. It answers
// no claim, so it is none of [All].
type Chaos struct {
	System  trial.System
	Rate    float64 // requests/s with valid credentials
	Seconds float64
	Faults  []trial.Fault
	Words   []string // the faults, as they are written on a command line
}

// Experiment is one trial of it: the step of [Outage] with these faults.
func (c Chaos) Experiment() Experiment {
	spec := trial.CellSpec{Cell: trial.NewCell("arm", c.System.Arm), System: c.System,
		Steps: []trial.Step{brokenStep(ChaosName, c.System.Arm, c.Rate, c.Seconds, c.Faults...)}}
	faults := strings.Join(c.Words, ", ")
	figure := outageTimeLine(ChaosName, ChaosName)
	figure.Caption = "What valid users were answered, as shares of the requests that ended in each tenth of a second. White: none ended. " +
		"Full strokes: a fault is seen to begin and to be over; dashed: its end is asked for."
	figure.Title = fmt.Sprintf("What do users get during %s?", faults)
	return Experiment{
		Name:     ChaosName,
		Question: fmt.Sprintf("What do users of %s get during %s?", c.System.Arm, faults),
		Method: fmt.Sprintf("%d replicas behind nginx; %g requests/s with valid credentials for %g s, and some that must be refused.",
			c.System.Replicas, c.Rate, c.Seconds),
		Blocks:  1,
		Trials:  fixed([]trial.Spec{trial.Single(ChaosName, spec)}),
		Figures: []trial.Figure{figure},
	}
}
