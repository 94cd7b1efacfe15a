// Package stack starts the system under test and ends it: replicas of one arm,
// nginx in front of them, the stores behind them.
//
// In: a trial.Spec. Out: a running Stack, checked from outside to be what the
// spec asks for, with credentials to load it with and components whose CPU can
// be read. It knows programs, not latency. A [Runtime] does all that is the same
// wherever the programs run; a host starts them, as processes of this machine or
// as containers. Stores live as long as the runtime; replicas and nginx are
// fresh in every trial.
package stack

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"authbench/bench/trial"
)

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

	runtime  *Runtime
	place    place
	redis    string // URL for the replicas; empty where they have none
	postgres string // likewise; holds a password
	spec     trial.CellSpec
	standby  []*Component // a store that stands there and is not the arm's own
	routeURL string       // says which replica a request would go to

	fleet      sync.Mutex // of Replicas and Components, which faults add to and take from
	telling    sync.Mutex // of what nginx is told: one thing at a time
	balancer   balancer
	generation int // of its configuration
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

// Room is how many CPUs each tier can use at most, of so many that the system
// has: those of its components' budgets, and one for each nginx and Redis, which
// serve requests on one thread.
func (s *Stack) Room(cpus int) map[trial.Tier]float64 {
	room := map[trial.Tier]float64{}
	for _, c := range s.Components {
		own := float64(cpus)
		if c.name == "nginx" || c.name == "redis" {
			own = 1
		}
		if budget := s.spec.System.Budgets[c.tier]; budget > 0 {
			own = min(own, budget)
		}
		room[c.tier] = min(room[c.tier]+own, float64(cpus))
	}
	return room
}

// Died returns an error for each component that has ended by itself. What was
// ended by [Component.Halt] is none; any other restart is a death.
func (s *Stack) Died() error {
	var errs []error
	for _, c := range s.Components {
		errs = append(errs, c.unit.Died())
	}
	return errors.Join(errs...)
}

// Standby is a store that stands there and is not the arm's own.
func (s *Stack) Standby() []*Component { return s.standby }

// leave gives the stack's place to others.
func (s *Stack) leave() {
	if s.runtime == nil {
		return
	}
	s.runtime.mu.Lock()
	defer s.runtime.mu.Unlock()
	if s.runtime.up[s.place] == s {
		delete(s.runtime.up, s.place)
	}
}

// Down ends nginx and then the replicas; stores live on. The error names what
// had died before, and what could not be ended.
func (s *Stack) Down(ctx context.Context) error {
	defer s.leave()
	errs := []error{s.Died()}
	for _, c := range slices.Concat(s.Components, s.standby) {
		errs = append(errs, c.mend(ctx))
	}
	errs = append(errs, s.withoutBudgets())
	for _, tier := range []trial.Tier{trial.BalancerTier, trial.ReplicaTier} {
		var stops errgroup.Group
		for _, c := range s.Components {
			if c.tier == tier {
				stops.Go(func() error { return c.unit.Stop(ctx) })
			}
		}
		errs = append(errs, stops.Wait())
	}
	return errors.Join(errs...)
}
