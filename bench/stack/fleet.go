package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"authbench/bench/trial"
)

// Names lists the replicas, r1 first.
func (s *Stack) Names() (names []string) {
	s.fleet.Lock()
	defer s.fleet.Unlock()
	for _, r := range s.Replicas {
		names = append(names, r.Name)
	}
	return names
}

// Drain takes a replica out of service as a deployment does: nginx is told to
// send it nothing new, then it is asked to end and finishes what it has begun. It
// returns when the replica is gone. It is fine twice.
func (s *Stack) Drain(ctx context.Context, name string) error {
	r, err := s.replica(name)
	if err == nil {
		err = s.tell(ctx, name, true)
	}
	if err != nil {
		return err
	}
	return r.component.Halt(ctx, true)
}

// Return starts a replica that was drained and tells nginx of it once it is ready.
func (s *Stack) Return(ctx context.Context, name string) error {
	r, err := s.replica(name)
	if err == nil {
		err = r.component.Start(ctx)
	}
	if err != nil {
		return err
	}
	return s.tell(ctx, name, false)
}

// Add starts one more replica, the next by its name, and tells nginx of it. One
// that is there already is fine. Its CPU is in no figure: who reads the
// components has begun before.
func (s *Stack) Add(ctx context.Context, name string) error {
	if slices.Contains(s.Names(), name) {
		return s.tell(ctx, name, false)
	}
	number := len(s.Names()) + 1
	if name != "r"+strconv.Itoa(number) {
		return fmt.Errorf("the next replica is r%d: %s cannot be added", number, name)
	}
	l := s.runtime.launch(s, number)
	started, err := s.runtime.host.replicas(ctx, []launch{l})
	s.fleet.Lock()
	for _, r := range started { // also one that is no good: it is ended with the others
		s.Components = append(s.Components, r.component)
		if err == nil {
			r.out = true // until it is checked
			s.Replicas = append(s.Replicas, r)
		}
	}
	s.fleet.Unlock()
	if err != nil {
		return err
	}
	if err := checkReplica(ctx, l, started[0]); err != nil {
		return err
	}
	return s.tell(ctx, name, false)
}

// Remove drains a replica that was added and forgets it. One that is not there is fine.
func (s *Stack) Remove(ctx context.Context, name string) error {
	if !slices.Contains(s.Names(), name) {
		return nil
	}
	if err := s.Drain(ctx, name); err != nil {
		return err
	}
	r, err := s.replica(name)
	if err != nil {
		return err
	}
	if err := r.component.unit.Stop(ctx); err != nil { // a container that has ended is still there
		return err
	}
	s.fleet.Lock()
	defer s.fleet.Unlock()
	s.Replicas = slices.DeleteFunc(slices.Clone(s.Replicas), func(r Replica) bool { return r.Name == name })
	s.Components = slices.DeleteFunc(slices.Clone(s.Components), func(c *Component) bool { return c == r.component })
	return nil
}

func (s *Stack) replica(name string) (Replica, error) {
	s.fleet.Lock()
	defer s.fleet.Unlock()
	for _, r := range s.Replicas {
		if r.Name == name {
			return r, nil
		}
	}
	return Replica{}, fmt.Errorf("there is no replica %q: there are %d", name, len(s.Replicas))
}

// tell has nginx send nothing new to a replica, or send to it again. What nginx
// knows it is not told.
func (s *Stack) tell(ctx context.Context, name string, out bool) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	was, replicas := s.mark(name, out)
	if was == out {
		return nil
	}
	err := s.reload(ctx, replicas)
	if err != nil {
		s.mark(name, was)
		err = fmt.Errorf("tell nginx of %s: %w", name, err)
	}
	return err
}

// mark notes whether nginx sends nothing to a replica, and returns what was noted
// before, and all replicas as they are now.
func (s *Stack) mark(name string, out bool) (was bool, all []Replica) {
	s.fleet.Lock()
	defer s.fleet.Unlock()
	was = out
	for i := range s.Replicas {
		if r := &s.Replicas[i]; r.Name == name {
			was, r.out = r.out, out
		}
	}
	return was, slices.Clone(s.Replicas)
}

// reload writes nginx's configuration anew, with down beside each server that gets
// nothing, tells nginx to read it, and returns when nginx serves by it.
func (s *Stack) reload(ctx context.Context, replicas []Replica) error {
	s.generation++
	if err := s.balancer.rewrite(replicas, s.generation); err != nil {
		return err
	}
	nginx, err := s.Component("nginx")
	if err == nil {
		err = nginx.unit.Signal(syscall.SIGHUP)
	}
	if err != nil {
		return err
	}
	want := strconv.Itoa(s.generation)
	return comes(ctx, func() error {
		resp, err := get(ctx, s.balancer.statusURL+"/generation", nil)
		if err != nil {
			return err
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != want {
			return fmt.Errorf("it serves by configuration %q, want %s", b, want)
		}
		return nil
	})
}

// Oddity is what sets one replica apart from the others; the zero value is nothing.
type Oddity struct {
	ClockShift time.Duration // its clock is that much fast
	OwnKeys    bool          // its signing keys are others than theirs
}

// relauncher is a unit that can be started with other flags than it was.
type relauncher interface {
	// Relaunch ends it politely and starts it with its own flags and these.
	Relaunch(ctx context.Context, flags []string) error
	// folder makes one that lives as long as the runtime.
	folder(name string) (string, error)
}

// SetApart restarts a replica with an oddity, or without one, and returns when it
// serves and says so. One that is as asked for is left alone.
func (s *Stack) SetApart(ctx context.Context, name string, o Oddity) error {
	r, err := s.replica(name)
	if err != nil || r.component.oddity == o && r.component.Running() {
		return err
	}
	u, ok := r.component.unit.(relauncher)
	if !ok {
		return fmt.Errorf("%s: %s", CanRelaunch, NoRelaunches)
	}
	var flags []string
	if o.ClockShift != 0 {
		flags = append(flags, "-clock-shift="+o.ClockShift.String())
	}
	if o.OwnKeys {
		dir, err := u.folder("keys-" + name)
		if err != nil {
			return err
		}
		flags = append(flags, "-keys="+dir)
	}
	r.component.oddity = o
	if err := u.Relaunch(ctx, flags); err != nil {
		return fmt.Errorf("start %s with other settings: %w", name, err)
	}
	r.says = []setting{{"clock_shift", o.ClockShift.String()}}
	return checkReplica(ctx, s.runtime.launch(s, slices.Index(s.Names(), name)+1), r)
}

// Accepts says whether a replica takes a credential: false is that it refuses it.
// That it does not answer is an error.
func (s *Stack) Accepts(ctx context.Context, name string, c trial.Credential) (bool, error) {
	r, err := s.replica(name)
	if err != nil {
		return false, err
	}
	_, err = whoami(ctx, r.URL, c)
	if refusal := (*statusError)(nil); errors.As(err, &refusal) && refusal.code == http.StatusUnauthorized {
		return false, nil
	}
	return err == nil, err
}
