package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// leftBehind is what a run must not leave.
type leftBehind struct {
	Dir    string
	Groups []string
	IDs    []process.ID
}

func traces(n *Runtime) leftBehind {
	l := leftBehind{Dir: n.host.(*native).ledger.Dir(), IDs: process.Tree(os.Getpid())[1:]}
	if n.host.(*native).groups != nil {
		l.Groups = []string{n.host.(*native).groups.cpu, n.host.(*native).groups.account}
	}
	return l
}

// playRun starts a stack and both stores, says what there is and waits to be killed.
func playRun() {
	n, err := NewNative(Options{ServerBinary: os.Getenv("STACK_TEST_SERVER")})
	if err == nil {
		for _, arm := range []trial.Arm{"session/postgres", "session/redis"} {
			var s *Stack
			if s, err = n.Up(context.Background(), cell(arm, 1, trial.RoundRobin)); err != nil {
				break
			}
			store, _ := s.Component("store") // a fault has ended it: what came back must end as well
			if err = errors.Join(store.Halt(context.Background(), false), store.Start(context.Background())); err != nil {
				break
			}
			if arm == "session/postgres" {
				s.Down(context.Background()) // its PostgreSQL lives on
			} else {
				err = store.Pause(context.Background()) // what hangs too
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(traces(n))
	bufio.NewReader(os.Stdin).ReadString('\n') // for ever: nothing is sent
	os.Exit(0)
}

func gone(t *testing.T, l leftBehind) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for _, id := range l.IDs {
		for id.Alive() {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("process %d still runs", id.PID)
			}
		}
	}
	for _, path := range append(l.Groups, l.Dir) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	n := newNative(t)
	up(t, n, cell("session/postgres", 2, trial.RoundRobin)) // not taken down, as after an error in the middle
	l := traces(n)
	if len(l.IDs) < 8 {
		t.Fatalf("%d processes, want nginx and its worker, two replicas and PostgreSQL", len(l.IDs))
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, l)
}

func TestKilledRunLeavesNothing(t *testing.T) {
	n := newNative(t) // sets TMPDIR, and lives beside the run that is killed
	run := exec.Command(os.Args[0])
	run.Env = append(os.Environ(), "STACK_TEST_ROLE=run", "STACK_TEST_SERVER="+serverBinary)
	run.Stderr = os.Stderr
	if _, err := run.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Process.Kill(); run.Wait() })
	var l leftBehind
	if err := json.NewDecoder(out).Decode(&l); err != nil {
		t.Fatal(err)
	}
	if len(l.IDs) < 8 {
		t.Fatalf("%d processes, want nginx and its worker, a replica, Redis and PostgreSQL", len(l.IDs))
	}
	run.Process.Kill()
	run.Wait()
	if err := process.Sweep(); err != nil {
		t.Fatal(err)
	}
	gone(t, l)
	s := up(t, n, cell("session/redis", 1, trial.RoundRobin))
	if err := s.Down(t.Context()); err != nil {
		t.Errorf("the run beside it was touched: %v", err)
	}
}

