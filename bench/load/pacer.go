package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"authbench/bench/trial"
)

// pacer says when the next request of an open phase should start, as time since
// the phase's start. It never looks at the clock or at answers.
type pacer func() time.Duration

// newPacer spaces starts at rate requests per second.
func newPacer(a trial.Arrivals, rate float64, rng *rand.Rand) (pacer, error) {
	switch a {
	case trial.Even, "":
		n := 0.0
		return func() time.Duration {
			at := n / rate * float64(time.Second) // from the count: a sum of gaps would drift
			n++
			return time.Duration(at)
		}, nil
	case trial.Poisson:
		at := 0.0
		return func() time.Duration {
			at += rng.ExpFloat64() / rate * float64(time.Second)
			return time.Duration(at)
		}, nil
	}
	return nil, fmt.Errorf("unknown arrivals %q: allowed are even and poisson", a)
}
