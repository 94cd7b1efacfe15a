package model_test

import (
	"fmt"

	"authbench/bench/model"
)

// What one core of a store can feed, and from how many replicas on an arm that
// asks no store serves more although each of its requests costs more.
func Example() {
	const us = 1e-6
	redis := model.Demand{Balancer: 33 * us, Replica: 47 * us, Store: 13 * us}
	es256 := model.Demand{Balancer: 45 * us, Replica: 104 * us}
	one := model.System{StoreCores: 1, InFlight: 16}

	fmt.Printf("one store core is used up by %.1f replicas, at %.0f/s\n", redis.ReplicasPerStoreCore(), one.Ceiling(redis))
	for _, n := range []int{1, 4, 16} {
		r, e := one.Solve(redis, n), one.Solve(es256, n)
		fmt.Printf("%2d replicas: session/redis %5.0f/s (%s), jwt/ES256 %6.0f/s\n", n, r.Throughput, one.Bottleneck(redis, n), e.Throughput)
	}
	curve := func(d model.Demand) func(int) float64 {
		return func(replicas int) float64 { return one.Throughput(d, replicas) }
	}
	fmt.Printf("jwt/ES256 serves more from %.1f replicas on\n", model.Crossing(curve(es256), curve(redis), 1000))
	// Output:
	// one store core is used up by 3.6 replicas, at 76923/s
	//  1 replicas: session/redis 21277/s (replicas), jwt/ES256   9615/s
	//  4 replicas: session/redis 76288/s (store), jwt/ES256  36695/s
	// 16 replicas: session/redis 76923/s (store), jwt/ES256 145120/s
	// jwt/ES256 serves more from 8.5 replicas on
}
