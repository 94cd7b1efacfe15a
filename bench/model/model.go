// Package model says what a system of many replicas would serve, from the CPU
// that one request takes of each tier. In come demands, one a start of the
// system; out come throughput against replicas, what limits it, where one arm
// overtakes another, and, by simulation, latencies; each with an interval where
// starts are more than one. It reads no file, measures nothing and writes no
// sentence.
//
// The system is a network of queues: a balancer that delays a request and is
// never its limit, N replicas of one core each among which requests are spread
// evenly, and behind all of them one store of M cores. Time is in seconds, rates
// are in requests a second.
//
// What holds for any such network are the operational laws (Denning and Buzen
// 1978): busy cores = X·D, in flight = X·R. [System.Solve] adds the assumptions of
// a product-form network (Baskett, Chandy, Muntz and Palacios 1975): service
// times that vary as an exponential's do, first come first served, and demands
// that do not change with load. Throughput hardly depends on the first of these;
// tails do, and are for [Simulation].
package model

import (
	"fmt"
	"math"
)

// Demand is the CPU that one request takes of each tier, in seconds. A Store of 0
// says that no store is asked.
type Demand struct{ Balancer, Replica, Store float64 }

// Check says which demand cannot be one.
func (d Demand) Check() error {
	for _, t := range []struct {
		tier    string
		seconds float64
	}{{"balancer", d.Balancer}, {"replica", d.Replica}, {"store", d.Store}} {
		if !(t.seconds >= 0) || math.IsInf(t.seconds, 0) {
			return fmt.Errorf("a demand of %v s of the %s: want a number of seconds from 0 up", t.seconds, t.tier)
		}
	}
	if d.Replica == 0 {
		return fmt.Errorf("a demand of 0 s of the replica: a request takes some of it")
	}
	return nil
}

// ReplicasPerStoreCore is K, the replica cores that use up one core of the store:
// both tiers serve the same requests, so K = D_replica/D_store, and what slows
// both alike cancels. It is +Inf where no store is asked.
func (d Demand) ReplicasPerStoreCore() float64 { return d.Replica / d.Store }

// System is what all sizes of a system share.
type System struct {
	StoreCores int // that serve at once, all from one queue
	InFlight   int // requests in flight for each replica, in a closed loop
}

// Check says which setting cannot be.
func (s System) Check() error {
	if s.StoreCores < 1 {
		return fmt.Errorf("a store of %d cores: want at least 1", s.StoreCores)
	}
	if s.InFlight < 1 {
		return fmt.Errorf("%d requests in flight for each replica: want at least 1", s.InFlight)
	}
	return nil
}

// Ceiling is the highest throughput that the store allows with any number of
// replicas: M/D_store, or +Inf where none is asked.
func (s System) Ceiling(d Demand) float64 { return float64(s.StoreCores) / d.Store }

// Knee is the number of replicas whose cores together serve as much as the store
// does, M·K: the crossing of the two asymptotes. Below it replicas are what
// limits, above it the store. +Inf where no store is asked.
func (s System) Knee(d Demand) float64 { return float64(s.StoreCores) * d.ReplicasPerStoreCore() }

// Tier is what a system may be limited by.
type Tier string

// The tiers that have a limit: the balancer is taken to be grown as needed.
const (
	Replicas Tier = "replicas"
	Store    Tier = "store"
)

// Bottleneck is the tier that is used up first with so many replicas.
func (s System) Bottleneck(d Demand, replicas int) Tier {
	if float64(replicas) > s.Knee(d) {
		return Store
	}
	return Replicas
}

// Bounds hold the throughput of so many replicas whatever the order of service:
// above, the busiest core's limit and that of all requests in flight never having
// to wait; below, every request waiting for all others at the busiest core
// (Zahorjan, Sevcik, Eager and Galler 1982, without their sharpening by balance).
// They cost no time, for any number of replicas.
func (s System) Bounds(d Demand, replicas int) (low, high float64) {
	busiest := max(d.Replica/float64(replicas), d.Store/float64(s.StoreCores))
	flight := float64(s.InFlight) * float64(replicas)
	alone := d.Balancer + d.Replica + d.Store
	return flight / (alone + (flight-1)*busiest), min(flight/alone, 1/busiest)
}
