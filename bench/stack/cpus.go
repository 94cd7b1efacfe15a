package stack

import (
	"fmt"
	"slices"

	"authbench/bench/process"
)

// SplitCPUs divides the CPUs between the load generator and the system under
// test, as CPU lists: about a third to the generator, which must never be what
// is measured. With a single CPU both share it, and the warning says so.
func SplitCPUs(available []int) (generator, system, warning string) {
	if len(available) < 2 {
		all := process.FormatCPUs(available)
		return all, all, fmt.Sprintf("there is one CPU (%s): generator and system under test share it, so latencies and capacities are those "+
			"of both together", all)
	}
	n := max(1, len(available)/3)
	return process.FormatCPUs(available[:n]), process.FormatCPUs(available[n:]), ""
}

// joinCPUs is the list of all the CPUs that are available or in one of the lists.
func joinCPUs(available []int, lists ...string) (string, error) {
	all := available
	for _, list := range lists {
		if list == "" {
			continue
		}
		cpus, err := process.ParseCPUs(list)
		if err != nil {
			return "", err
		}
		all = append(all, cpus...)
	}
	slices.Sort(all)
	return process.FormatCPUs(slices.Compact(all)), nil
}
