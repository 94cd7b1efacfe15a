package stack

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// playRole is the test binary as one of the programs that tests start.
func playRole() {
	switch os.Getenv("STACK_TEST_ROLE") {
	case "burner":
		for { //nolint:revive,staticcheck // to burn is all it does
		}
	case "run":
		playRun()
	case "compose run":
		playComposeRun()
	}
	os.Exit(3)
}

// A process that would take a whole CPU gets what its budget says. Where
// control groups cannot be used the runtime says why, and refuses budgets.
func TestABurnerGetsItsBudget(t *testing.T) {
	n := newNative(t)
	if !n.Capabilities().Budgets {
		t.Logf("no budgets on this machine: %s", n.Capabilities().Reason)
		spec := cell("none", 1, trial.RoundRobin)
		spec.System.Budgets = map[trial.Tier]float64{trial.ReplicaTier: 0.5}
		if n.Capabilities().Reason == "" || n.check(spec) == nil {
			t.Error("a budget was accepted without control groups, or no reason given")
		}
		return
	}
	for _, budget := range []float64{0.05, 0.3} {
		c := burner(t, n)
		if err := c.setBudget(budget); err != nil {
			t.Fatal(err)
		}
		// It never gets more. That it gets less may be somebody else's work on
		// the same CPU, so it must get its due in one of several rounds.
		const periods, rounds = 20, 20
		var share float64
		var throttle trial.Throttle
		for range rounds {
			if share, throttle = measure(t, c, periods); share > budget*1.05 {
				t.Errorf("a burner with a budget of %g CPU used %.4f", budget, share)
			}
			if share >= budget*0.95 && throttle.Throttled >= periods-2 {
				break
			}
		}
		if share < budget*0.95 {
			t.Errorf("a burner with a budget of %g CPU used %.4f at most", budget, share)
		}
		if throttle.Periods < periods-2 || throttle.Throttled < periods-2 || throttle.Seconds <= 0 {
			t.Errorf("throttling of a burner over %d periods: %+v", periods, throttle)
		}
		if err := c.unit.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func burner(t *testing.T, n *Runtime) *Component {
	t.Helper()
	c, err := n.host.(*native).component("", "burner", trial.ReplicaTier)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.host.(*native).child(t.Context(), c,
		process.Command{Name: "burner", Path: os.Args[0], Env: []string{"STACK_TEST_ROLE=burner", "GOMAXPROCS=1"},
			CPUs: n.opts.SystemCPUs}, func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// measure reads a component's CPU share over so many periods, counted by the
// kernel: from one throttling to another, so that no part of a period counts.
func measure(t *testing.T, c *Component, periods int64) (share float64, d trial.Throttle) {
	t.Helper()
	at := func(n int64) (float64, time.Time, trial.Throttle) {
		for deadline := time.Now().Add(30 * time.Second); ; {
			if time.Now().After(deadline) {
				t.Fatal("a burner was not throttled in 30 s")
			}
			th, err := c.Throttle()
			if err != nil {
				t.Fatal(err)
			}
			if th.Throttled >= n {
				cpu, err := c.CPU()
				if err != nil {
					t.Fatal(err)
				}
				return cpu, time.Now(), th
			}
		}
	}
	th, err := c.Throttle()
	if err != nil {
		t.Fatal(err)
	}
	cpu0, t0, th0 := at(th.Throttled + 2)
	cpu1, t1, th1 := at(th0.Throttled + periods)
	return (cpu1 - cpu0) / t1.Sub(t0).Seconds(), trial.Throttle{Periods: th1.Periods - th0.Periods, Throttled: th1.Throttled - th0.Throttled,
		Seconds: th1.Seconds - th0.Seconds}
}

// Without control groups CPU comes from the processes' own clocks; both must agree.
func TestProcessClocksAgreeWithTheGroup(t *testing.T) {
	n := newNative(t)
	c := burner(t, n)
	both := func() (group, clock float64) {
		group, err := c.CPU()
		d, err2 := process.CPU(c.PIDs()[0])
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return group, d.Seconds()
	}
	g0, p0 := both()
	for g, p := both(); ; g, p = both() {
		if g-g0 < 0.5 && p-p0 < 0.5 {
			continue
		}
		if r := (p - p0) / (g - g0); r < 0.95 || r > 1.05 {
			t.Errorf("the process' clock says %v s, its group %v s", p-p0, g-g0)
		}
		return
	}
}

func TestVersion2Files(t *testing.T) {
	dir := t.TempDir()
	g := &group{version: 2, cpu: dir, account: dir}
	stat := "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\nnr_periods 30\nnr_throttled 7\nthrottled_usec 250000\n"
	if err := os.WriteFile(filepath.Join(dir, "cpu.stat"), []byte(stat), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cpu.max"), nil, 0o644); err != nil { // in a real group the kernel has made it
		t.Fatal(err)
	}
	if used, err := g.used(); err != nil || used != 1.5 {
		t.Errorf("used %v s, %v; want 1.5", used, err)
	}
	th, err := g.throttle()
	if d := cmp.Diff(trial.Throttle{Periods: 30, Throttled: 7, Seconds: 0.25}, th); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	for cpus, want := range map[float64]string{0.25: "25000 100000", 2: "200000 100000", 0.1: "10000 100000", 0.05: "10000 200000",
		0.03: "10000 333333", 0: "max 100000"} {
		if err := g.setBudget(cpus); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, "cpu.max")); string(b) != want {
			t.Errorf("%g CPUs: %q, want %q", cpus, b, want)
		}
	}
	if err := g.setBudget(0.01); err == nil {
		t.Error("a quota of 10 ms in a second was accepted")
	}
	if len(g.dirs()) != 1 {
		t.Errorf("directories %v, want one", g.dirs())
	}
}
