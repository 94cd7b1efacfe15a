package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s: %v, want %v within %v %%", what, got, want, 100*share)
	}
}

func factorial(n int) float64 { return math.Gamma(float64(n) + 1) }

func TestSingleStationIsAlwaysBusy(t *testing.T) {
	near(t, "one replica", System{1, 16}.Throughput(Demand{Replica: 50e-6}, 1), 20000, 1e-12)
}

// A network of N like stations with P requests serves P/(P+N-1) of what N cores could.
func TestBalancedNetwork(t *testing.T) {
	for _, n := range []int{1, 2, 7, 64, 1000} {
		p := float64(16 * n)
		near(t, "balanced", System{1, 16}.Throughput(Demand{Replica: 1e-4}, n), 1e4*float64(n)*p/(p+float64(n)-1), 1e-9)
	}
	// The store is one more of them.
	near(t, "balanced with its store", System{1, 5}.Throughput(Demand{Replica: 3e-4, Store: 1e-4}, 3), 1e4*15/(15+4-1), 1e-9)
}

// Machines that break after Z and one man who mends them (Kleinrock 1975, 3.8):
// the balancer is the time between failures, the replica the man.
func TestMachineRepairman(t *testing.T) {
	d, p := Demand{Balancer: 400e-6, Replica: 100e-6}, 8
	idle := 0.0
	for k := 0; k <= p; k++ {
		idle += factorial(p) / factorial(p-k) * math.Pow(d.Replica/d.Balancer, float64(k))
	}
	near(t, "one man", System{1, p}.Throughput(d, 1), (1-1/idle)/d.Replica, 1e-12)
}

// The same with several men: a store of M cores behind a replica that takes next to nothing.
func TestMachineRepairmen(t *testing.T) {
	for _, m := range []int{1, 2, 3, 16} {
		z, s, p := 400e-6, 100e-6, 24
		weight, sum, busy := 1.0, 1.0, 0.0
		for k := 1; k <= p; k++ {
			men := float64(min(k, m))
			weight *= float64(p-k+1) * s / z / men
			sum += weight
			busy += weight * men
		}
		near(t, "several men", System{m, p}.Throughput(Demand{z, 1e-15, s}, 1), busy/sum/s, 1e-6)
	}
}

// With very many requests that each come seldom, arrivals are Poisson: R = D/(1-rho).
func TestManySeldomRequestsAreAnMM1(t *testing.T) {
	d := Demand{Balancer: 1, Replica: 80e-6}
	load := System{1, 10000}.Solve(d, 1) // 10,000/s less what waits
	rho := load.Throughput * d.Replica
	near(t, "response", load.Response-d.Balancer, d.Replica/(1-rho), 0.005)
	near(t, "busy", load.ReplicaBusy, rho, 1e-12)
}

// Every way to place the requests is weighted by hand and summed up: two replicas, a balancer and a store of 3 cores.
func TestAgainstEveryState(t *testing.T) {
	d, s := Demand{70e-6, 90e-6, 110e-6}, System{StoreCores: 3, InFlight: 4}
	constant := func(p int) (sum float64) {
		for a := 0; a <= p; a++ {
			for b := 0; a+b <= p; b++ {
				for c := 0; a+b+c <= p; c++ {
					store := 1.0
					for k := 1; k <= c; k++ {
						store *= d.Store / float64(min(k, s.StoreCores))
					}
					z := p - a - b - c
					sum += math.Pow(d.Replica/2, float64(a+b)) * store * math.Pow(d.Balancer, float64(z)) / factorial(z)
				}
			}
		}
		return sum
	}
	near(t, "all states", s.Throughput(d, 2), constant(7)/constant(8), 1e-12)
}

// TestReferenceTable holds the model to what mean value analysis by another hand
// gave for demands of calibration trials, in thousands a second.
func TestReferenceTable(t *testing.T) {
	us := func(b, r, s float64) Demand { return Demand{b * 1e-6, r * 1e-6, s * 1e-6} }
	for _, x := range []struct {
		arm    string
		demand Demand
		cores  int
		want   [6]float64
	}{
		{"jwt/HS256", us(22.3, 23.4, 0), 1, [6]float64{43, 83, 163, 323, 643, 2564}},
		{"jwt/ES256", us(44.7, 103.6, 0), 1, [6]float64{10, 19, 37, 74, 147, 587}},
		{"session/redis", us(33, 46.7, 12.9), 1, [6]float64{22, 42, 77, 78, 78, 78}},
		{"session/postgres", us(33.6, 53.4, 37.9), 1, [6]float64{19, 27, 27, 27, 27, 27}},
		{"session/postgres", us(33.6, 53.4, 37.9), 4, [6]float64{19, 36, 71, 103, 105, 106}},
		{"session/memory", us(21.8, 22.6, 0), 1, [6]float64{44, 86, 169, 336, 669, 2666}},
	} {
		for i, n := range []int{1, 2, 4, 8, 16, 64} {
			near(t, x.arm, System{x.cores, 16}.Throughput(x.demand, n)/1000, x.want[i], 0.04)
		}
	}
}

