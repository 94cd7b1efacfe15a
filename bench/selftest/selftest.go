// Package selftest holds the instrument against itself: do identical systems
// come out alike, is a known difference found, also while another process takes
// CPU away, and do two runs say the same? In come the trials of a self-test
// (package experiment says which); out comes a table of checks with bounds that
// stand here, fixed before any run. It also has the burner that takes the CPU
// away.
//
// The sample is the start: two systems come up afresh, are loaded at the same
// moment, and give one logarithm of their ratio of CPU per request. What is
// tested is the interval that verdicts rest on: Student's t over a few starts.
package selftest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/analysis"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// Parts of a self-test, in the order of the table.
const (
	Identical   = experiment.Identical
	Sensitivity = experiment.Sensitivity
	Burner      = experiment.Burner
	Repeat      = "repeat"
	Driver      = "driver"
)

// Parts lists all.
func Parts() []string { return []string{Identical, Sensitivity, Burner, Repeat, Driver} }

// Of says which part an experiment belongs to.
func Of(experiment string) string {
	part, _, _ := strings.Cut(experiment, "-")
	return part
}

// Bounds of the checks.
const (
	biasBound   = 0.01 // share of the CPU per request, which the whole interval of the bias must keep within
	mustFind    = 10   // percent of extra work
	powerBound  = 0.9  // of the groups must find that
	repeatBound = 0.05 // by which two runs may differ
)

// widthBounds are what half of the 95 % interval of auth CPU may be, in µs, by the
// percent that a burner takes. No bound is set for other burners.
func widthBounds() map[int]float64 { return map[int]float64{0: 3, 30: 6} }

// Outcome of a check.
type Outcome string

const (
	Pass        Outcome = "pass"
	Fail        Outcome = "fail"
	Undecided   Outcome = "undecided" // too few starts count, or others disturbed them
	Shown       Outcome = "shown"     // no bound is set
	NotMeasured Outcome = "not measured"
)

// Check is one line of the table.
type Check struct {
	Part    string    `json:"part"`
	Systems string    `json:"systems,omitempty"` // what stood side by side
	What    string    `json:"what"`
	Value   *Measured `json:"measured,omitempty"` // nil where too little was measured
	Bound   string    `json:"bound,omitempty"`
	Outcome Outcome   `json:"outcome"`
	Note    string    `json:"note,omitempty"`
}

// Measured is a figure with its 95 % interval, if it has one: Low and High are nil otherwise.
type Measured struct {
	Value float64  `json:"value"` // in Unit
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Unit  string   `json:"unit,omitempty"` // %, µs, ms, or none
}

// Result is a self-test's.
type Result struct {
	Quick  bool    `json:"quick"`
	Passed bool    `json:"passed"` // every check that has a bound and could be made here, and there was one
	Folder string  `json:"folder"`
	Starts int     `json:"starts"` // that were made
	Count  int     `json:"count"`  // of them, which no doubt leaves out
	Checks []Check `json:"checks"`
}

// Add adds checks and judges the whole anew.
func (r *Result) Add(checks ...Check) {
	r.Checks = append(r.Checks, checks...)
	made := func(c Check) bool { return c.Outcome == Pass }
	failed := func(c Check) bool { return c.Outcome == Fail || c.Outcome == Undecided }
	r.Passed = slices.ContainsFunc(r.Checks, made) && !slices.ContainsFunc(r.Checks, failed)
}

// Missing is the one line of a part that cannot be measured here.
func Missing(part, why string) Check { return Check{Part: part, What: why, Outcome: NotMeasured} }

// Held is a value that must not be above a bound. Where others disturbed it, one
// that is above tells nothing.
func Held(part, systems, what string, value, most float64, unit string, disturbed bool) Check {
	c := Check{Part: part, Systems: systems, What: what, Bound: strings.TrimSpace(fmt.Sprintf("at most %.4g %s", most, unit)),
		Outcome: passes(value <= most)}
	if !math.IsNaN(value) && !math.IsInf(value, 0) { // something was counted
		c.Value = &Measured{Value: value, Unit: unit}
	}
	if c.Outcome == Fail && disturbed {
		c.Outcome, c.Note = Undecided, "others used this machine meanwhile"
	}
	return c
}

