package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ID is a process for certain: a PID alone may have been given to another one.
type ID struct {
	PID   int
	Start uint64 // clock ticks since boot
}

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for all it shows in /proc.
const ticksPerSecond = 100

// stat is what we read of /proc/<pid>/stat.
type stat struct {
	state       string
	parent      int
	start       uint64
	reapedTicks int64 // CPU of children that ended and were collected
	rssPages    int64
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name, in parentheses, may hold spaces and parentheses of its own.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 22 {
		return stat{}, fmt.Errorf("/proc/%d/stat is too short: %q", pid, b)
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(f[i], 10, 64); return v }
	return stat{state: f[0], parent: int(n(1)), start: uint64(n(19)), reapedTicks: n(13) + n(14), rssPages: n(21)}, nil
}

// Identify reads a process' start time. The error wraps fs.ErrNotExist if there
// is no such process.
func Identify(pid int) (ID, error) {
	s, err := readStat(pid)
	return ID{pid, s.start}, err
}

// Alive says whether this very process still runs; one that has ended and waits
// to be collected does not.
func (id ID) Alive() bool {
	s, err := readStat(id.PID)
	return err == nil && s.start == id.Start && s.state != "Z" && s.state != "X"
}

// runs says whether it is alive and not stopped by a signal.
func (id ID) runs() bool {
	s, err := readStat(id.PID)
	return err == nil && s.start == id.Start && !strings.Contains("ZXTt", s.state)
}

func (id ID) signal(sig syscall.Signal) {
	if id.Alive() {
		unix.Kill(id.PID, sig)
	}
}

// Tree lists a process and everything below it.
func Tree(pid int) []ID {
	children := map[int][]ID{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			if s, err := readStat(n); err == nil {
				children[s.parent] = append(children[s.parent], ID{n, s.start})
			}
		}
	}
	root, err := Identify(pid)
	if err != nil {
		return nil
	}
	tree := []ID{root}
	for i := 0; i < len(tree); i++ { // grows while we walk it
		tree = append(tree, children[tree[i].PID]...)
	}
	return tree
}

// CPU is the CPU time of a process and everything below it, to the nanosecond
// for the living and to 10 ms for the collected. A process that ends uncollected
// in the middle is missed.
func CPU(pid int) (time.Duration, error) {
	tree := Tree(pid)
	if len(tree) == 0 {
		return 0, fmt.Errorf("read the CPU time of PID %d: %w", pid, os.ErrProcessDone)
	}
	var sum time.Duration
	for _, id := range tree {
		var ts unix.Timespec
		// The kernel's clock number of another process' CPU time: see CPUCLOCK_SCHED.
		if unix.ClockGettime(int32(^id.PID<<3|2), &ts) == nil {
			sum += time.Duration(ts.Nano())
		}
		if s, err := readStat(id.PID); err == nil {
			sum += time.Duration(s.reapedTicks) * time.Second / ticksPerSecond
		}
	}
	return sum, nil
}

// ChildrenCPU is the CPU time of all our children that have ended and were
// collected, with what they had collected themselves.
func ChildrenCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &u); err != nil {
		return 0, fmt.Errorf("read our children's CPU time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// RSS is the resident memory of some processes, in bytes. Memory that they
// share counts in each of them; one that has ended counts nothing.
func RSS(pids []int) (bytes int64) {
	for _, pid := range pids {
		if s, err := readStat(pid); err == nil {
			bytes += s.rssPages * int64(os.Getpagesize())
		}
	}
	return bytes
}
