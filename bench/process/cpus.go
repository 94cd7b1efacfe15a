package process

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseCPUs reads a list such as "1" or "0-2,5" into sorted CPU numbers.
func ParseCPUs(list string) ([]int, error) {
	const most = 1024 // what one affinity mask holds
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < 0 || b < a || b >= most {
			return nil, fmt.Errorf("CPU list %q: want numbers and ranges such as 0-2,5", list)
		}
		for n := a; n <= b; n++ {
			cpus = append(cpus, n)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

// FormatCPUs writes CPU numbers as a list: 0,1,2,5 becomes "0-2,5".
func FormatCPUs(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		part := strconv.Itoa(cpus[i])
		if j > i {
			part += "-" + strconv.Itoa(cpus[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// AvailableCPUs lists the CPUs that this process may use.
func AvailableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("read our CPU affinity: %w", err)
	}
	var cpus []int
	for n := range len(set) * 64 {
		if set.IsSet(n) {
			cpus = append(cpus, n)
		}
	}
	return cpus, nil
}

// PinSelf is [Pin] for this process.
func PinSelf(list string) error { return Pin(os.Getpid(), list) }

// Pin binds every thread of a process to the CPUs of the list; threads to come
// inherit it.
func Pin(pid int, list string) error {
	set, err := cpuSet(list)
	if err != nil {
		return err
	}
	// A thread that an unpinned one starts meanwhile is unpinned: look again
	// until a look finds nothing new.
	pinned := map[int]bool{}
	for range 10 {
		news := false
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return fmt.Errorf("list the threads of process %d: %w", pid, err)
		}
		for _, t := range threads {
			tid, _ := strconv.Atoi(t.Name())
			if pinned[tid] {
				continue
			}
			if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("bind process %d to CPUs %s: %w", pid, list, err)
			}
			pinned[tid], news = true, true
		}
		if !news {
			return nil
		}
	}
	return nil
}

func cpuSet(list string) (*unix.CPUSet, error) {
	cpus, err := ParseCPUs(list)
	if err != nil {
		return nil, err
	}
	var set unix.CPUSet
	for _, n := range cpus {
		set.Set(n)
	}
	return &set, nil
}
