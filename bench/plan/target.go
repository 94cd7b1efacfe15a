// Package plan says what a load takes of each arm: replicas and nodes, a store
// and its memory, connections, traffic and cost. In come a target and what a run
// measured of each arm: the CPU of one request by tier, its bytes, the start it
// was measured in. Out come figures with 95 % intervals, the trials they come
// from and the formulas that lead to them. It measures nothing, and writes no
// sentence but of what is wrong.
//
// CPU and traffic grow with the rate, memory with the sessions: these are laws
// (busy cores = X·D, in flight = X·R), but demands are those of the run's machine,
// software and load, and the farther the target is from what was measured the
// less they need hold: see [Far].
package plan

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Touch says how often the use of a session is written down.
type Touch string

// Never is what runs measure; throttled is once a minute for a session in use,
// the servers' default; every is with each request.
const (
	Never     Touch = "none"
	Throttled Touch = "throttled"
	Every     Touch = "every"
)

// touchEvery is the time between two writings of a throttled touch: the default of the servers' flag -touch-every.
const touchEvery = time.Minute

// Target is what is to be served, and on what.
type Target struct {
	Rate     float64       `json:"rate"`                // authenticated requests a second
	Users    float64       `json:"users"`               // sessions alive at once; 0: as many as log-ins and lifetime make
	Logins   float64       `json:"logins"`              // a second; 0: every session begins with one, users/lifetime
	Lifetime time.Duration `json:"lifetimeNanoseconds"` // of a session or a token, after which one logs in again
	Touch    Touch         `json:"touch"`

	Cores     int           `json:"cores"`                // of a node, each for one replica
	Headroom  float64       `json:"headroom"`             // share of CPU and of the store's memory that is kept free
	RoundTrip time.Duration `json:"roundTripNanoseconds"` // of the network between replica and store

	StoreCores  int     `json:"storeCores"`     // of a PostgreSQL server at most; a Redis uses one
	StoreMemory float64 `json:"storeMemoryGiB"` // of one store server or shard

	PriceNode  float64 `json:"priceNode"`  // of a node, for an hour
	PriceStore float64 `json:"priceStore"` // of a store's core, for an hour
}

// Default is a target but for its rate.
func Default() Target {
	return Target{Lifetime: 24 * time.Hour, Touch: Never, Cores: 8, Headroom: 0.3, RoundTrip: 500 * time.Microsecond,
		StoreCores: 32, StoreMemory: 32}
}

// Check says which setting cannot be, by the name of its flag, and what can.
func (t Target) Check() error {
	type number struct {
		flag      string
		value     float64
		low, high float64
		open      bool // low itself is not allowed
		want      string
	}
	const most = 1e12
	for _, n := range []number{
		{"rate", t.Rate, 0, most, true, "requests a second to plan for, such as 10000"},
		{"users", t.Users, 0, most, false, "sessions alive at once, such as 1000000, or 0 for as many as log-ins and lifetime make"},
		{"logins", t.Logins, 0, most, false, "log-ins a second, such as 50, or 0 for as many as users and lifetime make"},
		{"headroom", t.Headroom, 0, 0.95, true, "a share to keep free: more than 0, for what is never idle queues without end, and at most 0.95"},
		{"store-memory", t.StoreMemory, 0, most, true, "GiB of one store server, such as 32"},
		{"price-node", t.PriceNode, 0, most, false, "the price of a node for an hour, 0 or more"},
		{"price-store", t.PriceStore, 0, most, false, "the price of a store's core for an hour, 0 or more"},
	} {
		if n.value > most && n.high == most {
			return fmt.Errorf("--%s %v: want at most %v", n.flag, n.value, most)
		}
		if !(n.value >= n.low) || n.value > n.high || n.open && n.value == n.low {
			return fmt.Errorf("--%s %v: want %s", n.flag, n.value, n.want)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
		want  string
	}{
		{"lifetime", t.Lifetime, time.Second, "how long a session lasts, 1s or more, such as 24h"},
		{"rtt", t.RoundTrip, 0, "the round trip to the store, 0s or more, such as 500us"},
	} {
		if d.value < d.least || d.value > 100*365*24*time.Hour {
			return fmt.Errorf("--%s %v: want %s", d.flag, d.value, d.want)
		}
	}
	for _, n := range []struct {
		flag  string
		value int
		want  string
	}{
		{"cores", t.Cores, "cores of a node, 1 to 4096"},
		{"store-cores", t.StoreCores, "cores of a PostgreSQL server at most, 1 to 4096"},
	} {
		if n.value < 1 || n.value > 4096 {
			return fmt.Errorf("--%s %d: want %s", n.flag, n.value, n.want)
		}
	}
	if known := []Touch{Never, Throttled, Every}; !slices.Contains(known, t.Touch) {
		return fmt.Errorf("--touch %s: want none, throttled (once a minute for a session in use) or every (with each request)", t.Touch)
	}
	return nil
}

// sessions and logins are the target's, the one filled in from the other by
// Little's law: sessions = log-ins a second x lifetime. Where both are given,
// those that nobody logged out of are kept until they end.
func (t Target) sessions() float64 { return math.Max(t.Users, t.Logins*t.Lifetime.Seconds()) }

func (t Target) logins() float64 {
	if t.Logins > 0 {
		return t.Logins
	}
	return t.Users / t.Lifetime.Seconds()
}

// writes is how many times a request writes its session.
func (t Target) writes() float64 {
	switch t.Touch {
	case Every:
		return 1
	case Throttled:
		return min(1, t.sessions()/touchEvery.Seconds()/t.Rate)
	}
	return 0
}
