package stack

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"authbench/bench/arm"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// Options of a runtime.
type Options struct {
	ServerBinary  string // of package servers; native
	Project       string // folder that holds docker-compose.yml; compose
	GeneratorCPUs string // CPU lists; empty means all. The system never runs on
	SystemCPUs    string // the generator's.
	Seed          uint64 // of the order of credentials
}

// place is where a stack stands among those that are up at the same time: it
// begins the names that the host knows its parts by. The first place is "".
type place string

// places are as many as stacks can stand side by side.
func places() []place { return []place{"", "b-", "c-", "d-"} }

// Runtime starts stacks. Several may start and be up at the same time, each with
// replicas, balancer and accounting of its own, as long as none asks a store that
// another one has too: what it did for each could not be told apart.
type Runtime struct {
	kind     string
	host     host
	opts     Options
	warnings []string

	redis    redisStore // what a store holds is the business of the one stack that asks it
	postgres postgresStore

	mu     sync.Mutex // of what follows, and of starting stores
	minted map[mintKey]mintedSet
	up     map[place]*Stack
}

func newRuntime(kind string, h host, opts Options) *Runtime {
	return &Runtime{kind: kind, host: h, opts: opts, minted: map[mintKey]mintedSet{}, up: map[place]*Stack{}}
}

// Capabilities says what can be done here; experiments that need more are skipped.
func (n *Runtime) Capabilities() Capabilities { return n.host.capabilities() }

// Warnings says what a reader of the run should know.
func (n *Runtime) Warnings() []string { return n.warnings }

// Close ends the stores too and removes every trace.
func (n *Runtime) Close() error {
	n.redis.retire()
	n.postgres.retire()
	return n.host.close()
}

// Up starts what the spec asks for and returns when it serves. Any difference
// between the spec and what a replica says of itself is an error. After an error
// nothing of the trial is left running.
func (n *Runtime) Up(ctx context.Context, spec trial.CellSpec) (s *Stack, err error) {
	if err := n.check(spec); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec, err)
	}
	s = &Stack{spec: spec, Warnings: slices.Clone(n.warnings), runtime: n}
	if s.place, err = n.take(s); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec, err)
	}
	if spec.System.Balancer == trial.IPHash && !SeesSources(n.kind) {
		s.Warnings = append(s.Warnings, NoSources)
	}
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
		func() error { return n.clear(ctx, spec) },
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
func (n *Runtime) check(spec trial.CellSpec) error {
	if _, err := arm.Lookup(spec.System.Arm); err != nil {
		return err
	}
	if _, err := trial.ParseBalancer(string(spec.System.Balancer)); err != nil {
		return err
	}
	switch {
	case spec.System.Replicas < 1 || spec.System.Replicas > 64:
		return fmt.Errorf("%d replicas: want 1 to 64", spec.System.Replicas)
	case spec.System.Pool() < 1:
		return fmt.Errorf("a pool of %d store connections: want at least 1", spec.System.Pool())
	case spec.System.Users < 1:
		return fmt.Errorf("%d users: want at least 1", spec.System.Users)
	case spec.System.Resident != 0 && spec.System.Resident < spec.System.Users:
		return fmt.Errorf("%d resident sessions for %d users: want at least one each", spec.System.Resident, spec.System.Users)
	case slices.ContainsFunc(storesOf(spec.System), func(u arm.StoreUse) bool { return u.Store == "postgres" }) &&
		spec.System.Pool()*spec.System.Replicas > postgresConnections-10:
		return fmt.Errorf("%d replicas with %d connections each: PostgreSQL is started for %d", spec.System.Replicas, spec.System.Pool(),
			postgresConnections)
	}
	caps := n.Capabilities()
	if why := caps.Lacks(CanProxy); spec.System.Proxied && why != "" {
		return fmt.Errorf("%s: %s", CanProxy, why)
	}
	for tier, cpus := range spec.System.Budgets {
		if cpus != 0 && !caps.Budgets {
			return fmt.Errorf("a CPU budget for the %s needs control groups, which cannot be used here: %s", tier, caps.Reason)
		}
		if cpus != 0 && cpus < budgetLeast {
			return fmt.Errorf("a CPU budget of %g for the %s: the least is %g (10 ms in 500 ms)", cpus, tier, budgetLeast)
		}
	}
	return nil
}

// take finds a place for a stack among those that are up.
func (n *Runtime) take(s *Stack) (place, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range n.up {
		for _, store := range storesOf(s.spec.System) {
			for _, beside := range storesOf(other.spec.System) {
				if beside.Store == store.Store && (beside.Asked || store.Asked) {
					return "", fmt.Errorf("%s beside %s: what %s does for one of them cannot be told from what it does for the other",
						s.spec.System.Arm, other.spec.System.Arm, store.Store)
				}
			}
		}
	}
	for _, p := range places() {
		if n.up[p] == nil {
			n.up[p] = s
			return p, nil
		}
	}
	return "", fmt.Errorf("%d systems are up already: no more can stand side by side", len(n.up))
}

// startReplicas starts r1, r2, ... and checks each.
func (n *Runtime) startReplicas(ctx context.Context, s *Stack, spec trial.CellSpec) error {
	var launches []launch
	for i := range spec.System.Replicas {
		launches = append(launches, n.launch(s, i+1))
	}
	var err error
	s.Replicas, err = n.host.replicas(ctx, launches)
	for _, r := range s.Replicas {
		s.Components = append(s.Components, r.component)
	}
	if err != nil {
		return err
	}
	for i, r := range s.Replicas {
		if err := checkReplica(ctx, launches[i], r); err != nil {
			return err
		}
	}
	return nil
}

// startNginx starts nginx in front of the replicas.
func (n *Runtime) startNginx(ctx context.Context, s *Stack, spec trial.CellSpec) error {
	b, err := n.host.nginx(ctx, s.place, spec.System.Balancer, s.Replicas)
	if err != nil {
		return err
	}
	s.Components = append(s.Components, b.components...)
	if b.warning != "" {
		s.Warnings = append(s.Warnings, b.warning)
	}
	s.URL, s.balancer = b.url, b
	s.NginxStatusURL = b.statusURL + "/status"
	s.routeURL = b.statusURL + "/route"
	return nil
}

// oneThread says whether a replica runs Go code on one thread: where it has
// less than a CPU, a second thread only burns the budget faster.
func (n *Runtime) oneThread(spec trial.CellSpec) bool {
	if b := spec.System.Budgets[trial.ReplicaTier]; b > 0 && b <= 1 {
		return true
	}
	cpus, err := process.ParseCPUs(n.opts.SystemCPUs)
	if err != nil { // no pins
		cpus, _ = process.AvailableCPUs()
	}
	return len(cpus) == 1
}

// allCPUs are the system's and the generator's: for work while nothing is measured.
func (o Options) allCPUs() (string, error) {
	cpus, err := process.AvailableCPUs()
	if err != nil {
		return "", err
	}
	return joinCPUs(cpus, o.SystemCPUs, o.GeneratorCPUs)
}
