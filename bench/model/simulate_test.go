package model

import (
	"math"
	"testing"
)

func simulate(t *testing.T, s Simulation) Simulated {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return s.Run()
}

// The response of M/M/1 is exponential with rate mu-lambda.
func TestSimulatesMM1(t *testing.T) {
	got := simulate(t, Simulation{Demand: Demand{Replica: 1}, Replicas: 1, Rate: 0.7, Requests: 400_000, Seed: 1})
	near(t, "mean", got.Mean(), 1/0.3, 0.03)
	near(t, "p99", got.Quantile(0.99), math.Log(100)/0.3, 0.04)
	near(t, "throughput", got.Throughput, 0.7, 0.01)
}

// M/D/1 waits half as long as M/M/1 (Pollaczek and Khinchine).
func TestSimulatesMD1(t *testing.T) {
	got := simulate(t, Simulation{Demand: Demand{Replica: 1}, Replicas: 1, Rate: 0.7, Constant: true, Requests: 400_000, Seed: 2})
	near(t, "mean", got.Mean(), 1+0.7/(2*0.3), 0.02)
}

// waits is Erlang's C: the chance to wait for one of c cores under an offered load of a cores.
func waits(c int, a float64) float64 {
	sum, term := 0.0, 1.0
	for k := range c {
		sum += term
		term *= a / float64(k+1)
	}
	term /= 1 - a/float64(c)
	return term / (sum + term)
}

// A store of c cores behind replicas that take next to nothing is M/M/c.
func TestSimulatesMMc(t *testing.T) {
	got := simulate(t, Simulation{Demand: Demand{Replica: 1e-9, Store: 1}, Replicas: 4, StoreCores: 4, Rate: 3.2, Requests: 300_000, Seed: 3})
	near(t, "mean", got.Mean(), 1+waits(4, 3.2)/(4-3.2), 0.03)
}

// Shards share the requests: 4 of one core at 3.2/s are 4 times M/M/1 at 0.8/s.
func TestSimulatesShards(t *testing.T) {
	got := simulate(t, Simulation{Demand: Demand{Replica: 1e-9, Store: 1}, Replicas: 2, StoreCores: 1, Shards: 4, Rate: 3.2,
		Requests: 300_000, Seed: 7})
	near(t, "mean", got.Mean(), 1/(1-0.8), 0.04)
}

// A pool in front of a store of many cores is M/M/c of the pool's connections, each held for a round trip and the store.
func TestSimulatesPool(t *testing.T) {
	s := Simulation{Demand: Demand{Replica: 1e-9, Store: 1}, Replicas: 1, StoreCores: 1000, Pool: 4, Rate: 3.2, Requests: 300_000, Seed: 4}
	got := simulate(t, s)
	near(t, "wait for a connection", got.PoolWait, waits(4, 3.2)/(4-3.2), 0.04)
	s.Pool, s.Requests = 0, 50_000
	if got := simulate(t, s); got.PoolWait != 0 {
		t.Errorf("without a limit of connections requests wait %v s for one", got.PoolWait)
	}
	s.Pool, s.RoundTrip, s.Rate = 16, 3, 2
	got = simulate(t, s) // 2/s times 4 s are 8 connections on the mean: hardly a wait
	near(t, "latency with a round trip", got.Mean(), 4+got.PoolWait, 0.01)
}

// In a closed loop throughput is that of the exact solution.
func TestSimulatesTheClosedNetwork(t *testing.T) {
	for _, d := range []Demand{{0.5, 1, 0}, {0.5, 1, 0.3}, {0.5, 1, 0.9}} {
		s := System{StoreCores: 2, InFlight: 4}
		got := simulate(t, Simulation{Demand: d, Replicas: 4, StoreCores: 2, InFlight: 16, Requests: 100_000, Seed: 5})
		near(t, "throughput", got.Throughput, s.Throughput(d, 4), 0.01)
		near(t, "response", got.Mean(), s.Solve(d, 4).Response, 0.01)
	}
}

func TestSticky(t *testing.T) {
	sum, most := 0.0, 0.0
	for _, share := range StickyShares(1000, 8, 0, 1) {
		sum += share
		most = max(most, share)
	}
	near(t, "all shares", sum, 1, 1e-9)
	if !(most > 0.125 && most < 0.2) {
		t.Errorf("the busiest of 8 replicas has %v of 1,000 users alike", most)
	}
	uneven := 0.0
	for _, share := range StickyShares(1000, 8, 1, 1) {
		uneven = max(uneven, share)
	}
	if uneven <= most {
		t.Errorf("the busiest replica has %v of users of unequal weight, %v of equal ones", uneven, most)
	}
	s := Simulation{Demand: Demand{Replica: 1}, Replicas: 2, Rate: 1, Requests: 200_000, Seed: 6}
	even := simulate(t, s)
	s.Shares = []float64{0.8, 0.2}
	// A mixture of two M/M/1, of rates 0.8 and 0.2.
	near(t, "mean of uneven shares", simulate(t, s).Mean(), 0.8/0.2+0.2/0.8, 0.06)
	near(t, "mean of even shares", even.Mean(), 2, 0.03)
	s.Shares, s.RoundRobin = nil, true
	if dealt := simulate(t, s); !(dealt.Mean() < even.Mean()) {
		t.Errorf("dealt out in turn requests take %v s, by chance %v s: want less", dealt.Mean(), even.Mean())
	}
}

func TestSimulationRepeats(t *testing.T) {
	s := Simulation{Demand: Demand{1, 1, 1}, Replicas: 3, StoreCores: 2, Rate: 1, Requests: 1000, Seed: 1}
	a, b := s.Run(), s.Run()
	s.Seed = 2
	if c := s.Run(); a.Mean() != b.Mean() || a.Mean() == c.Mean() {
		t.Errorf("means of %v and %v from one seed, of %v from another", a.Mean(), b.Mean(), c.Mean())
	}
}

func TestSimulationRefuses(t *testing.T) {
	good := Simulation{Demand: Demand{1, 1, 1}, Replicas: 2, StoreCores: 1, Rate: 1, Requests: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Simulation){
		"demand": func(s *Simulation) { s.Demand.Replica = 0 }, "replicas": func(s *Simulation) { s.Replicas = 0 },
		"cores":  func(s *Simulation) { s.StoreCores = 0 },
		"shards": func(s *Simulation) { s.Shards = -1 }, "pool": func(s *Simulation) { s.Pool = -1 },
		"round trip": func(s *Simulation) { s.RoundTrip = math.NaN() }, "rate": func(s *Simulation) { s.Rate = 0 },
		"shares": func(s *Simulation) { s.Shares = []float64{1} }, "requests": func(s *Simulation) { s.Requests = 0 },
	} {
		s := good
		if spoil(&s); s.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
