package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Selector picks one figure out of a block: which cell of the experiment, which
// step of its trial and which stream of the step. Factors that Cell leaves out
// match anything, but within a block a selector must name one cell whole, or match
// exactly one.
type Selector struct {
	Cell   Cell   `json:"cell"`
	Label  string `json:"label,omitempty"`
	Step   string `json:"step,omitempty"`
	Stream string `json:"stream,omitempty"` // empty: the step's first
}

// Matches says whether a cell is the one meant.
func (s Selector) Matches(c CellSpec) bool { return c.Cell.Holds(s.Cell) && s.Label == c.Label }

// Of a cell's arm, with nothing else said: for experiments that vary no more.
func Of(a Arm, step string) Selector { return Selector{Cell: NewCell("arm", a), Step: step} }

// Contrast is how a comparison's figures are set against each other.
type Contrast string

const (
	Difference Contrast = "difference" // A - B, paired by block; margin in the metric's unit
	Ratio      Contrast = "ratio"      // A / B, paired by block on the log scale; margin 0.05 is 5 %
	Against    Contrast = "against"    // A - Reference; margin in the metric's unit
	// A is a number of events in n chances, pooled over blocks, against the share Reference; margin is a share; 0 of n bounds it by 3/n
	Count Contrast = "count"
)

// Direction is how A stands to B (or to the reference) beyond the margin.
type Direction string

const (
	More    Direction = "more"
	Less    Direction = "less"
	Same    Direction = "same"     // the whole interval lies within the margin
	NotMore Direction = "not more" // less or the same, which of the two is open: of a claim that says more
	NotLess Direction = "not less" // likewise
	Unclear Direction = "unclear"  // none of these: a Reason says why
)

// Comparison is one question that comes out as a Direction.
type Comparison struct {
	Name      string   `json:"name"` // e.g. "jwt/HS256 vs session/redis at 60 %"
	A         Selector `json:"a"`
	B         Selector `json:"b"`                   // unused by Against and Count
	Reference float64  `json:"reference,omitempty"` // for Against and Count
	Factors   []string `json:"factors,omitempty"`   // what a mixed result may depend on, e.g. "algorithm=HS256", "store=redis"
	Group     string   `json:"group,omitempty"`     // the rule's group that it belongs to; empty where the rule has none
}

// Group is a part of a claim that is answered by itself: "supported for sessions
// in a replica's memory, refuted for shared stores".
type Group struct {
	Name     string    `json:"name"`               // ends the words "supported for ..."
	Supports Direction `json:"supports,omitempty"` // the rule's where empty
	Margin   float64   `json:"margin,omitempty"`   // the rule's where 0
}

// Rule turns figures into a verdict. It is written into the run, with its hash,
// before the first trial. What comes out is an [Answer].
type Rule struct {
	Claim      string       `json:"claim"` // "C01"
	Statement  string       `json:"statement"`
	Experiment string       `json:"experiment"`
	Metric     string       `json:"metric"` // a name that package analysis knows
	Contrast   Contrast     `json:"contrast"`
	Supports   Direction    `json:"supports"`
	Margin     float64      `json:"margin"` // below it a difference does not matter
	MinBlocks  int          `json:"minBlocks"`
	Compare    []Comparison `json:"compare"`
	Groups     []Group      `json:"groups,omitempty"`
	// Checked: true by construction. That it holds is no finding; the run makes sure that the servers do as they are built.
	Checked bool `json:"checked,omitempty"`
}

// Of is the rule as it applies to one of its comparisons: what supports, and by
// which margin, may be its group's own.
func (r Rule) Of(c Comparison) Rule {
	for _, g := range r.Groups {
		if g.Name != c.Group {
			continue
		}
		if g.Supports != "" {
			r.Supports = g.Supports
		}
		if g.Margin > 0 {
			r.Margin = g.Margin
		}
	}
	return r
}

// Hash identifies the rule, so that a reader sees that it was not changed after the run.
func (r Rule) Hash() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("trial: a rule that cannot be written as JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