func TestCrossing(t *testing.T) {
	s := System{1, 16}
	es256, redis := Demand{44.7e-6, 103.6e-6, 0}, Demand{33e-6, 46.7e-6, 12.9e-6}
	curve := func(d Demand) func(int) float64 { return func(n int) float64 { return s.Throughput(d, n) } }
	got := Crossing(curve(es256), curve(redis), 1000)
	// Asymptotes cross at D_rep(ES256)/D_store(redis) = 8.03; what waits for an uneven choice of replicas adds some.
	if !(got > es256.Replica/redis.Store && got < 9) {
		t.Errorf("jwt/ES256 overtakes session/redis at %v replicas, want a little above %v", got, es256.Replica/redis.Store)
	}
	if at := int(got); !(curve(es256)(at) < curve(redis)(at) && curve(es256)(at+1) >= curve(redis)(at+1)) {
		t.Errorf("the curves do not cross between %d and %d replicas", at, at+1)
	}
	if got := Crossing(curve(redis), curve(es256), 1000); got != 1 {
		t.Errorf("session/redis is above jwt/ES256 from %v replicas on, want from the first", got)
	}
	if got := Crossing(curve(es256), curve(Demand{Replica: 23e-6}), 1000); !math.IsInf(got, 1) {
		t.Errorf("jwt/ES256 overtakes a replica four times as fast at %v replicas", got)
	}
	linear := func(n int) float64 { return float64(n) }
	if got := Crossing(linear, func(int) float64 { return 6.5 }, 7); math.Abs(got-6.5) > 1e-12 {
		t.Errorf("a line crosses 6.5 at %v", got)
	}
}

// TestLaws asks of networks by chance what holds of all: the bounds, that another
// replica or another of the store's cores never hurts, and that seconds may be counted otherwise.
func TestLaws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		d := Demand{rng.ExpFloat64() * 1e-4, rng.ExpFloat64()*1e-4 + 1e-7, rng.ExpFloat64() * 1e-4}
		if rng.IntN(4) == 0 {
			d.Store = 0
		}
		s, n := System{1 + rng.IntN(24), 1 + rng.IntN(32)}, 1+rng.IntN(64)
		load := s.Solve(d, n)
		x := load.Throughput
		low, high := s.Bounds(d, n)
		if !(low*(1-1e-9) <= x && x <= high*(1+1e-9)) {
			t.Fatalf("%+v %+v: %v with %d replicas, outside of %v to %v", s, d, x, n, low, high)
		}
		if more := s.Throughput(d, n+1); more < x*(1-1e-9) {
			t.Fatalf("%+v %+v: %v with %d replicas, %v with one more", s, d, x, n, more)
		}
		if more := (System{s.StoreCores + 1, s.InFlight}).Throughput(d, n); more < x*(1-1e-9) {
			t.Fatalf("%+v %+v: %v with %d replicas, %v with one more of the store's cores", s, d, x, n, more)
		}
		slower := Demand{8 * d.Balancer, 8 * d.Replica, 8 * d.Store}
		near(t, "eight times slower", s.Throughput(slower, n), x/8, 1e-9)
		if load.ReplicaBusy > 1 || load.StoreBusy > 1 {
			t.Fatalf("%+v %+v: busier than whole: %+v", s, d, load)
		}
	}
}

func TestKneeCeilingAndBottleneck(t *testing.T) {
	d, s := Demand{Replica: 48e-6, Store: 12e-6}, System{StoreCores: 2, InFlight: 16}
	near(t, "K", d.ReplicasPerStoreCore(), 4, 1e-12)
	near(t, "knee", s.Knee(d), 8, 1e-12)
	near(t, "ceiling", s.Ceiling(d), 2/12e-6, 1e-12)
	if s.Bottleneck(d, 7) != Replicas || s.Bottleneck(d, 9) != Store {
		t.Errorf("limited by %s with 7 replicas and by %s with 9, want the replicas and then the store", s.Bottleneck(d, 7), s.Bottleneck(d, 9))
	}
	alone := Demand{Replica: 48e-6}
	if !math.IsInf(s.Knee(alone), 1) || !math.IsInf(s.Ceiling(alone), 1) || s.Bottleneck(alone, 1<<40) != Replicas {
		t.Error("a system without a store has a limit beside its replicas")
	}
}

// With 16 cores and 100,000 requests in the store weights reach far beyond what a float64 holds.
func TestVeryManyRequests(t *testing.T) {
	s, d := System{16, 1000}, Demand{20e-6, 50e-6, 40e-6}
	near(t, "store's ceiling", s.Throughput(d, 100), s.Ceiling(d), 1e-6)
}

func TestCheck(t *testing.T) {
	for _, d := range []Demand{{}, {Store: 1}, {Replica: -1}, {Replica: math.NaN()}, {Replica: 1, Store: math.Inf(1)},
		{Balancer: -1, Replica: 1}} {
		if d.Check() == nil {
			t.Errorf("%+v passes as a demand", d)
		}
	}
	for _, s := range []System{{}, {StoreCores: 1}, {InFlight: 1}} {
		if s.Check() == nil {
			t.Errorf("%+v passes as a system", s)
		}
	}
	if err := (Demand{Replica: 1}).Check(); err != nil {
		t.Error(err)
	}
	if err := (System{1, 1}).Check(); err != nil {
		t.Error(err)
	}
}
