package trial

// Answer is what a rule says of a claim.
type Answer string

const (
	Supported    Answer = "supported"
	Refuted      Answer = "refuted"
	Depends      Answer = "depends"
	Inconclusive Answer = "inconclusive"
)

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	N        int     `json:"n"` // trials (or chances, for a count) behind it
}

// Verdict is a claim's answer with all that led to it, as figures and names:
// package report alone makes words of them.
type Verdict struct {
	Rule     Rule      `json:"rule"`
	RuleHash string    `json:"ruleHash"`
	Answer   Answer    `json:"answer"`
	Blocks   int       `json:"blocks"` // with a good trial of the experiment
	Findings []Finding `json:"findings"`

	// Positions of findings: those for and against the claim with the clearest
	// first, the unclear ones with the least clear first.
	For     []int `json:"for,omitempty"`
	Against []int `json:"against,omitempty"`
	Unclear []int `json:"unclear,omitempty"`

	DependsOn *Separation `json:"dependsOn,omitempty"` // of a mixed answer

	Measured int       `json:"measured"`          // measurements that the rule looked at, repeats among them
	LeftOut  []LeftOut `json:"leftOut,omitempty"` // of these, by cause: a doubt spoils what the rule's metric rests on
	WithAll  Answer    `json:"withAll,omitempty"` // the answer with first attempts only, doubts ignored; empty where nothing was left out

	Floors   []NoiseFloor `json:"noiseFloors,omitempty"` // those that are wider than the rule's margin
	Aborted  int          `json:"aborted,omitempty"`     // trials of the experiment that did not come to their end
	Remarked int          `json:"remarked,omitempty"`    // trials behind the figures that carry warnings or doubts
	LetIn    int          `json:"letIn,omitempty"`       // users still let in when their script stopped watching: their lag is a lower bound
}

// Finding is how one comparison came out.
type Finding struct {
	Comparison Comparison `json:"comparison"`
	Interval   Interval   `json:"interval"` // of the effect
	A          Interval   `json:"a"`        // the metric itself on side A
	B          Interval   `json:"b"`        // and on side B
	Margin     float64    `json:"margin"`   // that an effect must pass: the rule's, or the noise floor where that is larger
	P          float64    `json:"p"`        // Holm-adjusted within the rule
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
	BelowFloor Cause = "below floor" // beyond the rule's margin, but below the noise floor
	ByChance   Cause = "by chance"   // clear by itself, but one of so many comparisons may be by chance
)

// Reason is why an outcome is unclear.
type Reason struct {
	Cause   Cause     `json:"cause"`
	Blocks  int       `json:"blocks,omitempty"`  // of few: those with figures,
	Needed  int       `json:"needed,omitempty"`  // how many there should be,
	Missing []Missing `json:"missing,omitempty"` // and what the others lack
	Alone   Direction `json:"alone,omitempty"`   // by chance: the outcome by itself
}

// Missing is an error for which blocks gave no figure.
type Missing struct {
	Error  string `json:"error"`
	Blocks []int  `json:"blocks"`
}

// Separation says which factors part the findings for a claim from those
// against it: one, or else two. Without factors no two of them part these.
type Separation struct {
	Factors []string   `json:"factors,omitempty"`
	Yes     [][]string `json:"yes,omitempty"`  // their levels where the claim holds, each once
	No      [][]string `json:"no,omitempty"`   // and where it does not
	Also    []string   `json:"also,omitempty"` // other factors that part them as well, each alone
}

// LeftOut counts the measurements that did not count for one cause.
type LeftOut struct {
	Cause string `json:"cause"`
	N     int    `json:"n"`
}

// NoiseFloor is what two identical cells differ by in a step, in the terms of a
// rule's margin.
type NoiseFloor struct {
	Step  string  `json:"step,omitempty"`
	Floor float64 `json:"floor"`
}
