package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Spec says all there is to say about a trial before it runs. Its cells stand
// side by side, each with replicas, balancer and accounting of its own, and are
// loaded at the same moment by one generator; most trials have one.
type Spec struct {
	Experiment string     `json:"experiment"`
	Cells      []CellSpec `json:"cells"`
}

// CellSpec is one system and what happens to it. Labels and launch arguments
// both derive from this one value.
type CellSpec struct {
	Cell   Cell   `json:"cell"`
	Label  string `json:"label,omitempty"` // tells the halves of an A/A comparison apart; not part of the identity
	System System `json:"system"`
	Steps  []Step `json:"steps"` // those of one position in all cells run at once
}

// System is what a runtime starts.
type System struct {
	Arm      Arm      `json:"arm"`
	Replicas int      `json:"replicas"`
	Balancer Balancer `json:"balancer"`

	// Server holds the server's settings, besides those that make the arm: they
	// start every replica as flags, and its /config must repeat them.
	Server map[string]string `json:"server,omitempty"`

	Users    int `json:"users"`              // accounts, and credentials that the load draws from
	Resident int `json:"resident,omitempty"` // sessions in a shared store, Users included; 0 means Users

	// Proxied puts a proxy between the replicas and the store, which faults can slow and cut. It costs every call some
	// tens of microseconds, so it stands in all arms of an experiment or in none.
	Proxied bool `json:"proxied,omitempty"`

	// Budgets in CPUs: of each replica, the balancer, the store. Absent or 0 is unlimited.
	Budgets map[Tier]float64 `json:"budgets,omitempty"`
}

// Settings of a server that others need to know as values.
const (
	SettingLifetime     = "lifetime"      // of a credential, a duration
	SettingPool         = "pool"          // store connections of one replica
	SettingStoreTimeout = "store-timeout" // of one store call, a duration; under a budget well above the longest freeze
	SettingArgon2       = "argon2"        // password hash parameters
	SettingAccounts     = "accounts"      // memory, each replica's own and the same at its start; or postgres, shared by all
	SettingExtraWork    = "extra-work"    // CPU time that every request burns besides, a duration: a known difference
)

// Lifetime is that of a credential; 0 is the server's own.
func (s System) Lifetime() time.Duration {
	d, _ := time.ParseDuration(s.Server[SettingLifetime])
	return d
}

// Pool is the store connections of one replica; 0 is the server's own.
func (s System) Pool() int {
	n, _ := strconv.Atoi(s.Server[SettingPool])
	return n
}

// Step is a stretch in which everything that loads and breaks runs at once.
type Step struct {
	Name    string   `json:"name"`
	Seconds float64  `json:"seconds"`
	Warmup  bool     `json:"warmup,omitempty"` // ends by criterion; Seconds is its upper bound; feeds no figure
	Streams []Stream `json:"streams,omitempty"`
	Script  *Script  `json:"script,omitempty"` // a k6 journey beside the streams
	Search  *Search  `json:"search,omitempty"` // of the highest rate of its one stream that holds an SLO
	Faults  []Fault  `json:"faults,omitempty"`
	Expect  Expect   `json:"expect,omitzero"`
}

// Script is a k6 script as part of a step.
type Script struct {
	File    string            `json:"file"`              // relative to loadtests/
	Sources int               `json:"sources,omitempty"` // distinct /24 networks of 127/8 that requests come from
	Env     map[string]string `json:"env,omitempty"`     // its -e settings
}

// Mode says how a stream starts requests.
type Mode string

const (
	Open   Mode = "open"   // at Rate, whatever the answers do
	Closed Mode = "closed" // Concurrency requests in flight, each answer starts the next: for capacity only
)

// Arrivals say how an open stream spaces its starts.
type Arrivals string

const (
	Even    Arrivals = "even"
	Poisson Arrivals = "poisson"
)

// String describes the cell in a few words.
func (c CellSpec) String() string {
	words := c.Cell.Words()
	if c.Label != "" {
		words += ", " + c.Label
	}
	return words
}

// Scripted says whether a k6 script logs in by itself, so that no credential is
// made beforehand.
func (c CellSpec) Scripted() bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Script != nil }) &&
		!slices.ContainsFunc(c.Steps, func(s Step) bool { return len(s.Streams) > 0 })
}

// Single is the spec of one cell.
func Single(experiment string, c CellSpec) Spec {
	return Spec{Experiment: experiment, Cells: []CellSpec{c}}
}

// Label joins those of the cells.
func (s Spec) Label() string {
	var labels []string
	for _, c := range s.Cells {
		if c.Label != "" {
			labels = append(labels, c.Label)
		}
	}
	return strings.Join(labels, "+")
}

// Hash is the identity of what is measured: SHA-256 over the canonical JSON
// without the labels, as 12 hexadecimal digits.
func (s Spec) Hash() string {
	s.Cells = slices.Clone(s.Cells)
	for i := range s.Cells {
		s.Cells[i].Label = ""
	}
	b, err := json.Marshal(s) // struct order is fixed, maps are sorted: canonical
	if err != nil {
		panic(fmt.Sprintf("trial: a spec that cannot be written as JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// Key names a trial and its file: identity, label, block and attempt.
func (s Spec) Key(block, attempt int) string {
	label := s.Label()
	if label == "" {
		label = "a"
	}
	return fmt.Sprintf("%s-%s-%s-b%02d-t%d", s.Experiment, s.Hash(), label, block, attempt)
}

// Words describes the cells: of those beside the first, what they do not share with it.
func (s Spec) Words() string {
	var words []string
	for i, c := range s.Cells {
		if i == 0 {
			words = append(words, c.String())
			continue
		}
		var own Cell
		for _, f := range c.Cell {
			if f.Name == "arm" || s.Cells[0].Cell.Get(f.Name) != f.Level {
				own = append(own, f)
			}
		}
		words = append(words, own.Words())
	}
	return strings.Join(words, " beside ")
}

// String is Words with the experiment, for progress lines and errors.
func (s Spec) String() string { return s.Experiment + ": " + s.Words() }

// Needs are what a spec asks of the machine and the runtime beyond processes.
type Needs struct {
	Budgets bool    // CPU budgets
	Faults  []Fault // one of each kind
}

// Needs says what the spec needs.
func (s Spec) Needs() (n Needs) {
	for _, c := range s.Cells {
		for _, cpus := range c.System.Budgets {
			n.Budgets = n.Budgets || cpus > 0
		}
		for _, step := range c.Steps {
			for _, f := range step.Faults {
				if !slices.ContainsFunc(n.Faults, func(o Fault) bool { return o.Kind == f.Kind }) {
					n.Faults = append(n.Faults, f)
				}
			}
		}
	}
	return n
}