// Take adds what the trials of some parts say of the bounds.
func (r *Result) Take(s experiment.SelfTest, parts []string, trials []trial.Trial) {
	for _, e := range s.Experiments() {
		for _, x := range read(trials, e.Name) {
			r.Starts, r.Count = r.Starts+x.made, r.Count+len(x.logs)
		}
	}
	r.Add(judge(s, parts, trials)...)
}

// judge holds the trials of some parts against the bounds.
func judge(s experiment.SelfTest, parts []string, trials []trial.Trial) (checks []Check) {
	for _, p := range []struct {
		name  string
		judge func(experiment.SelfTest, []trial.Trial) []Check
	}{{Identical, identical}, {Sensitivity, sensitivity}, {Burner, burner}, {Repeat, repeat}} {
		if slices.Contains(parts, p.name) {
			checks = append(checks, p.judge(s, trials)...)
		}
	}
	return checks
}

func identical(s experiment.SelfTest, trials []trial.Trial) (checks []Check) {
	byCell := read(trials, experiment.Identical)
	var sizes []Share
	for _, a := range s.Identical {
		x := byCell[trial.NewCell("arm", a).String()]
		checks = append(checks, bias(a, x), spread(a, x))
		sizes = append(sizes, leavingOut(x.logs))
	}
	checks = append(checks, size(Identical, "all of these", together(sizes...)))
	if x := byCell[trial.NewCell("arm", trial.Control).String()]; x.made > 0 {
		checks = append(checks, narrow(Identical, beside(0, 0), 0, x))
	}
	return checks
}

func sensitivity(s experiment.SelfTest, trials []trial.Trial) (checks []Check) {
	byCell := read(trials, experiment.Sensitivity)
	for _, e := range s.Extras {
		checks = append(checks, power(Sensitivity, beside(0, e), byCell[loaded(0, e)], e == mustFind))
	}
	return checks
}

func burner(s experiment.SelfTest, trials []trial.Trial) (checks []Check) {
	byCell := read(trials, experiment.Burner)
	for _, b := range s.Burners {
		same, harder := byCell[loaded(b, 0)], byCell[loaded(b, s.BurnerExtra)]
		c := size(Burner, beside(b, 0), leavingOut(same.logs))
		c.Note = join(took(same), same.short())
		checks = append(checks, c, power(Burner, beside(b, s.BurnerExtra), harder, false), narrow(Burner, beside(b, 0), b, same))
	}
	return checks
}

func repeat(s experiment.SelfTest, trials []trial.Trial) (checks []Check) {
	first, again := read(trials, experiment.RepeatFirst), read(trials, experiment.RepeatAgain)
	for _, a := range s.Repeat {
		cell := trial.NewCell("arm", a).String()
		x, y := first[cell], again[cell]
		c := Check{Part: Repeat, Systems: fmt.Sprintf("%s beside %s", a, trial.Control),
			What:  "the ratio at the end against that at the beginning",
			Bound: fmt.Sprintf("within ±%.0f %%", 100*repeatBound), Outcome: Undecided, Note: join(at("beginning", x), at("end", y))}
		if len(x.logs) > 0 && len(y.logs) > 0 {
			before, after := stat.Mean(x.logs, nil), stat.Mean(y.logs, nil)
			c.Value, c.Outcome = &Measured{Value: share(after - before), Unit: "%"}, passes(math.Abs(after-before) <= math.Log1p(repeatBound))
			c.Note = join(fmt.Sprintf("%.3f, then %.3f", math.Exp(before), math.Exp(after)), c.Note)
		}
		checks = append(checks, c)
	}
	return checks
}

// at says how few starts of one of two times count.
func at(when string, x starts) string {
	if said := x.short(); said != "" {
		return when + ": " + said
	}
	return ""
}

// loaded is the cell of controls side by side, as package experiment names it.
func loaded(burner, extra int) string {
	return trial.NewCell("arm", trial.Control, experiment.ExtraFactor, fmt.Sprintf("%d%%", extra),
		experiment.BurnerFactor, fmt.Sprintf("%d%%", burner)).String()
}

// beside is the same in words.
func beside(burner, extra int) string {
	said := string(trial.Control)
	if extra > 0 {
		said += fmt.Sprintf(" + %d %%", extra)
	}
	said += fmt.Sprintf(" beside %s", trial.Control)
	if burner > 0 {
		said += fmt.Sprintf(", burner of %d %%", burner)
	}
	return said
}

