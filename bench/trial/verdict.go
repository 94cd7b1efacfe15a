package trial

// Answer is what a rule says of a claim, or of a group of its comparisons.
type Answer string

const (
	// Every comparison says so, each at 5 %: that all of them do is an intersection-union test, which needs no correction.
	Supported Answer = "supported"
	Refuted   Answer = "refuted"

	// Some clearly hold and some clearly do not, under Holm's correction over all of them; a declared factor parts the two, no
	// unclear one shares its levels with either, and at most MostUnclear of all are unclear.
	Depends Answer = "depends"

	// The groups differ; or some comparisons hold and some do not, as above, and no factor says which.
	Partly Answer = "partly"

	NotDecided  Answer = "not decided"  // measured, and open: a Remedy says what would decide it
	NotMeasured Answer = "not measured" // no comparison has a figure that counts
)

// Answers lists all of them, the clearest first.
func Answers() []Answer {
	return []Answer{Supported, Refuted, Depends, Partly, NotDecided, NotMeasured}
}

// MostUnclear is the largest share of comparisons that may be unclear where an
// answer depends on a factor.
const MostUnclear = 0.2

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	N        int     `json:"n"` // trials behind it; of a count the chances, or the users where each counts once
}

// Judgement is an answer and the findings that it rests on.
type Judgement struct {
	Answer Answer `json:"answer"`

	// Positions of findings: those for and against the claim with the clearest
	// first, the unclear ones with the least clear first.
	For     []int `json:"for,omitempty"`
	Against []int `json:"against,omitempty"`
	Unclear []int `json:"unclear,omitempty"`

	DependsOn *Separation `json:"dependsOn,omitempty"` // of an answer that depends
	Remedy    *Remedy     `json:"remedy,omitempty"`    // of one that is not decided
}

// Part is the answer for one group of a rule.
type Part struct {
	Name string `json:"name"`
	Judgement
}

// Remedy is what would decide an answer, if the effects and their spread stay as
// they are.
type Remedy struct {
	Blocks  int     `json:"blocks"`            // more of them, about; 0: no number of blocks would
	Seconds float64 `json:"seconds,omitempty"` // that these take, as those measured did
}

// Verdict is a claim's answer with all that led to it, as figures and names:
// package report alone makes words of them.
type Verdict struct {
	Rule     Rule   `json:"rule"`
	RuleHash string `json:"ruleHash"`
	Judgement
	Parts    []Part    `json:"parts,omitempty"` // of a rule with groups, in their order
	Blocks   int       `json:"blocks"`          // with a good trial of the experiment
	Findings []Finding `json:"findings"`

	Measured int       `json:"measured"`          // measurements that the rule looked at, repeats among them
	LeftOut  []LeftOut `json:"leftOut,omitempty"` // of these, by cause: a doubt spoils what the rule's metric rests on
	WithAll  Answer    `json:"withAll,omitempty"` // the answer with first attempts only, doubts ignored; empty where nothing was left out

	Instrument []Check `json:"instrument,omitempty"` // what the A/A pairs say of it, by step
	Aborted    int     `json:"aborted,omitempty"`    // trials of the experiment that did not come to their end
	Remarked   int     `json:"remarked,omitempty"`   // trials behind the figures that carry warnings or doubts
	LetIn      int     `json:"letIn,omitempty"`      // users still let in when their script stopped watching: their lag is a lower bound
}

// Finding is how one comparison came out.
type Finding struct {
	Comparison Comparison `json:"comparison"`
	Interval   Interval   `json:"interval"` // of the effect
	A          Interval   `json:"a"`        // the metric itself on side A
	B          Interval   `json:"b"`        // and on side B
	Margin     float64    `json:"margin"`   // that an effect must pass
	P          float64    `json:"p"`        // of the outcome alone; Holm-adjusted where some comparisons hold and some do not
	Outcome    Direction  `json:"outcome"`
	Reason     *Reason    `json:"reason,omitempty"` // of an unclear outcome
	// of a count: how many times as much its share varies between trials as chance allows; 0 where chance explains it
	Dispersion float64 `json:"dispersion,omitempty"`
}

// Cause is what makes an outcome unclear.
type Cause string

const (
	FewBlocks  Cause = "few blocks"  // fewer blocks gave figures than the rule needs
	AcrossEdge Cause = "across edge" // the interval reaches over the margin's edge
	ByChance   Cause = "by chance"   // clear by itself, but one of so many comparisons may be by chance
	Censored   Cause = "censored"    // figures are lower bounds: the script stopped watching before the end
	Biased     Cause = "biased"      // the instrument shows a difference between identical cells
)

// Reason is why an outcome is unclear.
type Reason struct {
	Cause   Cause     `json:"cause"`
	Blocks  int       `json:"blocks,omitempty"`  // of few: those with figures,
	Needed  int       `json:"needed,omitempty"`  // how many there should be,
	Missing []Missing `json:"missing,omitempty"` // and what the others lack
	Alone   Direction `json:"alone,omitempty"`   // by chance: the outcome by itself
	More    int       `json:"more,omitempty"`    // blocks that would make it clear, about; 0: no number of them
}

// Missing is an error for which blocks gave no figure.
type Missing struct {
	Error  string `json:"error"`
	Blocks []int  `json:"blocks"`
}

// Separation says which factors part the findings for a claim from those
// against it: one, or else two.
type Separation struct {
	Factors []string   `json:"factors"`
	Yes     [][]string `json:"yes"`            // their levels where the claim holds, each once
	No      [][]string `json:"no"`             // and where it does not
	Also    []string   `json:"also,omitempty"` // other factors that part them as well, each alone
}

// LeftOut counts the measurements that did not count for one cause.
type LeftOut struct {
	Cause string `json:"cause"`
	N     int    `json:"n"`
}

// Check is what two identical cells differ by in a step, in the unit of a rule's
// margin, and whether the instrument passes: what it shows where there is nothing
// must lie within the rule's margin, with its whole interval.
type Check struct {
	Step     string   `json:"step,omitempty"`
	Interval Interval `json:"interval"` // of the difference; of a ratio, a share: 0.05 is 5 %
	Bound    float64  `json:"bound"`
	Unproven bool     `json:"unproven,omitempty"` // not all of the interval lies within the bound
	Biased   bool     `json:"biased,omitempty"`   // all of it lies beyond: nothing can be decided there
}
