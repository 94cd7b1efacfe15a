package trial

import (
	"fmt"
	"slices"
	"time"
)

// Stream is one flow of requests within a step; several run side by side, from
// one generator. Streams of one name share their connections and users' route
// cookies from step to step, as long as nothing but their pacing changes.
type Stream struct {
	Name    string  `json:"name"`
	Request string  `json:"request"`           // method and path: "GET /me", "POST /login", any of Requests
	Present Present `json:"present,omitempty"` // the credential shown; empty is valid
	Pacing  Pacing  `json:"pacing"`

	Connections int     `json:"connections"`       // to the balancer
	Sources     int     `json:"sources,omitempty"` // distinct /24 networks of 127/8 that requests come from
	Zipf        float64 `json:"zipf,omitempty"`    // exponent (> 1) of the choice of users; 0 walks them evenly
}

// Pacing says when a stream starts its requests.
type Pacing struct {
	Mode        Mode     `json:"mode"`
	Rate        float64  `json:"ratePerSecond,omitempty"` // open
	Arrivals    Arrivals `json:"arrivals,omitempty"`      // open; empty is even
	Concurrency int      `json:"concurrency,omitempty"`   // closed: requests in flight
}

// Present says which kind of credential a stream shows, and so which answers are right.
type Present string

const (
	Valid   Present = "valid"   // every answer should be a success that names the user
	Revoked Present = "revoked" // logged out before the step: a success is an unauthorized success
	Expired Present = "expired" // past its end: likewise
	Forged  Present = "forged"  // altered so that no server made it: likewise
	Nobody  Present = "none"    // no credential at all: likewise, where the request needs one
)

// Presents lists all of them.
func Presents() []Present { return []Present{Valid, Revoked, Expired, Forged, Nobody} }

// Bounds of a stream.
const (
	maxConnections = 10_000
	maxSources     = 254 // each is a /24 of 127.0/16
	maxRate        = 1e6
)

// Check says what about a stream makes no sense.
func (s Stream) Check() error {
	if s.Name == "" {
		return fmt.Errorf("a stream of %s has no name", s.Request)
	}
	if _, err := FindRequest(s.Request); err != nil {
		return fmt.Errorf("stream %s: %w", s.Name, err)
	}
	if err := s.checkSize(); err != nil {
		return fmt.Errorf("stream %s: %w", s.Name, err)
	}
	if err := s.Pacing.Check(s.Connections); err != nil {
		return fmt.Errorf("stream %s: %w", s.Name, err)
	}
	return nil
}

func (s Stream) checkSize() error {
	switch {
	case s.Present != "" && !slices.Contains(Presents(), s.Present):
		return fmt.Errorf("unknown kind of credential %q: want one of %v", s.Present, Presents())
	case s.Connections < 1 || s.Connections > maxConnections:
		return fmt.Errorf("connections is %d: want 1 to %d", s.Connections, maxConnections)
	case s.Sources < 0 || s.Sources > maxSources:
		return fmt.Errorf("sources is %d: want 0 to %d", s.Sources, maxSources)
	case s.Zipf != 0 && !(s.Zipf > 1):
		return fmt.Errorf("zipf is %g: want more than 1, or 0 to walk the users evenly", s.Zipf)
	}
	return nil
}

// Check says what about a pacing makes no sense on so many connections.
func (p Pacing) Check(connections int) error {
	switch p.Mode {
	case Open:
		if !(p.Rate > 0) || p.Rate > maxRate {
			return fmt.Errorf("rate is %g requests per second: want more than 0 and at most a million", p.Rate)
		}
		if p.Arrivals != "" && p.Arrivals != Even && p.Arrivals != Poisson {
			return fmt.Errorf("unknown arrivals %q: want %s or %s", p.Arrivals, Even, Poisson)
		}
	case Closed:
		if p.Concurrency < 1 || p.Concurrency > connections {
			return fmt.Errorf("concurrency is %d: want 1 to %d, the number of connections", p.Concurrency, connections)
		}
	default:
		return fmt.Errorf("mode %q: want %s or %s", p.Mode, Open, Closed)
	}
	return nil
}

// StreamResult is what one stream of one step showed. Latency runs from a
// request's intended start in open pacing, from its dispatch in closed.
type StreamResult struct {
	Stream  Stream    `json:"stream"` // as carried out: a searched or derived rate is filled in
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // wall time over which completions were counted

	Offered    int64 `json:"offered"`    // requests that should have started (open), that started (closed)
	Completed  int64 `json:"completed"`  // requests that ended, whatever their outcome
	Dropped    int64 `json:"dropped"`    // requests that never started
	Reconnects int64 `json:"reconnects"` // connections opened again within the step
	Users      int64 `json:"users"`      // distinct credentials used in the step

	Outcomes map[string]int64   `json:"outcomes"`         // by outcome class
	Replicas map[string]int64   `json:"replicas"`         // completions by answering replica
	Series   map[string][]int64 `json:"series,omitempty"` // completions in each slice of SeriesSlice, by outcome class; all equally long

	Latency   map[string]*Histogram `json:"latency"`             // by outcome class
	PacerLag  *Histogram            `json:"pacerLag,omitempty"`  // intended start to dispatch: the generator's own fault
	QueueWait *Histogram            `json:"queueWait,omitempty"` // dispatch to a free connection

	StoodStill float64 `json:"stoodStillSeconds,omitempty"` // of Seconds: the generator neither sent nor read, in pauses of more than 0.1 s

	SentBytes     int64    `json:"sentBytes"`     // at the client's sockets
	ReceivedBytes int64    `json:"receivedBytes"` //
	Notes         []string `json:"notes,omitempty"`
}

// SeriesSlice is the width of one slice of a time line.
const SeriesSlice = 100 * time.Millisecond

// Fault is something that breaks on schedule within a step.
type Fault struct {
	Kind   string            `json:"kind"`           // kill, hang, restart, slow, cut, ...
	Target string            `json:"target"`         // a component: redis, postgres, r1, ...
	At     float64           `json:"atSeconds"`      // from the step's start
	Lasts  float64           `json:"lastsSeconds"`   // until it is ended
	With   map[string]string `json:"with,omitempty"` // the kind's own settings, such as latency=100ms
}

// Mark says what became of a fault, in seconds from the step's start. A moment
// that did not come is absent.
type Mark struct {
	Fault     Fault    `json:"fault"`
	Begun     *float64 `json:"begunSeconds,omitempty"`     // asked to begin
	InEffect  *float64 `json:"inEffectSeconds,omitempty"`  // seen to have begun
	Ended     *float64 `json:"endedSeconds,omitempty"`     // asked to end
	Recovered *float64 `json:"recoveredSeconds,omitempty"` // seen to be over
	Why       string   `json:"why,omitempty"`              // why one of these did not come
}

// Expect says what a step may do besides serving: what it allows is a result,
// never a doubt.
type Expect struct {
	Deaths    bool `json:"deaths,omitempty"`    // components may die
	Errors    bool `json:"errors,omitempty"`    // requests may fail
	NoSuccess bool `json:"noSuccess,omitempty"` // none may succeed
}
