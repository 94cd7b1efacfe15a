package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"authbench/bench/stack"
)

func slowKind() Kind {
	return Kind{Name: "slow", on: []thing{stores}, Does: "slows the answers of a store on their way to the replicas",
		Settings: []Setting{
			{"latency", "added to each answer: whole milliseconds, such as 20ms"},
			{"jitter", "up to which latency varies both ways: whole milliseconds, less than latency"},
			{"bandwidth", "of each connection, in KB (1,000 bytes) per second: a whole number of 1 or more"},
		}, open: openSlow}
}

type slow struct {
	target          string
	latency, jitter time.Duration
	bandwidth       int64 // 1,000 bytes per second; 0 is unlimited
}

func openSlow(target string, with settings) (Fault, error) {
	f := slow{target: target}
	var errs [3]error
	f.latency, errs[0] = number(with, "latency", "whole milliseconds, such as 20ms", time.Millisecond, milliseconds)
	f.jitter, errs[1] = number(with, "jitter", "whole milliseconds, such as 2ms", time.Millisecond, milliseconds)
	f.bandwidth, errs[2] = number(with, "bandwidth", "a whole number of KB per second, 1 or more",
		1, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	switch {
	case f.latency == 0 && f.bandwidth == 0:
		return nil, errors.New("how slow? " + with.allowed())
	case f.jitter > 0 && f.jitter >= f.latency:
		return nil, fmt.Errorf("jitter=%v: want less than the latency, %v", f.jitter, f.latency)
	}
	return f, nil
}

// milliseconds are the proxy's own resolution.
func milliseconds(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && d%time.Millisecond != 0 {
		err = errors.New("no whole milliseconds")
	}
	return d, err
}

func (slow) Needs() stack.Capability { return stack.CanProxy }

// sample is how many bytes an answer needs for a narrow link to show: a fifth of
// a second's.
func (f slow) sample() int { return max(1, int(f.bandwidth*1000/5)) }

// least is how long an answer of the sample's size takes on the slow link.
func (f slow) least() time.Duration {
	least := f.latency - f.jitter
	if f.bandwidth > 0 {
		least += 150 * time.Millisecond // of 200: the first part comes at once
	}
	return least
}

// Begin shows in that an answer takes as long as it now must.
func (f slow) Begin(ctx context.Context, s *stack.Stack) error {
	l, err := link(s, f.target)
	if err != nil {
		return err
	}
	if f.latency > 0 {
		err = l.Disturb("latency", "latency", map[string]int64{"latency": f.latency.Milliseconds(), "jitter": f.jitter.Milliseconds()})
	}
	if err == nil && f.bandwidth > 0 {
		err = l.Disturb("bandwidth", "bandwidth", map[string]int64{"rate": f.bandwidth})
	}
	if err != nil {
		return err
	}
	took, err := l.Ask(ctx, f.sample())
	if err == nil && took < f.least() {
		err = fmt.Errorf("the store answered after %v: want %v or more", took, f.least())
	}
	return err
}

// End shows in that an answer comes sooner than the slow link allowed.
func (f slow) End(ctx context.Context, s *stack.Stack) error {
	l, err := link(s, f.target)
	if err != nil {
		return err
	}
	if err := errors.Join(l.Restore("latency"), l.Restore("bandwidth")); err != nil {
		return err
	}
	return shows(ctx, func(ctx context.Context) error {
		took, err := l.Ask(ctx, f.sample())
		if err == nil && took >= f.least() {
			err = fmt.Errorf("the store still takes %v to answer", took)
		}
		return err
	})
}

func link(s *stack.Stack, target string) (*stack.Link, error) {
	c, err := s.Component(target)
	if err != nil {
		return nil, err
	}
	return c.Link()
}
