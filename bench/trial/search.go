package trial

import (
	"fmt"
	"math"
)

// Search looks for a capacity: the highest open rate at which an SLO holds. It
// knows nothing of the system beforehand. Zero values of all but Steps and SLO
// stand for what [Search.Filled] puts there.
type Search struct {
	Steps      int     `json:"steps"` // tries at most, each as long as the step
	SLO        SLO     `json:"slo"`
	From       float64 `json:"fromPerSecond,omitempty"`       // the first rate to try
	Resolution float64 `json:"resolution,omitempty"`          // share by which what holds and what fails may lie apart
	Repeats    int     `json:"repeats,omitempty"`             // of both ends: they must hold and fail as at first
	Seconds    float64 `json:"searchSecondsAtMost,omitempty"` // no try begins later; 0 sets no limit
}

// SLO is what a capacity must hold besides no errors and none dropped.
type SLO struct {
	P99Milliseconds float64 `json:"p99Milliseconds"`
}

// String says it in words.
func (s SLO) String() string {
	return fmt.Sprintf("p99 within %g ms, no error, none dropped", s.P99Milliseconds)
}

// leastResolution is what rates of three digits can be told apart by.
const leastResolution = 0.01

// Filled is the search with its zero values filled in.
func (s Search) Filled() Search {
	if s.From == 0 {
		s.From = 100
	}
	if s.Resolution == 0 {
		s.Resolution = 0.05
	}
	if s.Repeats == 0 {
		s.Repeats = 3
	}
	return s
}

// Check says what about a search makes no sense.
func (s Search) Check() error {
	f := s.Filled()
	switch {
	case f.Steps < 1 || f.Steps > 1000:
		return fmt.Errorf("a search of %d tries: want 1 to 1000", f.Steps)
	case !(f.SLO.P99Milliseconds > 0):
		return fmt.Errorf("a bound on p99 of %g ms: want more than 0", f.SLO.P99Milliseconds)
	case !(f.From > 0) || f.From > maxRate:
		return fmt.Errorf("a search from %g requests per second: want more than 0 and at most a million", f.From)
	case !(f.Resolution >= leastResolution) || f.Resolution > 1:
		return fmt.Errorf("a resolution of %g %%: want 1 to 100 %%", 100*f.Resolution)
	case f.Repeats < 1 || f.Repeats > 20:
		return fmt.Errorf("%d repeats: want 1 to 20", f.Repeats)
	case !(f.Seconds >= 0):
		return fmt.Errorf("a search of %g s: want more than 0, or 0 for no limit", f.Seconds)
	}
	return nil
}

// TrySeconds is how long a try has to be. Over its capacity C a queue grows by
// (rate/C - 1) seconds a second, so that a try of T seconds shows what is over C
// by SLO/T: here by half the resolution.
func (s Search) TrySeconds() float64 {
	return 2 * s.SLO.P99Milliseconds / 1000 / s.Filled().Resolution
}

// UsualTries is how many tries a search takes where nothing is unsteady and the
// capacity lies up to some hundred times above the start.
func (s Search) UsualTries() int {
	s = s.Filled()
	halvings := math.Log2(math.Log(2) / math.Log1p(s.Resolution))
	return min(s.Steps, 8+int(math.Ceil(halvings))+2*s.Repeats)
}

// Outcome is what came of trying a rate.
type Outcome string

const (
	Held    Outcome = "held"    // the SLO
	Broke   Outcome = "broke"   // the SLO, and that is the system's doing
	Limited Outcome = "limited" // broke, but the generator was at its own ceiling
	Spoiled Outcome = "spoiled" // broke, but the machine may be why. Holding in spite of it is holding
)

// Try is one step of a search.
type Try struct {
	Rate            float64 `json:"ratePerSecond"`
	Outcome         Outcome `json:"outcome"`
	P99Milliseconds float64 `json:"p99Milliseconds"` // of successes
	Why             string  `json:"why,omitempty"`   // it did not hold
	Seconds         float64 `json:"seconds"`         // wall time
}

// End is how a search ended.
type End string

const (
	Found     End = "found"
	AtLeast   End = "at least"  // the generator's ceiling came before the system's
	NoRate    End = "no rate"   // holds
	Undecided End = "undecided" // the search ran out, or the machine spoiled too much
)

// Capacity is what a search found. The capacity lies in the interval from Holds
// to Fails.
type Capacity struct {
	End   End     `json:"end"`
	Holds float64 `json:"holdsPerSecond"`           // the highest rate of which every try held; 0: none did
	Fails float64 `json:"failsPerSecond,omitempty"` // the lowest rate above it of which every try failed; 0: none was seen to
	Why   string  `json:"why"`                      // it ended so
	Tries []Try   `json:"tries"`                    // in their order
}

// Lowest is the lowest rate that was tried.
func (c Capacity) Lowest() float64 {
	lowest := 0.0
	for _, t := range c.Tries {
		if lowest == 0 || t.Rate < lowest {
			lowest = t.Rate
		}
	}
	return lowest
}

// String says the interval in words.
func (c Capacity) String() string {
	switch {
	case c.End == AtLeast:
		return fmt.Sprintf("at least %g requests/s", c.Holds)
	case c.End == NoRate:
		return "no rate holds"
	case c.Holds > 0 && c.Fails > 0:
		return fmt.Sprintf("%g to %g requests/s", c.Holds, c.Fails)
	case c.Holds > 0:
		return fmt.Sprintf("%g requests/s or more", c.Holds)
	case c.Fails > 0:
		return fmt.Sprintf("less than %g requests/s", c.Fails)
	}
	return "not known"
}
