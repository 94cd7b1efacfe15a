// Package experiment says what is asked: one file a question, with its factors,
// its load, the rules that will turn figures into verdicts, the charts and the
// advice that follows. It is declarative: it starts nothing and measures nothing.
// In comes a [Profile], out come the trials of each block ([trial.Spec]) and the
// rules, all fixed before the first trial.
package experiment

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Experiment is one question.
type Experiment struct {
	Name     string // also the key of its trials
	Question string
	Method   string // how it is measured, in a sentence or two
	Blocks   int    // how often every trial is made

	// Calibrate lists trials of block 0, which only set rates for the rest. May be nil.
	Calibrate []trial.Spec

	// Trials lists those of every block, given the calibration trials. One that is
	// in doubt after its last attempt is used too: it sets a rate and feeds no
	// verdict. An error says which calibration is missing.
	Trials func(calibration []trial.Trial) ([]trial.Spec, error)

	// Predict says what trials of blocks will show, given the calibration trials; nil
	// predicts nothing.
	Predict func(calibration []trial.Trial) []trial.Prediction

	Rules   []trial.Rule
	Figures []trial.Figure // in the order in which a report shows them
	Advice  []trial.Advice // for the answers that have any
}

// All lists the experiments of a profile in the order in which they run. One that
// the profile gives no arms has no rule, and is left out.
func All(p Profile) []Experiment {
	all := []Experiment{Cost(p), Scale(p), Sticky(p), Revoke(p), Theft(p), RoleChange(p), Outage(p)}
	return slices.DeleteFunc(all, func(e Experiment) bool { return len(e.Rules) == 0 })
}

// Names lists all experiments for a person to read.
func Names() string { return strings.Join(everyName(), ", ") }

// everyName is that of each experiment that any profile has; the last has all, in their order.
func everyName() (all []string) {
	for _, p := range slices.Backward(Profiles()) {
		for _, e := range All(p) {
			if !slices.Contains(all, e.Name) {
				all = append(all, e.Name)
			}
		}
	}
	return all
}

// Entry is what a run's manifest says of the experiment.
func (e Experiment) Entry() trial.Question {
	return trial.Question{Experiment: e.Name, Question: e.Question, Method: e.Method, Figures: e.Figures, Advice: e.Advice}
}

// fixed is the Trials of an experiment that needs no calibration.
func fixed(specs []trial.Spec) func([]trial.Trial) ([]trial.Spec, error) {
	return func([]trial.Trial) ([]trial.Spec, error) { return specs, nil }
}

// system is what every experiment starts from.
func (p Profile) system(a trial.Arm, replicas int, b trial.Balancer, lifetime time.Duration) trial.System {
	return trial.System{Arm: a, Replicas: replicas, Balancer: b, Users: p.Users,
		Server: map[string]string{trial.SettingLifetime: lifetime.String(), trial.SettingPool: "16"}}
}

// resident gives a cell the sessions that its shared store holds.
func (p Profile) resident(c trial.CellSpec) trial.CellSpec {
	if arm.Of(c.System.Arm).State == arm.Shared {
		c.System.Resident = p.Resident
	}
	return c
}

// stream asks for /me with valid credentials over the profile's connections.
func (p Profile) stream(pacing trial.Pacing) []trial.Stream {
	return []trial.Stream{{Name: trial.Main, Request: "GET /me", Connections: p.Connections, Sources: p.Sources, Pacing: pacing}}
}

// open starts requests at a rate per second, whatever the answers do.
func (p Profile) open(rate float64) []trial.Stream {
	return p.stream(trial.Pacing{Mode: trial.Open, Arrivals: trial.Poisson, Rate: rate})
}

// closed keeps that many requests in flight.
func (p Profile) closed(inFlight int) []trial.Stream {
	return p.stream(trial.Pacing{Mode: trial.Closed, Concurrency: inFlight})
}

// In a closed loop that keeps replicas busy.
const (
	saturationStep = "saturation"
	// inFlight is the number of requests in flight per replica: enough that every tier
	// has work, and few enough that a replica whose quota is spent does not hold them
	// all. What is served so is no capacity.
	inFlight = 16
)

// besideLabel marks the control that stands beside an arm.
const besideLabel = "control"

// duet is a trial of an arm's cell and the control's beside it.
func duet(experiment string, own, control trial.CellSpec) trial.Spec {
	control.Label = besideLabel
	return trial.Spec{Experiment: experiment, Cells: []trial.CellSpec{own, control}}
}

// factors names what sets some arms apart, for verdicts that depend on it.
func factors(arms ...trial.Arm) (fs []string) {
	for _, a := range arms {
		fs = append(fs, arm.Of(a).Factors...)
	}
	return fs
}

// finish fills in what all rules of an experiment share. An effect needs two
// blocks, for one has no spread; of a count pooled chances, not blocks, are the
// sample. That a profile plans them is checked before the run.
func finish(name string, rules ...trial.Rule) []trial.Rule {
	for i := range rules {
		rules[i].Experiment = name
		rules[i].MinBlocks = 2
		if rules[i].Contrast == trial.Count {
			rules[i].MinBlocks = 1
		}
	}
	return rules
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
// starting and ending the stack, and its steps.
func (j Job) Seconds() float64 {
	s := 0.4
	for _, c := range j.Spec.Cells {
		s += 0.1 * float64(c.System.Replicas)
	}
	for _, step := range j.Spec.Cells[0].Steps { // those of other cells run beside them
		switch {
		case step.Script != nil:
			env := step.Script.Env
			number := func(key string) float64 { v, _ := strconv.ParseFloat(env[key], 64); return v }
			users := float64(j.Spec.Cells[0].System.Users)
			s += 1.5 + (users+number("REQUESTS"))/3_000
			if watch := number("WATCH"); watch > 0 { // of the first round; in further ones a credential that ends at once is soon quiet
				quiet := 1.0
				if q := number("QUIET"); q > 0 {
					quiet = q
				}
				s += watch + number("STAGGER")*min(users, number("SEATS"))/1000 + (quiet+0.2)*(math.Ceil(users/max(1, number("SEATS")))-1)
			}
		case step.Warmup:
			s += 0.5 // by criterion, commonly far below its bound
		case step.Search != nil:
			s += step.Seconds * float64(step.Search.UsualTries())
		default:
			s += step.Seconds
		}
	}
	return s
}
