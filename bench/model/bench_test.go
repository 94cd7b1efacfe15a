package model

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkCurves solves 8 arms for 1 to 64 replicas in each of 1,000 draws, as a chart with intervals needs it.
func BenchmarkCurves(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var arms [][]Start
	for i := range 8 {
		d := Demand{50e-6, 30e-6 + 10e-6*float64(i), float64(i%2) * 13e-6}
		arms = append(arms, starts(rng, slowness(rng, 8, 0.1), d, 0.01))
	}
	s := System{StoreCores: 1, InFlight: 16}
	for b.Loop() {
		d, err := Draw(arms, 1000, 1)
		if err != nil {
			b.Fatal(err)
		}
		for i := range arms {
			for n := 1; n <= 64; n *= 2 {
				d.Of(i, func(d Demand) float64 { return s.Throughput(d, n) })
			}
		}
	}
}

func BenchmarkSolve64(b *testing.B) {
	s, d := System{StoreCores: 1, InFlight: 16}, Demand{50e-6, 50e-6, 1e-6}
	for b.Loop() {
		s.Throughput(d, 64)
	}
}

// BenchmarkSimulate is one request of a system of 64 replicas with a store.
func BenchmarkSimulate(b *testing.B) {
	s := Simulation{Demand: Demand{50e-6, 50e-6, 13e-6}, Replicas: 64, StoreCores: 32, Pool: 16, Rate: 600_000, Requests: max(b.N, 1), Seed: 1}
	b.ResetTimer()
	s.Run()
}
