package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// contract is what every runtime holds.
var contract = []struct {
	name  string
	check func(*testing.T, *Runtime)
}{
	{"every arm serves", checkEveryArmServes},
	{"a budget is kept and lifted", checkABudgetIsKeptAndLifted},
	{"round robin and least_conn spread evenly", checkRoundRobinAndLeastConnSpreadEvenly},
	{"memory without stickiness loses sessions", checkMemoryWithoutStickinessLosesSessions},
	{"cookies keep users at their session", checkCookieBalancersKeepUsersAtTheirSession},
	{"sticky fails over when its replica dies", checkStickyFailsOverWhenItsReplicaDies},
	{"shared credentials are minted once", checkSharedCredentialsAreMintedOnce},
	{"minting waits for a slow store", checkMintingWaitsForASlowStore},
	{"what is left broken is mended", checkWhatIsLeftBrokenIsMended},
	{"accounts in PostgreSQL are shared", checkAccountsInPostgresAreShared},
	{"two stand side by side", checkTwoStandSideBySide},
	{"specs that cannot be started", checkSpecsThatCannotBeStarted},
}

func holdsTheContract(t *testing.T, rt *Runtime) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.check(t, rt) })
	}
}

func TestNativeHoldsTheContract(t *testing.T) { holdsTheContract(t, newNative(t)) }

func TestComposeHoldsTheContract(t *testing.T) { holdsTheContract(t, newCompose(t)) }

