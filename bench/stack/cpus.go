package stack

import (
	"fmt"

	"authbench/bench/process"
)

// SplitCPUs divides the CPUs between the load generator and the system under
// test, as CPU lists: about a third to the generator, which must never be what
// is measured. With a single CPU both share it, and the warning says so.
func SplitCPUs(available []int) (generator, system, warning string) {
	if len(available) < 2 {
		all := process.FormatCPUs(available)
		return all, all, fmt.Sprintf("there is one CPU (%s): generator and system under test share it, so latencies and capacities are those of both together", all)
	}
	n := max(1, len(available)/3)
	return process.FormatCPUs(available[:n]), process.FormatCPUs(available[n:]), ""
}
