package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Spec says all there is to say about a trial before it runs. Labels and launch
// arguments both derive from this one value.
type Spec struct {
	Experiment string   `json:"experiment"`
	Label      string   `json:"label,omitempty"` // tells the halves of an A/A comparison apart; not part of the identity
	Arm        Arm      `json:"arm"`
	Replicas   int      `json:"replicas"`
	Balancer   Balancer `json:"balancer"`
	Lifetime   Duration `json:"lifetime"` // of a credential

	Users    int    `json:"users"`              // credentials that the load draws from
	Resident int    `json:"resident,omitempty"` // sessions in a shared store, Users included; 0 means Users
	Argon2   string `json:"argon2,omitempty"`   // password hash parameters; empty is the server's default
	Pool     int    `json:"pool"`               // store connections of one replica

	// StoreTimeout is the replicas' deadline for one store call; 0 is the server's
	// default. Under a budget it must be well above the longest freeze.
	StoreTimeout Duration `json:"storeTimeout,omitempty"`

	// Proxied puts a proxy between the replicas and the store, which faults can slow and cut. It costs every call some
	// tens of microseconds, so it stands in all arms of an experiment or in none.
	Proxied bool `json:"proxied,omitempty"`

	// Budgets in CPUs: of each replica, the balancer, the store. Absent or 0 is unlimited.
	Budgets map[Tier]float64 `json:"budgets,omitempty"`

	Load Load `json:"load"`
}

// Load is what drives a trial: either the open-loop driver (Phases) or a k6 script.
type Load struct {
	Connections int     `json:"connections,omitempty"` // of the driver, to the balancer
	Sources     int     `json:"sources,omitempty"`     // distinct /24 networks of 127/8 that requests come from
	Zipf        float64 `json:"zipf,omitempty"`        // exponent (> 1) of the choice of users; 0 walks them evenly
	Phases      []Phase `json:"phases,omitempty"`

	Script string            `json:"script,omitempty"` // k6 script, relative to loadtests/
	Env    map[string]string `json:"env,omitempty"`    // its -e settings
}

// Mode says how a phase starts requests.
type Mode string

const (
	Open   Mode = "open"   // at Rate, whatever the answers do
	Closed Mode = "closed" // Concurrency requests in flight, each answer starts the next: for capacity only
	Search Mode = "search" // open steps below an earlier closed phase's throughput: the highest rate that holds the SLO
)

// Arrivals say how an open phase spaces its starts.
type Arrivals string

const (
	Even    Arrivals = "even"
	Poisson Arrivals = "poisson"
)

// Phase is one stretch of load within a trial.
type Phase struct {
	Name        string   `json:"name"`
	Mode        Mode     `json:"mode"`
	Warmup      bool     `json:"warmup,omitempty"` // ends by criterion; Seconds is its upper bound; feeds no figure
	Seconds     float64  `json:"seconds"`
	Rate        float64  `json:"ratePerSecond,omitempty"` // open
	Arrivals    Arrivals `json:"arrivals,omitempty"`      // open; empty is even
	Concurrency int      `json:"concurrency,omitempty"`   // closed
	Steps       int      `json:"steps,omitempty"`         // search: open steps of Seconds each
	SLO         *SLO     `json:"slo,omitempty"`           // search
}

// SLO is what a capacity must hold besides no errors and none dropped.
type SLO struct {
	P99Milliseconds float64 `json:"p99Milliseconds"`
}

// Hash is the identity of what is measured: SHA-256 over the canonical JSON
// without the label, as 12 hexadecimal digits.
func (s Spec) Hash() string {
	s.Label = ""
	b, err := json.Marshal(s) // struct order is fixed, maps are sorted: canonical
	if err != nil {
		panic(fmt.Sprintf("trial: a spec that cannot be written as JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// Key names a trial and its file: identity, label, block and attempt.
func (s Spec) Key(block, attempt int) string {
	label := s.Label
	if label == "" {
		label = "a"
	}
	return fmt.Sprintf("%s-%s-%s-b%02d-t%d", s.Experiment, s.Hash(), label, block, attempt)
}

// String describes the cell in a few words for progress lines and errors.
func (s Spec) String() string {
	str := fmt.Sprintf("%s: %s, N=%d, %s", s.Experiment, s.Arm, s.Replicas, s.Balancer)
	if s.Label != "" {
		str += ", " + s.Label
	}
	return str
}

// Duration is a time.Duration that reads and writes as text such as "90s".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

func (d Duration) String() string { return time.Duration(d).String() }