func checkEveryArmServes(t *testing.T, n *Runtime) {
	arms := []trial.Arm{"jwt/HS256+cookie", "session/redis+header"}
	for _, k := range arm.All() {
		arms = append(arms, k.Name)
	}
	for _, a := range arms {
		spec := cell(a, 2, trial.Sticky)
		s := up(t, n, spec)
		if len(s.Credentials) != spec.System.Users {
			t.Errorf("%s: %d credentials, want %d", a, len(s.Credentials), spec.System.Users)
		}
		for _, c := range s.Credentials {
			if sub, err := whoami(t.Context(), s.URL, c); err != nil || sub != c.User {
				t.Fatalf("%s: %s is answered as %q, %v", a, c.User, sub, err)
			}
		}
		for _, c := range s.Components {
			cpu, err := c.CPU()
			if err != nil || cpu <= 0 || c.RSS() <= 0 || len(c.PIDs()) == 0 {
				t.Errorf("%s: %s: CPU %v s, %v; RSS %v", a, c.Name(), cpu, err, c.RSS())
			}
		}
		if err := s.Down(t.Context()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// A replica that would use more gets what its budget says, and the next stack
// has none.
func checkABudgetIsKeptAndLifted(t *testing.T, n *Runtime) {
	if !n.Capabilities().Budgets {
		t.Logf("no budgets here: %s", n.Capabilities().Reason)
		return
	}
	spec := cell("none", 1, trial.RoundRobin)
	spec.System.Budgets = map[trial.Tier]float64{trial.ReplicaTier: 0.1}
	s := up(t, n, spec)
	r := s.Replicas[0].component
	load, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for load.Err() == nil {
			whoami(load, s.URL, trial.Credential{})
		}
	}()
	cpu0, err := r.CPU()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	await(t, "throttling", func() bool {
		th, err := r.Throttle()
		if err != nil {
			t.Fatal(err)
		}
		return th.Throttled >= 10
	})
	cpu1, err := r.CPU()
	if share := (cpu1 - cpu0) / time.Since(began).Seconds(); err != nil || share > 0.12 {
		t.Errorf("a replica with a budget of 0.1 CPU used %.3f, %v", share, err)
	}
	stop()
	<-done
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if quota := r.quota(t); quota != "" && quota != "-1" && quota != "max" {
		t.Errorf("a budget stays when its trial is over, as a quota of %s", quota)
	}
	s = up(t, n, cell("none", 1, trial.RoundRobin))
	if th, err := s.Replicas[0].component.Throttle(); err != nil || th.Throttled > 0 && n.kind == KindCompose {
		t.Errorf("a new replica is throttled: %+v, %v", th, err)
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

// Of two systems that are up together each has its own parts and its own bill, and
// the end of one leaves the other alone.
func checkTwoStandSideBySide(t *testing.T, n *Runtime) {
	var stacks [2]*Stack
	var starts errgroup.Group // both at once, as a trial's cells start
	for i, a := range []trial.Arm{"session/redis", "none"} {
		starts.Go(func() (err error) {
			stacks[i], err = n.Up(t.Context(), cell(a, 2, trial.RoundRobin))
			return err
		})
	}
	if err := starts.Wait(); err != nil {
		t.Fatal(err)
	}
	busy, idle := stacks[0], stacks[1]
	used := func(s *Stack) (seconds float64) {
		for _, c := range s.Components {
			if c.Tier() != trial.StoreTier {
				cpu, err := c.CPU()
				if err != nil {
					t.Fatal(err)
				}
				seconds += cpu
			}
		}
		return seconds
	}
	for _, s := range stacks {
		for _, c := range s.Components {
			checkBound(t, c, n.opts.SystemCPUs)
		}
		var names []string
		for _, r := range s.Replicas {
			names = append(names, r.Name)
		}
		if !slices.Equal(names, []string{"r1", "r2"}) {
			t.Errorf("replicas %v, want r1 and r2 of each", names)
		}
	}
	before, beforeIdle := used(busy), used(idle)
	for range 500 {
		if sub, err := whoami(t.Context(), busy.URL, busy.Credentials[0]); err != nil || sub != busy.Credentials[0].User {
			t.Fatalf("answered as %q, %v", sub, err)
		}
	}
	if did, idled := used(busy)-before, used(idle)-beforeIdle; idled > did/3 {
		t.Errorf("500 requests to one took %.4f s of CPU there, and %.4f s at the other", did, idled)
	}
	if s, err := n.Up(t.Context(), cell("jwt/HS256", 1, trial.RoundRobin)); err == nil || !strings.Contains(err.Error(), "redis") {
		t.Errorf("a second system with the same Redis: %v", err)
		s.Down(t.Context())
	}
	if err := busy.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := whoami(t.Context(), idle.URL, trial.Credential{}); err != nil {
		t.Errorf("after the end of the other: %v", err)
	}
	if err := idle.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

// awaitDeath waits until a component is known to have ended.
func awaitDeath(t *testing.T, c *Component) {
	t.Helper()
	await(t, "the end of "+c.Name(), func() bool { return c.unit.Died() != nil })
}

// quota is a component's as the kernel has it; "" where it went with its group.
func (c *Component) quota(t *testing.T) string {
	for _, file := range []string{"cpu.cfs_quota_us", "cpu.max"} {
		b, err := os.ReadFile(filepath.Join(c.group.cpu, file))
		if err == nil {
			quota, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
			return quota
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return ""
}

// checkBound sees to it that every thread of a component runs on the CPUs of a list.
func checkBound(t *testing.T, c *Component, cpus string) {
	t.Helper()
	for _, pid := range c.PIDs() {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if err != nil || len(threads) == 0 {
			t.Errorf("%s: %d threads, %v", c.Name(), len(threads), err)
		}
		for _, status := range threads {
			b, err := os.ReadFile(status)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended
				continue
			}
			_, after, _ := strings.Cut(string(b), "Cpus_allowed_list:\t")
			if on, _, _ := strings.Cut(after, "\n"); on != cpus {
				t.Errorf("%s: a thread may run on CPUs %q, want %q: %v", c.Name(), on, cpus, err)
			}
		}
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// A store that answers late on a busy machine would end the run by one credential
// of a hundred thousand.
func checkMintingWaitsForASlowStore(t *testing.T, n *Runtime) {
	spec := cell("session/cookie", 1, trial.RoundRobin)
	spec.System.Server = map[string]string{trial.SettingStoreTimeout: "1ms"}
	minter, err := n.startMinter(t.Context(), &Stack{spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	defer minter.component.unit.Stop(context.WithoutCancel(t.Context()))
	resp, err := get(t.Context(), minter.PrivateURL+"/config", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Timeout string `json:"store_timeout"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Timeout != "10s" {
		t.Errorf("a call to a store may take %q, %v; want 10s", got.Timeout, err)
	}
	if spec.System.Server[trial.SettingStoreTimeout] != "1ms" {
		t.Error("minting changes what the replicas that are measured have")
	}
}
