package stack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Bounds on quotas, in microseconds. A shorter one lies: on a kernel of 250 ticks a
// second, 1 ms in 20 let a process run 3.7 ms and then froze it for 76.
const (
	budgetPeriod = 100_000
	leastQuota   = 10_000 // in a period, which is longer for a budget that would have less
	budgetLeast  = 0.02   // CPUs: a process that is out of quota stands still for half a second
)

// quotaOf is a budget as a quota in a period, both in microseconds; without a
// budget the quota is -1.
func quotaOf(cpus float64) (quota, period int) {
	switch {
	case cpus == 0:
		return -1, budgetPeriod
	case cpus*budgetPeriod < leastQuota:
		period = int(math.Round(leastQuota / cpus))
	default:
		period = budgetPeriod
	}
	return int(math.Round(cpus * float64(period))), period
}

// groups makes control groups below one of our own in each hierarchy.
type groups struct {
	version int    // of control groups: 1 or 2
	cpu     string // our group with the quota
	account string // our group with the accounting; the same in version 2
	ledger  *process.Ledger
}

// group is the control group of one component.
type group struct {
	version      int
	cpu, account string
}

// newGroups finds out whether control groups can be used here, and makes ours.
// The reason, if they cannot, is the error.
func newGroups(l *process.Ledger) (*groups, error) {
	g, err1 := groupsV1(l)
	if err1 == nil {
		err1 = g.try()
	}
	if err1 == nil {
		return g, nil
	}
	g, err2 := groupsV2(l)
	if err2 == nil {
		err2 = g.try()
	}
	if err2 == nil {
		return g, nil
	}
	return nil, fmt.Errorf("version 1: %w; version 2: %w", err1, err2)
}

// try starts a program under a budget: that the files are there does not mean
// that we may use them.
func (g *groups) try() error {
	c, err := g.group("try")
	if err != nil {
		return err
	}
	if err := c.setBudget(1); err != nil {
		return err
	}
	p, err := g.ledger.Start(process.Command{Name: "try", Path: "true", Groups: c.dirs()})
	if err != nil {
		return err
	}
	return p.Wait()
}

func groupName(l *process.Ledger) string { return "authbench-" + filepath.Base(l.Dir()) }

func groupsV1(l *process.Ledger) (*groups, error) {
	g := &groups{version: 1, ledger: l}
	for _, h := range []struct {
		controller string
		dir        *string
	}{{"cpu", &g.cpu}, {"cpuacct", &g.account}} {
		own, err := process.OwnGroup(h.controller)
		if err != nil {
			return nil, err
		}
		*h.dir = filepath.Join(own, groupName(l))
		if err := l.MakeGroup(*h.dir); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(g.cpu, "cpu.cfs_quota_us")); err != nil {
		return nil, fmt.Errorf("this kernel has no CPU quotas: %w", err)
	}
	return g, nil
}

// groupsV2 tries our own group and then those above it: a group that holds
// processes cannot hand out CPU to groups below, so ours usually cannot.
func groupsV2(l *process.Ledger) (*groups, error) {
	own, err := process.OwnGroup("")
	if err != nil {
		return nil, err
	}
	var errs []error
	for dir := own; ; dir = filepath.Dir(dir) {
		controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			break // above the mount
		}
		if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " cpu ") {
			errs = append(errs, fmt.Errorf("%s has no cpu controller", dir))
			continue
		}
		g := &groups{version: 2, cpu: filepath.Join(dir, groupName(l)), ledger: l}
		g.account = g.cpu
		if err = enableCPU(dir); err == nil {
			if err = l.MakeGroup(g.cpu); err == nil {
				if err = enableCPU(g.cpu); err == nil {
					return g, nil
				}
			}
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// enableCPU lets the groups below dir have quotas.
func enableCPU(dir string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	if b, err := os.ReadFile(file); err == nil && strings.Contains(" "+strings.TrimSpace(string(b))+" ", " cpu ") {
		return nil
	}
	return os.WriteFile(file, []byte("+cpu"), 0)
}

// group makes the group of a component, or finds it from an earlier trial.
func (g *groups) group(name string) (*group, error) {
	c := &group{version: g.version, cpu: filepath.Join(g.cpu, name), account: filepath.Join(g.account, name)}
	for _, dir := range c.dirs() {
		if err := g.ledger.MakeGroup(dir); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// dirs lists the group's directories; hierarchies that are mounted together
// have one, and no group has none.
func (g *group) dirs() []string {
	if g == nil {
		return nil
	}
	if g.cpu == g.account {
		return []string{g.cpu}
	}
	return []string{g.cpu, g.account}
}

// setBudget limits the group to so many CPUs; 0 lifts the limit.
func (g *group) setBudget(cpus float64) error {
	if cpus != 0 && cpus < budgetLeast {
		return fmt.Errorf("a CPU budget of %g: the least is %g CPU (10 ms in 500 ms), below it processes stand still for too long",
			cpus, budgetLeast)
	}
	n, period := quotaOf(cpus)
	quota := strconv.Itoa(n)
	write := func(file, text string) error {
		if err := os.WriteFile(filepath.Join(g.cpu, file), []byte(text), 0); err != nil {
			return fmt.Errorf("set a CPU budget: %w", err)
		}
		return nil
	}
	if g.version == 2 {
		if cpus == 0 {
			quota = "max"
		}
		return write("cpu.max", fmt.Sprintf("%s %d", quota, period))
	}
	// Without a quota meanwhile: the old one is another budget in the new period.
	return errors.Join(write("cpu.cfs_quota_us", "-1"), write("cpu.cfs_period_us", strconv.Itoa(period)), write("cpu.cfs_quota_us", quota))
}

// used is the CPU time the group has used, in seconds.
func (g *group) used() (float64, error) {
	if g.version == 2 {
		f, err := readStats(filepath.Join(g.account, "cpu.stat"))
		return float64(f["usage_usec"]) / 1e6, err
	}
	b, err := os.ReadFile(filepath.Join(g.account, "cpuacct.usage"))
	if err != nil {
		return 0, fmt.Errorf("read a control group: %w", err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read a control group: %w", err)
	}
	return float64(ns) / 1e9, nil
}

// pids lists the processes that are in the group.
func (g *group) pids() (pids []int) {
	b, _ := os.ReadFile(filepath.Join(g.account, "cgroup.procs"))
	for f := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// throttle is what the quota has withheld.
func (g *group) throttle() (trial.Throttle, error) {
	f, err := readStats(filepath.Join(g.cpu, "cpu.stat"))
	if err != nil {
		return trial.Throttle{}, err
	}
	seconds := float64(f["throttled_time"]) / 1e9 // version 1, ns
	if g.version == 2 {
		seconds = float64(f["throttled_usec"]) / 1e6
	}
	return trial.Throttle{Periods: f["nr_periods"], Throttled: f["nr_throttled"], Seconds: seconds}, nil
}

// readStats reads a file of "name number" lines.
func readStats(file string) (map[string]int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a control group: %w", err)
	}
	stats := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read a control group: %s: %w", file, err)
		}
		stats[name] = n
	}
	return stats, nil
}
