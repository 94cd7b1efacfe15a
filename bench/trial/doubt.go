package trial

import "slices"

// Aspect is what a figure rests on, and so which doubts can spoil it: stolen CPU
// time says nothing about the number of bytes.
type Aspect string

const (
	Counts    Aspect = "counts"     // events: store operations, bytes, outcomes, lost sessions
	CPUTotal  Aspect = "cpu"        // CPU per request of all tiers together
	CPUSplit  Aspect = "cpu split"  // CPU per request of one tier
	Median    Aspect = "median"     // the middle of the latencies
	Tail      Aspect = "tail"       // their high percentiles
	Rate      Aspect = "rate"       // throughput, capacity
	WallClock Aspect = "wall clock" // spans that a credential's lifetime is part of
)

// Aspects lists all of them.
func Aspects() []Aspect {
	return []Aspect{Counts, CPUTotal, CPUSplit, Median, Tail, Rate, WallClock}
}

// Causes of doubt that lie in the machine, not in what was measured.
const (
	StolenCPU          = "stolen CPU"                  // by the hypervisor, from the system's CPUs
	StolenGeneratorCPU = "stolen CPU of the generator" //
	ForeignCPU         = "CPU used by other processes" // on the system's CPUs
	LateGenerator      = "late generator"
	StoppedGenerator   = "generator that stood still" // in a closed loop, which no lag tells of
)

// Doubt is a reason to distrust some figures of a trial, and not others.
type Doubt struct {
	Step   string   `json:"step,omitempty"` // empty: the whole trial
	Cause  string   `json:"cause"`          // one of DoubtRules, or what else happened: equal causes are shown together
	Amount float64  `json:"amount,omitempty"`
	Bound  float64  `json:"bound,omitempty"` // the lowest that Amount went over; both in Unit, so that a later reader can apply another
	Unit   string   `json:"unit,omitempty"`
	Spoils []Aspect `json:"spoils,omitempty"` // none: a remark, which leaves nothing out
	Text   string   `json:"text"`
}

// DoubtRule is a bound beyond which a cause spoils an aspect. The rules are
// written into the run before its first trial.
type DoubtRule struct {
	Cause  string  `json:"cause"`
	Aspect Aspect  `json:"aspect"`
	Bound  float64 `json:"bound"`
	Beside float64 `json:"beside,omitempty"` // the bound in a duet, whose figures are set against each other; 0: the same
	Unit   string  `json:"unit"`
	Why    string  `json:"why"`
}

// In is the bound in a trial of so many cells.
func (r DoubtRule) In(cells int) float64 {
	if cells > 1 && r.Beside > 0 {
		return r.Beside
	}
	return r.Bound
}

// Doubt adds one to the trial.
func (t *Trial) Doubt(ds ...Doubt) { t.Doubts = append(t.Doubts, ds...) }

// Spoiled returns the doubt, if there is one, for which a figure of the step
// that rests on the aspect does not count. An empty step means the whole trial,
// which any of its steps spoils.
func (t *Trial) Spoiled(step string, a Aspect) (Doubt, bool) {
	for _, d := range t.Doubts {
		if slices.Contains(d.Spoils, a) && (d.Step == "" || step == "" || d.Step == step) {
			return d, true
		}
	}
	return Doubt{}, false
}

// Remarks are all that a reader should know of the trial, in words: its
// warnings, then its doubts.
func (t *Trial) Remarks() []string {
	all := slices.Clone(t.Warnings)
	for _, d := range t.Doubts {
		text := d.Text
		if d.Step != "" {
			text = d.Step + ": " + text
		}
		all = append(all, text)
	}
	return all
}