// bias is what identical systems differ by: a check of the instrument, whose
// whole interval must keep within the bound.
func bias(a trial.Arm, x starts) Check {
	c := Check{Part: Identical, Systems: fmt.Sprintf("%s beside %s", a, a),
		What:  fmt.Sprintf("what they differ by, over %d starts", len(x.logs)),
		Bound: fmt.Sprintf("all within ±%.0f %%", 100*biasBound), Outcome: Undecided, Note: x.short()}
	if len(x.logs) > 1 {
		in := interval(x.logs)
		c.Value, c.Outcome = &in, passes(*in.Low > -100*biasBound && *in.High < 100*biasBound)
	}
	return c
}

func spread(a trial.Arm, x starts) Check {
	c := Check{Part: Identical, Systems: fmt.Sprintf("%s beside %s", a, a),
		What: "spread of single starts (sd of the log ratio)", Outcome: Shown}
	if len(x.logs) > 1 {
		c.Value = &Measured{Value: 100 * stat.StdDev(x.logs, nil), Unit: "%"}
	}
	return c
}

// leavingOut is how often the interval of a group leaves out 0.
func leavingOut(logs []float64) Share {
	below, above := outside(logs)
	return Share{below.Value + above.Value, above.Groups}
}

func size(part, systems string, s Share) Check {
	c := Check{Part: part, Systems: systems, What: fmt.Sprintf("groups of %d starts that find a difference", Group), Outcome: Shown}
	if s.Groups == 0 {
		c.Outcome = Undecided
		return c
	}
	c.Value = &Measured{Value: 100 * s.Value, Unit: "%"}
	if most := sizeBound(s.Groups); most < 1 { // of one group any share is possible
		c.Bound, c.Outcome = fmt.Sprintf("at most %.0f %%", 100*most), passes(s.Value <= most)
	}
	return c
}

// power is how often a group finds extra work.
func power(part, systems string, x starts, must bool) Check {
	c := Check{Part: part, Systems: systems, What: fmt.Sprintf("groups of %d starts that find it", Group), Outcome: Shown, Note: x.short()}
	if must {
		c.Bound, c.Outcome = fmt.Sprintf("at least %.0f %%", 100*powerBound), Undecided
	}
	if len(x.logs) < Group {
		return c
	}
	_, above := outside(x.logs)
	c.Value = &Measured{Value: 100 * above.Value, Unit: "%"}
	if must {
		c.Outcome = passes(above.Value >= powerBound)
	}
	c.Note = join(fmt.Sprintf("measured as %s", interval(x.logs)), c.Note)
	return c
}

// narrow is half the width of the interval of auth CPU that a standard run would get:
// the spread of starts as a share, times the control's CPU when it was quietest.
func narrow(part, systems string, burner int, x starts) Check {
	n := standardStarts()
	c := Check{Part: part, Systems: systems, What: fmt.Sprintf("half-width of the interval of auth CPU, %d starts", n), Outcome: Shown}
	bound, bounded := widthBounds()[burner]
	if bounded {
		c.Bound, c.Outcome = fmt.Sprintf("at most %.0f µs", bound), Undecided
	}
	if len(x.logs) < 2 {
		return c
	}
	level := analysis.QuietLevel(x.levels)
	c.Value = &Measured{Value: analysis.HalfWidth(stat.StdDev(x.logs, nil), n) * level, Unit: "µs"}
	c.Note = fmt.Sprintf("%s takes %.0f µs a request", trial.Control, level)
	if bounded {
		c.Outcome = passes(c.Value.Value <= bound)
	}
	return c
}

// standardStarts is how many starts of an arm a standard run makes.
func standardStarts() int {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		panic(err) // it is one of ours
	}
	return p.CostBlocks
}

// took says what the burner took.
func took(x starts) string {
	if len(x.burned) == 0 {
		return ""
	}
	return fmt.Sprintf("it took %.0f %%", 100*stat.Mean(x.burned, nil))
}

// interval is the mean of log ratios with its 95 % interval, as shares.
func interval(logs []float64) Measured {
	in := analysis.Estimate(logs)
	low, high := share(in.Low), share(in.High)
	return Measured{Value: share(in.Estimate), Low: &low, High: &high, Unit: "%"}
}

// share is a log ratio in percent: 0.1 is 10.5 % more.
func share(log float64) float64 { return 100 * math.Expm1(log) }

func passes(ok bool) Outcome {
	if ok {
		return Pass
	}
	return Fail
}

// join puts remarks side by side.
func join(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
}
