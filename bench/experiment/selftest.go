package experiment

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"authbench/bench/trial"
)

// Names of a self-test's experiments. A small set of duets is measured first and
// again at the end, as two runs would.
const (
	RepeatFirst = "repeat-first"
	Identical   = "aa"
	Sensitivity = "sensitivity"
	Burner      = "burner"
	RepeatAgain = "repeat-again"
)

// Factors that a self-test varies, in percent.
const (
	ExtraFactor  = "extra"  // of the control's CPU per request, that the first of two equal systems burns besides
	BurnerFactor = "burner" // of the system's CPUs, that a process of ours takes away
)

// SelfTestStep is the measured step of a self-test's trials.
const SelfTestStep = "load"

// SelfTest says how thoroughly the instrument is tested on itself. Starts are of
// each cell: every start is a duet of systems that come up afresh.
type SelfTest struct {
	Users       int     `json:"users"`
	Rate        float64 `json:"rate"` // requests per second of each of the two systems: a burner of 60 % must leave room
	StepSeconds float64 `json:"stepSeconds"`

	Identical       []trial.Arm `json:"identical"` // arms that stand beside themselves
	IdenticalStarts int         `json:"identicalStarts"`
	Extras          []int       `json:"extras"`
	ExtraStarts     int         `json:"extraStarts"`
	Burners         []int       `json:"burners"`
	BurnerExtra     int         `json:"burnerExtra"`
	BurnerStarts    int         `json:"burnerStarts"`
	Repeat          []trial.Arm `json:"repeat"`
	RepeatStarts    int         `json:"repeatStarts"`
}

// FullSelfTest takes about eight minutes.
func FullSelfTest() SelfTest {
	return SelfTest{Users: 1000, Rate: 1000, StepSeconds: 1,
		Identical: []trial.Arm{trial.Control, sharedSecret}, IdenticalStarts: 64,
		Extras: []int{20, 10, 5}, ExtraStarts: 12,
		Burners: []int{30, 60}, BurnerExtra: 10, BurnerStarts: 12,
		Repeat: []trial.Arm{sharedSecret, "session/redis"}, RepeatStarts: 4}
}

// QuickSelfTest takes about a minute, and proves accordingly little.
func QuickSelfTest() SelfTest {
	s := FullSelfTest()
	s.Identical, s.IdenticalStarts = []trial.Arm{trial.Control}, 8
	s.Extras, s.ExtraStarts = []int{10}, 6
	s.Burners, s.BurnerStarts = []int{30}, 4
	s.Repeat, s.RepeatStarts = []trial.Arm{sharedSecret}, 2
	return s
}

// Experiments are those of a self-test, in the order in which they run. They
// answer no claim: their figures are held against the instrument's own bounds.
func (s SelfTest) Experiments() []Experiment {
	repeat := []trial.Spec{}
	for _, a := range s.Repeat {
		repeat = append(repeat, s.duet("", a, trial.Control, trial.NewCell(), 0))
	}
	identical := []trial.Spec{}
	for _, a := range s.Identical {
		identical = append(identical, s.duet(Identical, a, a, trial.NewCell(), 0))
	}
	return []Experiment{
		{Name: RepeatFirst, Question: "Do two runs say the same?", Blocks: s.RepeatStarts, Trials: fixed(named(RepeatFirst, repeat))},
		{Name: Identical, Question: "Do identical systems come out alike?", Blocks: s.IdenticalStarts, Trials: fixed(identical)},
		{Name: Sensitivity, Question: "Is a known difference found?", Blocks: s.ExtraStarts,
			Calibrate: []trial.Spec{s.loaded(Sensitivity, 0, 0, 0)},
			Trials: func(done []trial.Trial) ([]trial.Spec, error) {
				return s.harder(done, Sensitivity, []int{0}, s.Extras)
			}},
		{Name: Burner, Question: "And while another process takes CPU away?", Blocks: s.BurnerStarts,
			Calibrate: s.undisturbed(),
			Trials: func(done []trial.Trial) ([]trial.Spec, error) {
				return s.harder(done, Burner, s.Burners, []int{0, s.BurnerExtra})
			}},
		{Name: RepeatAgain, Question: "Do two runs say the same?", Blocks: s.RepeatStarts, Trials: fixed(named(RepeatAgain, repeat))},
	}
}

// undisturbed are identical controls under each burner.
func (s SelfTest) undisturbed() (specs []trial.Spec) {
	for _, b := range s.Burners {
		specs = append(specs, s.loaded(Burner, b, 0, 0))
	}
	return specs
}

// harder are controls side by side under each burner, of which the first burns
// each of the extras besides: percent of what a control used per request in the
// calibration trial under the same burner.
func (s SelfTest) harder(done []trial.Trial, experiment string, burners, extras []int) (specs []trial.Spec, err error) {
	levels := map[string]float64{} // microseconds of CPU per request, by burner
	for _, t := range done {
		level := (demand(t, 0, SelfTestStep) + demand(t, 1, SelfTestStep)) / 2 * 1e6
		if at := t.Spec.Cells[0].Cell.Get(BurnerFactor); level > 0 && (levels[at] == 0 || level < levels[at]) { // of several attempts the least
			levels[at] = level
		}
	}
	for _, b := range burners {
		level := levels[percent(b)]
		if level <= 0 {
			return nil, errors.New(experiment + ": no calibration served a request: see its trial's warnings")
		}
		for _, e := range extras {
			work := time.Duration(level * float64(e) / 100 * float64(time.Microsecond)).Round(100 * time.Nanosecond)
			specs = append(specs, s.loaded(experiment, b, e, work))
		}
	}
	return specs, nil
}

// loaded is the control beside itself under a burner, the first with extra work.
func (s SelfTest) loaded(experiment string, burner, extra int, work time.Duration) trial.Spec {
	return s.duet(experiment, trial.Control, trial.Control, trial.NewCell(ExtraFactor, percent(extra), BurnerFactor, percent(burner)), work)
}

// duet is an arm with extra work beside another arm without.
func (s SelfTest) duet(experiment string, a, beside trial.Arm, factors trial.Cell, work time.Duration) trial.Spec {
	p := Profile{Users: s.Users, Connections: 64, Sources: 16}
	steps := []trial.Step{
		{Name: "warm-up", Warmup: true, Seconds: 1, Streams: p.open(s.Rate)},
		{Name: SelfTestStep, Seconds: s.StepSeconds, Streams: p.open(s.Rate)},
	}
	first, second := costCell(p, a, steps...), costCell(p, beside, steps...)
	first.Cell, second.Cell = append(first.Cell, factors...), append(second.Cell, factors...)
	if work > 0 {
		first.System.Server = maps.Clone(first.System.Server)
		first.System.Server[trial.SettingExtraWork] = work.String()
		second.Cell = second.Cell.With(ExtraFactor, percent(0))
	}
	second.Label = besideLabel
	return trial.Spec{Experiment: experiment, Cells: []trial.CellSpec{first, second}}
}

// named gives specs to an experiment.
func named(experiment string, specs []trial.Spec) (out []trial.Spec) {
	for _, s := range specs {
		s.Experiment = experiment
		out = append(out, s)
	}
	return out
}

func percent(n int) string { return fmt.Sprintf("%d%%", n) }
