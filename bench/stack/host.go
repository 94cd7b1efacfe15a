package stack

import (
	"context"
	"syscall"
	"time"

	"authbench/bench/trial"
)

// host is where the programs of a system run: [native] starts processes of this
// machine, [compose] containers. What a host returns without an error serves.
type host interface {
	capabilities() Capabilities
	// redis and postgres start a store that holds nothing.
	redis(ctx context.Context) (store, error)
	postgres(ctx context.Context) (store, error)
	// replicas starts them at once: of several that make what all share, exactly one
	// wins. Those that had started when one failed come with the error.
	replicas(ctx context.Context, launches []launch) ([]Replica, error)
	// nginx starts the balancer in front of the replicas.
	nginx(ctx context.Context, p place, b trial.Balancer, replicas []Replica) (balancer, error)
	// keys runs the servers' command of that name on the folder of the signing keys.
	keys(ctx context.Context, s *Stack, args []string) (stdout string, err error)
	// close ends everything and removes every trace.
	close() error
}

// unit is one running program: a process with all below it, or a container.
type unit interface {
	// Died returns an error if it has ended without being asked to.
	Died() error
	// Stop ends it; how it ended is no error. Stopping twice is fine.
	Stop(ctx context.Context) error
	// Signal sends a signal to its main process. One that has ended is an error.
	Signal(sig syscall.Signal) error
	// PIDs lists its processes as this machine knows them, the main one first.
	PIDs() []int
	// CPU is the CPU time used so far, in seconds, over all its starts: it never
	// falls. Collected is the part that the kernel counts as ours: of processes of
	// it that were our children and have ended.
	CPU() (used, collected float64, err error)
	// Tail is the end of its log.
	Tail() string
}

// Capabilities of a runtime on this machine.
type Capabilities struct {
	Budgets   bool   // CPU budgets can be enforced
	Budgeting string // "cgroup v1", "cgroup v2", "none"
	Reason    string // why there are no budgets
	NoProxy   string // why no proxy can stand between replicas and a store; empty where one can

	NoRelaunch string // why a replica cannot be started with other settings; empty where it can

	Images []trial.Software // that its containers run; none where there are no containers
}

// Capability is something that not every runtime can do, in words for an error.
type Capability string

// CanProxy lets slow and cut act upon the link between replicas and a store.
const CanProxy Capability = "a proxy between replicas and store"

// CanRelaunch lets one replica be started with other settings than the others.
const CanRelaunch Capability = "one replica with settings of its own"

// Lacks says why a runtime cannot do something; empty is that it can.
func (c Capabilities) Lacks(need Capability) string {
	switch need {
	case CanProxy:
		return c.NoProxy
	case CanRelaunch:
		return c.NoRelaunch
	}
	return ""
}

// store is a running Redis or PostgreSQL.
type store struct {
	component *Component
	url       string // for us; PostgreSQL's holds a password
	inside    string // for the replicas
	folder    string // of Redis' snapshots, as this machine knows it
}

// running says whether it has been started and has not ended since.
func (s store) running() bool {
	return s.component != nil && s.component.unit.Died() == nil && s.component.Running()
}

// retire ends the way to a store that another one takes the place of.
func (s store) retire() {
	if s.component != nil && s.component.way != nil {
		s.component.way.close()
	}
}

// proxied puts a proxy between the store and the replicas of a trial that asks
// for one. It is opened once and stays.
func (s *store) proxied(spec trial.CellSpec, ask func(context.Context, string, int) (time.Duration, error)) (err error) {
	c := s.component
	c.link = nil
	if !spec.System.Proxied {
		return nil
	}
	if c.way == nil {
		c.way, err = openLink(c.name, hostPort(s.url), ask)
	}
	c.link = c.way
	return err
}

// forReplicas is where the replicas of a trial find the store.
func (s *store) forReplicas() string {
	if s.component != nil && s.component.link != nil {
		return at(s.inside, s.component.link.address())
	}
	return s.inside
}

// balancer is a running nginx.
type balancer struct {
	components []*Component // nginx, and what else lies on the way to it
	url        string       // for clients
	statusURL  string       // of the listener that is not for clients
	warning    string       // what a reader of the trial should know, or ""

	rewrite func(replicas []Replica, generation int) error // writes its configuration anew, to be read when it is told to
}
