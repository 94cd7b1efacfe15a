package stack

import (
	"context"
	"syscall"

	"authbench/bench/trial"
)

// host is where the programs of a system run: [native] starts processes of this
// machine, [compose] containers. What a host returns without an error serves.
type host interface {
	capabilities() Capabilities
	// redis and postgres start a store that holds nothing.
	redis(ctx context.Context) (store, error)
	postgres(ctx context.Context) (store, error)
	// replicas starts them, at once or in order: whichever is first makes what all
	// share. Those that had started when one failed come with the error.
	replicas(ctx context.Context, launches []launch) ([]Replica, error)
	// nginx starts the balancer in front of the replicas.
	nginx(ctx context.Context, b trial.Balancer, replicas []Replica) (balancer, error)
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
	// Tail is the end of its log.
	Tail() string
}

// Capabilities of a runtime on this machine.
type Capabilities struct {
	Budgets   bool   // CPU budgets can be enforced
	Budgeting string // "cgroup v1", "cgroup v2", "none"
	Reason    string // why there are no budgets

	Images []trial.Software // that its containers run; none where there are no containers
}

// store is a running Redis or PostgreSQL.
type store struct {
	component *Component
	url       string // for us; PostgreSQL's holds a password
	inside    string // for the replicas
}

// running says whether it has been started and has not died since.
func (s store) running() bool { return s.component != nil && s.component.unit.Died() == nil }

// balancer is a running nginx.
type balancer struct {
	components []*Component // nginx, and what else lies on the way to it
	url        string       // for clients
	statusURL  string       // of the listener that is not for clients
	warning    string       // what a reader of the trial should know, or ""
}
