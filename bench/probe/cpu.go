package probe

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/process"
	"authbench/bench/trial"
)

type cpuSample struct {
	at         time.Time
	generator  float64 // CPU-seconds
	components map[string]componentSample
	cpus       map[string]trial.CPUTicks // since boot
	missing    map[string]string         // what could not be read, and why
}

type componentSample struct {
	tier     trial.Tier
	cpu      float64
	throttle trial.Throttle
	rss      int64
}

func readCPU(t Targets) cpuSample {
	s := cpuSample{at: time.Now(), missing: map[string]string{}, components: make(map[string]componentSample, len(t.Components))}
	var err error
	note := func(what string, err error) {
		if err != nil {
			s.missing[what] = err.Error()
		}
	}
	s.cpus, err = readProcStat(t.CPUs)
	note("machine"+cpuTime, err)
	s.generator, err = generatorCPU()
	note("generator"+cpuTime, err)
	for _, c := range t.Components {
		v := componentSample{tier: c.Tier(), rss: c.RSS()}
		v.cpu, err = c.CPU()
		note(c.Name()+cpuTime, err)
		v.throttle, err = c.Throttle()
		note(c.Name()+" throttling", err)
		s.generator -= c.Collected()
		s.components[c.Name()] = v
	}
	for _, c := range t.Standby {
		s.generator -= c.Collected()
	}
	return s
}

// generatorCPU is ours and that of children that have ended and were collected:
// k6, by the time its script is over. A component that was collected, because a
// fault has ended it, is subtracted again.
func generatorCPU() (float64, error) {
	var own unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &own); err != nil {
		return 0, fmt.Errorf("read our own CPU time: %w", err)
	}
	children, err := process.ChildrenCPU()
	if err != nil {
		return 0, err
	}
	return time.Duration(own.Nano() + children.Nanoseconds()).Seconds(), nil
}

// readProcStat reads the times of some CPUs, by "cpu0", ...
func readProcStat(numbers []string) (map[string]trial.CPUTicks, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, fmt.Errorf("read the times of the CPUs: %w", err)
	}
	times, err := parseProcStat(string(b), numbers)
	if err != nil {
		return nil, fmt.Errorf("/proc/stat: %w", err)
	}
	return times, nil
}

func parseProcStat(text string, numbers []string) (map[string]trial.CPUTicks, error) {
	times := map[string]trial.CPUTicks{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 9 || !slices.Contains(numbers, strings.TrimPrefix(f[0], "cpu")) {
			continue
		}
		// user nice system idle iowait irq softirq steal; what follows is in user already
		var v [8]int64
		for i := range v {
			n, err := strconv.ParseInt(f[i+1], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("line %q: %w", line, err)
			}
			v[i] = n
		}
		busy := v[0] + v[1] + v[2] + v[5] + v[6]
		times[f[0]] = trial.CPUTicks{Busy: busy, Steal: v[7], Total: busy + v[3] + v[4] + v[7]}
	}
	if len(times) != len(numbers) {
		return nil, fmt.Errorf("has not all of the CPUs %s", strings.Join(numbers, ","))
	}
	return times, nil
}
