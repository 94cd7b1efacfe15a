package fault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"authbench/bench/stack"
	"authbench/bench/trial"
)

// Bounds of what a fault may take to show, in wall time. A PostgreSQL that was
// killed reads its log before it serves.
const (
	beginsWithin = 10 * time.Second
	endsWithin   = 30 * time.Second
	tryEvery     = 10 * time.Millisecond
)

// Run carries out a step's faults beside its load and returns when all are over:
// one mark each, in their order, with moments in seconds from start. It ends what
// it has begun, also when ctx ends; then at once, and what had not begun never
// does. Why in a mark says what did not show: the trial does not count for what
// it was to show. tell, if it is not nil, hears of each mark whenever a moment is
// added to it, of several faults at once.
func Run(ctx context.Context, s *stack.Stack, faults []trial.Fault, start time.Time, tell func(trial.Mark)) []trial.Mark {
	if tell == nil {
		tell = func(trial.Mark) {}
	}
	marks := make([]trial.Mark, len(faults))
	var all sync.WaitGroup
	for i, f := range faults {
		all.Go(func() { marks[i] = run(ctx, s, f, start, tell) })
	}
	all.Wait()
	return marks
}

func run(ctx context.Context, s *stack.Stack, f trial.Fault, start time.Time, tell func(trial.Mark)) (m trial.Mark) {
	m.Fault = f
	defer func() { tell(m) }()
	since := func() *float64 { v := time.Since(start).Seconds(); return &v }
	opened, err := Open(f)
	if err != nil {
		m.Why = err.Error()
		return m
	}
	if err := sleepUntil(ctx, start, f.At); err != nil {
		m.Why = fmt.Sprintf("not begun: %v", err)
		return m
	}
	m.Begun = since()
	tell(m)
	within, cancel := context.WithTimeout(ctx, beginsWithin)
	err = opened.Begin(within, s)
	cancel()
	if err != nil {
		m.Why = fmt.Sprintf("did not begin: %v", err)
	} else {
		m.InEffect = since()
		tell(m)
		if err := sleepUntil(ctx, start, f.At+f.Lasts); err != nil {
			m.Why = fmt.Sprintf("ended early: %v", err)
		}
	}
	m.Ended = since()
	tell(m)
	// Ended also if it did not show, or half of it would stay; and even if ctx has ended.
	within, cancel = context.WithTimeout(context.WithoutCancel(ctx), endsWithin)
	defer cancel()
	switch err := opened.End(within, s); {
	case err == nil:
		m.Recovered = since()
	case m.Why == "":
		m.Why = fmt.Sprintf("not recovered: %v", err)
	default:
		m.Why += fmt.Sprintf("; not recovered: %v", err)
	}
	return m
}

// sleepUntil waits for a moment of the step.
func sleepUntil(ctx context.Context, start time.Time, seconds float64) error {
	timer := time.NewTimer(time.Until(start.Add(time.Duration(seconds * float64(time.Second)))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shows tries until ok returns nil or ctx ends. One try that hangs must not be
// the only one.
func shows(ctx context.Context, ok func(context.Context) error) error {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := ok(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
