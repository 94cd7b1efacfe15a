package trial_test

import (
	"fmt"

	"authbench/bench/trial"
)

// A cell names a point of an experiment; selectors, labels and file names derive from it.
func ExampleCell() {
	c := trial.NewCell("arm", "session/redis", "replicas", 4)
	fmt.Println(c)
	fmt.Println(c.With("replicas", 1).Words())
	fmt.Println(c.Holds(trial.NewCell("arm", "session/redis")))
	// Output:
	// arm=session/redis replicas=4
	// session/redis, replicas=1
	// true
}
