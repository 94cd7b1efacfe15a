package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Options of the native runtime.
type Options struct {
	ServerBinary  string // of package servers
	GeneratorCPUs string // CPU lists; empty means all. The system never runs on
	SystemCPUs    string // the generator's.
	Seed          uint64 // of the order of credentials
}

// Native runs the system as processes of this machine (Linux).
type Native struct {
	opts     Options
	ledger   *process.Ledger
	groups   *groups // nil where they cannot be used
	caps     Capabilities
	user     ordinary
	programs programs
	keys     string // folder of the signing keys: one for the whole run
	warnings []string

	redis    *redisStore    // nil until an arm needs it
	postgres *postgresStore // likewise
	minted   map[mintKey]mintedSet
}

// programs are the paths of what we start.
type programs struct{ server, nginx, redis, postgres, initdb string }

// NewNative makes a runtime: it cleans what killed runs have left, finds the
// programs and finds out about CPU budgets. It starts nothing yet.
func NewNative(opts Options) (*Native, error) {
	ps, err := findPrograms(opts.ServerBinary)
	if err != nil {
		return nil, err
	}
	u, err := ordinaryUser()
	if err != nil {
		return nil, err
	}
	l, warning, err := process.Open()
	if err != nil {
		return nil, err
	}
	n := &Native{opts: opts, ledger: l, user: u, programs: ps, minted: map[mintKey]mintedSet{}}
	if warning != nil {
		n.warnings = append(n.warnings, "leftovers of an earlier run: "+warning.Error())
	}
	if n.groups, err = newGroups(l); err != nil {
		n.caps = Capabilities{Budgeting: "none", Reason: err.Error()}
	} else {
		n.caps = Capabilities{Budgets: true, Budgeting: fmt.Sprintf("cgroup v%d", n.groups.version)}
	}
	if n.keys, err = l.Folder("keys"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Capabilities implements Runtime.
func (n *Native) Capabilities() Capabilities { return n.caps }

// Warnings says what a reader of the run should know.
func (n *Native) Warnings() []string { return n.warnings }

// Close implements Runtime.
func (n *Native) Close() error { return n.ledger.Close() }

// Up implements Runtime.
func (n *Native) Up(ctx context.Context, spec trial.Spec) (s *Stack, err error) {
	if err := n.check(spec); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec, err)
	}
	s = &Stack{spec: spec, Warnings: slices.Clone(n.warnings)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s: %w", spec, err)
			if derr := s.Down(context.WithoutCancel(ctx)); derr != nil {
				err = fmt.Errorf("%w; and while ending what had started: %w", err, derr)
			}
			s = nil
		}
	}()
	steps := []func() error{
		func() error { return n.startStore(ctx, s, spec) },
		func() error { return n.startReplicas(ctx, s, spec) },
		func() error { return n.startNginx(ctx, s, spec) },
		func() error { return n.credentials(ctx, s, spec) },
		func() error { return n.settle(ctx, spec) },
		s.budgets, // last: minting under a budget would take for ever
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// check refuses what cannot be started, before anything is.
func (n *Native) check(spec trial.Spec) error {
	if _, err := trial.ParseArm(spec.Arm.String()); err != nil {
		return err
	}
	if _, err := trial.ParseBalancer(string(spec.Balancer)); err != nil {
		return err
	}
	switch {
	case spec.Replicas < 1 || spec.Replicas > 64:
		return fmt.Errorf("%d replicas: want 1 to 64", spec.Replicas)
	case spec.Pool < 1:
		return fmt.Errorf("a pool of %d store connections: want at least 1", spec.Pool)
	case spec.Users < 1:
		return fmt.Errorf("%d users: want at least 1", spec.Users)
	case spec.Resident != 0 && spec.Resident < spec.Users:
		return fmt.Errorf("%d resident sessions for %d users: want at least one each", spec.Resident, spec.Users)
	case spec.Arm.Store == "postgres" && spec.Pool*spec.Replicas > postgresConnections-10:
		return fmt.Errorf("%d replicas with %d connections each: PostgreSQL is started for %d", spec.Replicas, spec.Pool, postgresConnections)
	}
	for tier, cpus := range spec.Budgets {
		if cpus != 0 && !n.caps.Budgets {
			return fmt.Errorf("a CPU budget for the %s needs control groups, which cannot be used here: %s", tier, n.caps.Reason)
		}
		if cpus != 0 && cpus < budgetLeast {
			return fmt.Errorf("a CPU budget of %g for the %s: the least is %g (10 ms in 100 ms)", cpus, tier, budgetLeast)
		}
	}
	return nil
}

// userFolder makes a folder in the runtime folder that belongs to the ordinary user.
func (n *Native) userFolder(name string) (string, error) {
	dir, err := n.ledger.Folder(name)
	if err != nil {
		return "", err
	}
	return dir, n.user.own(dir)
}

// findPrograms looks in PATH and where packages put what PATH does not have.
func findPrograms(server string) (p programs, err error) {
	if p.server, err = filepath.Abs(server); err == nil {
		_, err = os.Stat(p.server)
	}
	if err != nil {
		return p, fmt.Errorf("the server is not built: %w: run make setup", err)
	}
	var missing []string
	for _, w := range []struct {
		name string
		path *string
	}{{"nginx", &p.nginx}, {"redis-server", &p.redis}, {"postgres", &p.postgres}, {"initdb", &p.initdb}} {
		if *w.path = FindProgram(w.name); *w.path == "" {
			missing = append(missing, w.name)
		}
	}
	if len(missing) > 0 {
		return p, fmt.Errorf("missing: %s: run make setup", strings.Join(missing, ", "))
	}
	return p, nil
}

// FindProgram returns the path of a program, or "". Besides PATH it looks where
// Debian and Red Hat keep servers; of several PostgreSQLs it takes the newest.
func FindProgram(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	best, version := "", -1.0
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/pgsql-*/bin/", "/usr/local/pgsql/bin/", "/usr/sbin/", "/usr/local/sbin/", "/sbin/"} {
		paths, _ := filepath.Glob(pattern + name)
		for _, p := range paths {
			v, _ := strconv.ParseFloat(strings.TrimPrefix(filepath.Base(filepath.Dir(filepath.Dir(p))), "pgsql-"), 64)
			if _, err := exec.LookPath(p); err == nil && v > version {
				best, version = p, v
			}
		}
	}
	return best
}
