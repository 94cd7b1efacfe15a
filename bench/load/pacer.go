package load

import (
	"math/rand/v2"
	"time"

	"authbench/bench/trial"
)

// pacer says when the next request of an open leg should start, as time since
// the step's start. It never looks at the clock or at answers.
type pacer func() time.Duration

// newPacer spaces starts at rate requests per second. Even ones begin the given
// share of a gap after the start.
func newPacer(a trial.Arrivals, rate, shift float64, rng *rand.Rand) pacer {
	if a == trial.Poisson {
		at := 0.0
		return func() time.Duration {
			at += rng.ExpFloat64() / rate * float64(time.Second)
			return time.Duration(at)
		}
	}
	n := shift
	return func() time.Duration {
		at := n / rate * float64(time.Second) // from the count: a sum of gaps would drift
		n++
		return time.Duration(at)
	}
}
