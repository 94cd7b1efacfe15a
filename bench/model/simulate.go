package model

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Simulation plays requests through a system one by one. It is for what
// [System.Solve] has no answer to: percentiles of latency, a pool of connections
// that replicas wait for, users of unequal weight who stick to a replica, a
// network between replica and store. A request waits for its replica's core,
// takes half of the replica's demand, waits for a connection of the replica's
// pool, crosses to the store and back, waits for one of the store's cores in
// between, and then for its replica again, for the other half. Everyone is served
// in the order of arrival. Without a store the replica's demand is taken at once.
type Simulation struct {
	Demand     Demand // of one request, on the mean
	Replicas   int
	StoreCores int     // of a store, all from one queue
	Shards     int     // stores alike, of which a request asks any with the same chance; 0 and 1 are one
	Pool       int     // connections of one replica to all stores; 0: as many as it wants
	RoundTrip  float64 // seconds between replica and store, there and back
	Constant   bool    // demands are the same for every request; else they vary as an exponential's do

	// Requests arrive at Rate a second, with exponential gaps between them; or, where Rate
	// is 0, InFlight are always under way, each answer starting the next request.
	Rate     float64
	InFlight int

	// Shares are the replicas' shares of all requests, as sticky users make them. Without
	// them RoundRobin deals requests out in turn; without both each goes to any replica
	// with the same chance.
	Shares     []float64
	RoundRobin bool

	Requests int    // that are counted, after a tenth as many that are not
	Seed     uint64 // the same seed gives the same requests
}

// Simulated is what a simulation showed.
type Simulated struct {
	Throughput float64   // answers a second
	Latencies  []float64 // seconds from arrival to answer, sorted
	PoolWait   float64   // mean seconds that a request waited for a connection to the store
}

// Quantile is the latency that a share q of the requests, 0 to 1, did not exceed, in seconds.
func (s Simulated) Quantile(q float64) float64 {
	return s.Latencies[min(int(q*float64(len(s.Latencies))), len(s.Latencies)-1)]
}

// Mean is the mean latency in seconds.
func (s Simulated) Mean() float64 {
	sum := 0.0
	for _, l := range s.Latencies {
		sum += l
	}
	return sum / float64(len(s.Latencies))
}

// Check says which setting cannot be.
func (s Simulation) Check() error {
	if err := s.Demand.Check(); err != nil {
		return err
	}
	switch {
	case s.Replicas < 1:
		return fmt.Errorf("%d replicas: want at least 1", s.Replicas)
	case s.Demand.Store > 0 && s.StoreCores < 1:
		return fmt.Errorf("a store of %d cores: want at least 1", s.StoreCores)
	case s.Shards < 0:
		return fmt.Errorf("%d shards: want at least 1, or 0 for one store", s.Shards)
	case s.Pool < 0:
		return fmt.Errorf("a pool of %d connections: want at least 1, or 0 for no limit", s.Pool)
	case !(s.RoundTrip >= 0) || math.IsInf(s.RoundTrip, 0):
		return fmt.Errorf("a round trip of %v s: want 0 or more", s.RoundTrip)
	case !(s.Rate >= 0) || math.IsInf(s.Rate, 0) || s.Rate == 0 && s.InFlight < 1:
		return fmt.Errorf("a rate of %v/s and %d in flight: want one of them above 0", s.Rate, s.InFlight)
	case len(s.Shares) > 0 && len(s.Shares) != s.Replicas:
		return fmt.Errorf("shares of %d replicas: want those of %d", len(s.Shares), s.Replicas)
	case s.Requests < 1:
		return fmt.Errorf("%d requests: want at least 1", s.Requests)
	}
	return nil
}

// StickyShares are the shares of requests that replicas get where each user sticks
// to one of them, chosen by chance. The user of rank r asks as often as r to the
// power -zipf: with 0 all ask alike.
func StickyShares(users, replicas int, zipf float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	shares, sum := make([]float64, replicas), 0.0
	for r := 1; r <= users; r++ {
		weight := 1.0
		if zipf != 0 {
			weight = math.Pow(float64(r), -zipf)
		}
		shares[rng.IntN(replicas)] += weight
		sum += weight
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}
