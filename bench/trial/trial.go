// Package trial holds the words that every room of the instrument shares: what
// is asked (Arm, Cell, Step, Spec), what was measured (Trial, Measurement,
// Histogram), how figures become verdicts (Rule, Verdict), and the one file
// format in which they are kept.
//
// It imports no sibling and starts nothing. Units stand last in a name:
// _seconds, _us (microseconds), _per_second, _bytes.
package trial

import (
	"fmt"
	"time"
)

// Status says what a trial is worth.
type Status string

const (
	OK      Status = "ok"      // measured: each figure counts unless a doubt spoils it
	Aborted Status = "aborted" // interrupted or failed: kept for the reader, never counted
)

// Trial is one cell of an experiment in one block: the sample of all statistics.
// It is written once and never changed.
type Trial struct {
	Key      string        `json:"key"` // Spec.Key(block, attempt)
	Spec     Spec          `json:"spec"`
	Block    int           `json:"block"` // 0 is calibration, which feeds later rates and no verdict
	Attempt  int           `json:"attempt"`
	Order    int           `json:"order"` // position within the run, from 1
	Status   Status        `json:"status"`
	Warnings []string      `json:"warnings,omitempty"` // remarks that spoil nothing
	Doubts   []Doubt       `json:"doubts,omitempty"`   // they travel with the figures
	Started  time.Time     `json:"started"`
	Seconds  float64       `json:"seconds"` // from asking the stack up to having it down
	Steps    []Measurement `json:"steps"`
}

// Step finds a measurement by its cell's position and its step's name.
func (t *Trial) Step(cell int, name string) (*Measurement, bool) {
	for i := range t.Steps {
		if t.Steps[i].Cell == cell && t.Steps[i].Step == name {
			return &t.Steps[i], true
		}
	}
	return nil, false
}

// Warn adds a remark to the trial.
func (t *Trial) Warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, fmt.Sprintf(format, args...))
}

// Outcome classes of a request. Every completed request is exactly one of them.
const (
	Success   = "2xx"
	Refused   = "401"        // also 403
	Shed      = "429"        // told to slow down
	Failed    = "5xx"        // 502, 503, 504 and their kin
	Other     = "other"      // any other status
	Transport = "transport"  // connection refused, reset, time-out: no answer
	WrongUser = "wrong_user" // a 2xx that names somebody else: fails the run

	UnauthorizedSuccess = "unauthorized_success" // a 2xx for a credential that should have been refused
)

// Measurement is what one step of one cell showed.
type Measurement struct {
	Cell    int       `json:"cell"` // position among the spec's cells
	Step    string    `json:"step"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // wall time

	Streams map[string]*StreamResult `json:"streams,omitempty"`
	Search  *Search                  `json:"search,omitempty"`  // the step searched: all else is of its last try at the rate that it found
	Found   *Capacity                `json:"found,omitempty"`   // by that search
	Journey *Journey                 `json:"journey,omitempty"` // what a k6 script counted
	Marks   []Mark                   `json:"marks,omitempty"`   // of the step's faults
	Usage   Usage                    `json:"usage"`
}

// Result finds a stream's by the stream's name; "" is the first by name where
// there is one alone, and otherwise the one called "main".
func (m *Measurement) Result(name string) (*StreamResult, bool) {
	if name == "" {
		name = Main
		if len(m.Streams) == 1 {
			for only := range m.Streams {
				name = only
			}
		}
	}
	r, ok := m.Streams[name]
	return r, ok
}

// Main is the name of a step's stream that figures are read from when none is named.
const Main = "main"

// Throughput is the rate of successes in requests per second.
func (r *StreamResult) Throughput() float64 {
	if r.Seconds <= 0 {
		return 0
	}
	return float64(r.Outcomes[Success]) / r.Seconds
}

// Errors counts the completed requests that are not a success.
func (r *StreamResult) Errors() int64 { return r.Completed - r.Outcomes[Success] }

// Tier is a layer whose CPU is accounted for on its own.
type Tier string

const (
	GeneratorTier Tier = "generator"
	BalancerTier  Tier = "balancer"
	ReplicaTier   Tier = "replicas"
	StoreTier     Tier = "store"
)

// Usage is what probes read around a step: after minus before.
type Usage struct {
	Seconds   float64             `json:"seconds"`             // wall time between the two readings
	CPU       map[Tier]float64    `json:"cpuSeconds"`          // CPU-seconds by tier
	Component map[string]float64  `json:"componentSeconds"`    // CPU-seconds by component: nginx, r1, redis, postgres, ...
	Throttled map[string]Throttle `json:"throttled,omitempty"` // by component under a budget
	RSS       map[string]int64    `json:"rssBytes,omitempty"`  // by component, at the end of the step
	// store and balancer counters, e.g. redis_commands, postgres_statements, nginx_requests
	Counters map[string]float64  `json:"counters,omitempty"`
	Steal    float64             `json:"stealSeconds"`            // taken by the hypervisor from the CPUs in use
	Foreign  float64             `json:"foreignSeconds"`          // CPU that neither we nor the system under test used
	Beside   float64             `json:"besideSeconds,omitempty"` // CPU of the cells that stand beside this one
	Busy     map[string]float64  `json:"busyShare,omitempty"`     // busy share of each CPU in use, 0..1, by "cpu0", ...
	Ticks    map[string]CPUTicks `json:"ticks,omitempty"`         // what the kernel counted of each CPU in use, by "cpu0", ...

	// Missing says what could not be read, and why: "redis counters", "r1 CPU", "foreign CPU". A figure that rests on
	// it is absent above or, of a plain number, 0; it was never measured to be nothing.
	Missing map[string]string `json:"missing,omitempty"`
}

// MissingForeign is the name in Missing of the CPU that nobody we know used.
const MissingForeign = "foreign CPU"

// CPUTicks are the kernel's own counts of one CPU's time, in ticks of 10 ms.
// They stay whole numbers: 3 ticks of 1 s are 0.03 s, and no rounding makes them more.
type CPUTicks struct {
	Busy  int64 `json:"busy"`
	Steal int64 `json:"steal"` // taken by the hypervisor while there was work to do
	Total int64 `json:"total"` // all that passed
}

// TickSeconds is the length of a tick: USER_HZ is 100 on every Linux.
const TickSeconds = 0.01

// Throttle counts what a CPU budget withheld.
type Throttle struct {
	Periods   int64   `json:"periods"`
	Throttled int64   `json:"throttled"` // periods in which the quota ran out
	Seconds   float64 `json:"seconds"`   // time spent waiting for the next period
}

// Journey is what a k6 script reported: counters by name, and samples where
// every single value matters.
type Journey struct {
	Script   string               `json:"script"`
	ExitCode int                  `json:"exitCode"`
	Counters map[string]float64   `json:"counters"` // e.g. lost_sessions, authenticated_requests, unauthorized_successes
	Samples  map[string][]float64 `json:"samples"`  // e.g. revocation_lag_seconds
}