func TestInterruptedStartLeavesNoTrial(t *testing.T) {
	n := newNative(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Up(ctx, cell("none", 2, trial.RoundRobin)); !errors.Is(err, context.Canceled) {
		t.Errorf("Up: %v, want it cancelled", err)
	}
	if tree := process.Tree(os.Getpid()); len(tree) > 1 {
		t.Errorf("processes left: %v", tree[1:])
	}
}

func checkSpecsThatCannotBeStarted(t *testing.T, n *Runtime) {
	for want, edit := range map[string]func(*trial.CellSpec){
		"unknown arm":      func(s *trial.CellSpec) { s.System.Arm = "session/disk" },
		"unknown balancer": func(s *trial.CellSpec) { s.System.Balancer = "random" },
		"0 replicas":       func(s *trial.CellSpec) { s.System.Replicas = 0 },
		"a pool of 0":      func(s *trial.CellSpec) { s.System.Server["pool"] = "0" },
		"0 users":          func(s *trial.CellSpec) { s.System.Users = 0 },
		"resident":         func(s *trial.CellSpec) { s.System.Resident = 1 },
		"CPU budget":       func(s *trial.CellSpec) { s.System.Budgets = map[trial.Tier]float64{trial.StoreTier: 0.01} },
		"connections each": func(s *trial.CellSpec) { s.System.Arm = "session/postgres"; s.System.Server["pool"] = "150" },
	} {
		s := cell("session/redis", 2, trial.RoundRobin)
		edit(&s)
		if _, err := n.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
	s := cell("none", 1, trial.RoundRobin) // the server itself refuses
	s.System.Server["argon2"] = "much"
	if _, err := n.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "argon2") || !strings.Contains(err.Error(), "r1") {
		t.Errorf("%v; want the replica's name and its own words", err)
	}
}

func TestAReplicaThatIsNotWhatWasAskedFor(t *testing.T) {
	n := newNative(t)
	spec := cell("jwt/ES256", 1, trial.RoundRobin)
	s := up(t, n, spec)
	r := s.Replicas[0]
	for field, edit := range map[string]func(*trial.CellSpec){
		"arm":        func(s *trial.CellSpec) { s.System.Arm = "jwt/EdDSA" },
		"lifetime":   func(s *trial.CellSpec) { s.System.Server["lifetime"] = "1m0s" },
		"pool":       func(s *trial.CellSpec) { s.System.Server["pool"] = "99" },
		"argon2":     func(s *trial.CellSpec) { s.System.Server["argon2"] = "m=128,t=1,p=1" },
		"credential": func(s *trial.CellSpec) { s.System.Arm += "+cookie" },
	} {
		other := spec
		other.System.Server = maps.Clone(spec.System.Server)
		edit(&other)
		if err := checkReplica(t.Context(), n.launch(&Stack{spec: other}, 1), r); err == nil ||
			!strings.Contains(err.Error(), "replica r1: "+field+": wanted ") {
			t.Errorf("%v; want an error that names %s, wanted and got", err, field)
		}
	}
	if err := s.Down(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMissingPrograms(t *testing.T) {
	if _, err := NewNative(Options{ServerBinary: "/no/such/server"}); err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("no server: %v", err)
	}
	if p := FindProgram("no-such-program"); p != "" {
		t.Errorf("found %q", p)
	}
}

func TestAStoreThatDoesNotStart(t *testing.T) {
	n := newNative(t)
	n.host.(*native).programs.redis = broken(t, "cannot allocate what I need")
	if _, err := n.Up(t.Context(), cell("session/redis", 1, trial.RoundRobin)); err == nil ||
		!strings.Contains(err.Error(), "redis does not start") || !strings.Contains(err.Error(), "cannot allocate what I need") {
		t.Errorf("%v; want the store and its log's tail", err)
	}
	n.host.(*native).programs.initdb = n.host.(*native).programs.redis
	if _, err := n.Up(t.Context(), cell("session/postgres", 1, trial.RoundRobin)); err == nil ||
		!strings.Contains(err.Error(), "PostgreSQL does not start") || !strings.Contains(err.Error(), "cannot allocate what I need") {
		t.Errorf("%v; want the store and its log's tail", err)
	}
}

func broken(t *testing.T, says string) string { return script(t, "echo "+says+" >&2\nexit 1") }

// script is a shell script that stands in the place of a program.
func script(t *testing.T, does string) string {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A port that somebody takes in between is tried again, but not for ever.
func TestPortClashes(t *testing.T) {
	n := newNative(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	script := fmt.Sprintf("echo 'bind() to %s failed (98: Address already in use)' >&2; exit 1", taken.Addr())
	for clashes, works := range map[int]bool{1: true, portTries - 1: true, portTries: false} {
		tries := 0
		p, err := onFreePort(1, func(addr []string) (*child, error) {
			if addr[0] == taken.Addr().String() {
				t.Error("a taken port was offered")
			}
			tries++
			run := script
			if tries > clashes {
				run = "while :; do :; done"
			}
			return n.host.(*native).child(t.Context(), &Component{}, process.Command{Name: "clash", Path: "sh", Args: []string{"-c", run}},
				func(context.Context) error {
					if tries > clashes {
						return nil
					}
					return errors.New("not yet")
				})
		})
		if works != (err == nil) || tries != min(clashes+1, portTries) {
			t.Errorf("%d clashes: %d tries, %v", clashes, tries, err)
		}
		if works {
			p.Stop(t.Context())
		}
	}
}

// Redis and PostgreSQL are asked for a set once, and not at all when they hold it.
func checkSharedCredentialsAreMintedOnce(t *testing.T, n *Runtime) {
	for _, arm := range []trial.Arm{"session/redis", "session/postgres", "jwt/ES256"} {
		spec := cell(arm, 1, trial.RoundRobin)
		spec.System.Resident = 200
		first := up(t, n, spec)
		if err := first.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := up(t, n, spec)
		if a, b := secret(first), secret(second); a != b {
			t.Errorf("%s: credentials were minted again", arm)
		}
		if err := second.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		script := spec
		script.Steps = []trial.Step{{Name: "journey", Script: &trial.Script{File: "sticky.js"}}}
		logins := up(t, n, script)
		if len(logins.Credentials) > 0 {
			t.Errorf("%s: credentials for a script that logs in", arm)
		}
		if arm == "session/redis" {
			err := withRedis(n.redis.url, func(c *redis.Client) error {
				if size, err := c.DBSize(t.Context()).Result(); err != nil || size != 0 {
					t.Errorf("redis holds %d keys at the start of a script, %v", size, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		if err := logins.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		third := up(t, n, spec) // the script emptied the store; the credentials must work again
		if err := third.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func secret(s *Stack) string {
	c := s.Credentials[0]
	return fmt.Sprint(c.Header, c.Cookies)
}

func TestMintRefusesHalfAList(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"user":"user-000000","credential":"x","kind":"bearer"}`)
	}))
	defer srv.Close()
	if _, err := mint(t.Context(), Replica{Name: "r1", PrivateURL: srv.URL}, 0, 2, 2); err == nil {
		t.Error("one credential instead of two was accepted")
	}
}

// A tier's room is what its components may use, and never more than there is.
func TestRoom(t *testing.T) {
	component := func(name string, tier trial.Tier) *Component { return &Component{name: name, tier: tier} }
	s := &Stack{Components: []*Component{component("nginx", trial.BalancerTier), component("r1", trial.ReplicaTier),
		component("r2", trial.ReplicaTier), component("postgres", trial.StoreTier)}}
	type tiers = map[trial.Tier]float64
	for name, c := range map[string]struct {
		cpus    int
		budgets tiers
		want    tiers
	}{
		"one CPU":   {1, nil, tiers{trial.BalancerTier: 1, trial.ReplicaTier: 1, trial.StoreTier: 1}},
		"five CPUs": {5, nil, tiers{trial.BalancerTier: 1, trial.ReplicaTier: 5, trial.StoreTier: 5}},
		"a budget":  {5, tiers{trial.ReplicaTier: 0.2}, tiers{trial.BalancerTier: 1, trial.ReplicaTier: 0.4, trial.StoreTier: 5}},
		"budgets": {1, tiers{trial.ReplicaTier: 0.7, trial.StoreTier: 2},
			tiers{trial.BalancerTier: 1, trial.ReplicaTier: 1, trial.StoreTier: 1}},
	} {
		s.spec.System.Budgets = c.budgets
		if got := s.Room(c.cpus); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSplitCPUs(t *testing.T) {
	for _, c := range []struct {
		cpus              []int
		generator, system string
		warns             bool
	}{{[]int{3}, "3", "3", true}, {[]int{0, 1}, "0", "1", false}, {[]int{0, 1, 2, 3}, "0", "1-3", false},
		{[]int{2, 3, 4, 5, 8, 9, 10, 11}, "2-3", "4-5,8-11", false}} {
		g, s, w := SplitCPUs(c.cpus)
		if g != c.generator || s != c.system || (w != "") != c.warns {
			t.Errorf("%v: %q, %q, %q", c.cpus, g, s, w)
		}
	}
}
