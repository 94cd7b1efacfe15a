package model

import "math"

// Load is how a system stands under its requests.
type Load struct {
	Replicas    int
	Throughput  float64 // requests a second
	Response    float64 // mean seconds from balancer to answer
	ReplicaBusy float64 // share of each replica's core, 0 to 1
	StoreBusy   float64 // share of all of the store's cores, 0 to 1
}

// Solve is the closed network of so many replicas, solved exactly: InFlight
// requests for each replica, every answer starting the next request, sent to any
// of the replicas with the same chance. Its time and space grow with the number
// of requests in flight.
//
// Balancer and replicas alone are solved by mean value analysis (Reiser and
// Lavenberg 1980) for every number of requests in them; as all replicas are alike
// one recursion stands for them. The store is then put opposite to what that
// gives, as one station whose rate depends on how many requests it holds (Norton's
// theorem: Chandy, Herzog and Woo 1975), which is exact in a product-form network.
// How many requests are in the store is then a chain of births and deaths, all of
// whose terms are positive. So its cores are exact as well, where the usual
// recursion for several servers loses all digits once they are busy, and where
// Seidmann's split into a single server and a delay only comes near.
func (s System) Solve(d Demand, replicas int) Load {
	flight := s.InFlight * replicas
	x := s.throughput(d, replicas, flight)
	return Load{
		Replicas:    replicas,
		Throughput:  x,
		Response:    float64(flight) / x,
		ReplicaBusy: min(1, x*d.Replica/float64(replicas)),
		StoreBusy:   min(1, x*d.Store/float64(s.StoreCores)),
	}
}

// Throughput is that of Solve alone.
func (s System) Throughput(d Demand, replicas int) float64 {
	return s.throughput(d, replicas, s.InFlight*replicas)
}

func (s System) throughput(d Demand, replicas, flight int) float64 {
	if d.Store == 0 {
		return frontThroughput(d, replicas, flight, nil)
	}
	var room [1<<10 + 1]float64 // on the stack: a chart solves tens of thousands
	front := room[:]
	if flight >= len(front) {
		front = make([]float64, flight+1)
	}
	frontThroughput(d, replicas, flight, front)
	// weight is the chance of so many requests in the store, but for a factor that all share.
	weight, sum, served := 1.0, 1.0, 0.0
	for k := 1; k <= flight; k++ {
		rate := float64(min(k, s.StoreCores)) / d.Store
		weight *= front[flight-k+1] / rate
		sum += weight
		served += weight * rate
		switch {
		case weight > 1e200: // a store that is far behind
			weight, sum, served = weight*1e-200, sum*1e-200, served*1e-200
		case k >= s.StoreCores && weight < 1e-18*sum && front[flight-k] < rate:
			return served / sum // from here on weights only fall, the faster the longer
		}
	}
	return served / sum
}

// frontThroughput is the throughput of balancer and replicas with flight requests
// in them; each, where it is not nil, gets that with 1 to flight, at that index.
func frontThroughput(d Demand, replicas, flight int, each []float64) (x float64) {
	queue := 0.0 // requests at one replica, those in service included
	own := d.Replica / float64(replicas)
	for n := 1; n <= flight; n++ {
		x = float64(n) / (d.Balancer + d.Replica*(1+queue))
		queue = x * own * (1 + queue)
		if each != nil {
			each[n] = x
		}
	}
	return x
}

// Crossing is the number of replicas from which on the first curve is at least as
// high as the second, between whole numbers by a straight line: 1 if it is from
// the beginning, +Inf if it is not up to limit. Curves give a throughput for a
// number of replicas. They are looked at for powers of 2 and then between the two
// on whose two sides the sign differs, so the curves must cross once.
func Crossing(first, second func(replicas int) float64, limit int) float64 {
	gap := func(n int) float64 { return first(n) - second(n) }
	if gap(1) >= 0 {
		return 1
	}
	low, high := 1, 1
	for gap(high) < 0 {
		if high == limit {
			return math.Inf(1)
		}
		low, high = high, min(2*high, limit)
	}
	for high-low > 1 {
		if middle := (low + high) / 2; gap(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
	below, above := gap(low), gap(high)
	return float64(low) + below/(below-above)
}
