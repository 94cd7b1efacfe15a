// Package stack starts the system under test and ends it: replicas of one arm,
// nginx in front of them, the stores behind them.
//
// In: a trial.Spec. Out: a running Stack, checked from outside to be what the
// spec asks for, with credentials to load it with and components whose CPU can
// be read. It knows processes, not latency. Stores live as long as the runtime;
// replicas and nginx are fresh in every trial.
package stack

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Runtime starts stacks, one at a time.
type Runtime interface {
	// Capabilities says what this machine can do; experiments that need more are skipped.
	Capabilities() Capabilities
	// Up starts what the spec asks for and returns when it serves. Any
	// difference between the spec and what a replica says of itself is an error.
	// After an error nothing of the trial is left running.
	Up(ctx context.Context, spec trial.Spec) (*Stack, error)
	// Close ends the stores too and removes every trace.
	Close() error
}

// Capabilities of a runtime on this machine.
type Capabilities struct {
	Budgets   bool   // CPU budgets can be enforced
	Budgeting string // "cgroup v1", "cgroup v2", "none"
	Reason    string // why there are no budgets
}

// Stack is a running system under test.
type Stack struct {
	URL            string // of the balancer
	Replicas       []Replica
	RedisURL       string // empty unless the arm uses it, or might (JWT)
	PostgresURL    string // likewise; holds a password
	NginxStatusURL string // stub_status

	Credentials []trial.Credential // one a user, in random order; none where a k6 script logs in
	Components  []*Component       // balancer, replicas and the arm's store
	Warnings    []string

	spec     trial.Spec
	nginx    *process.Process
	store    *process.Process
	routeURL string // says which replica a request would go to
}

// ReplicaURLs are the public listeners of the replicas, past the balancer.
func (s *Stack) ReplicaURLs() []string {
	var urls []string
	for _, r := range s.Replicas {
		urls = append(urls, r.URL)
	}
	return urls
}

// Target is what the driver loads.
func (s *Stack) Target() trial.Target {
	return trial.Target{URL: s.URL, Path: "/me", Credentials: s.Credentials, CheckUser: true}
}

// Died returns an error for each component that has ended by itself. A restart
// is a death: nothing here restarts what died.
func (s *Stack) Died() error {
	var errs []error
	for _, p := range s.processes() {
		errs = append(errs, p.Died())
	}
	return errors.Join(errs...)
}

// Signal sends a signal to a component's main process: a fault. A component
// that dies of it is reported by Died and Down.
func (s *Stack) Signal(component string, sig syscall.Signal) error {
	for _, p := range s.processes() {
		if p.Name == component {
			return p.Signal(sig)
		}
	}
	return fmt.Errorf("signal: there is no component %q", component)
}

// processes lists them in the order in which they are ended.
func (s *Stack) processes() []*process.Process {
	var all []*process.Process
	if s.nginx != nil {
		all = append(all, s.nginx)
	}
	for _, r := range s.Replicas {
		all = append(all, r.process)
	}
	if s.store != nil {
		all = append(all, s.store)
	}
	return all
}

// Down ends nginx and the replicas; stores live on. The error names what had
// died before, and what could not be ended.
func (s *Stack) Down(ctx context.Context) error {
	errs := []error{s.Died()}
	for _, p := range s.processes() {
		if p != s.store {
			errs = append(errs, p.Stop(ctx))
		}
	}
	for _, c := range s.Components {
		errs = append(errs, c.setBudget(0)) // an unlimited store prepares the next trial faster
	}
	return errors.Join(errs...)
}
