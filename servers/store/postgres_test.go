package store

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"authbench/servers/store/storetest"
)

// TestALateCallLeavesTheConnection lets a call ask for a connection when half its
// time is over: it must be refused at once, and the connection must be there for
// the next. Half is of the call's own time, which may be shorter than the store's
// timeout, as that of a readiness check is.
func TestALateCallLeavesTheConnection(t *testing.T) {
	p, err := OpenPostgres(t.Context(), storetest.Postgres(t).URL, Options{Pool: 1, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Pool.Close()
	backend := func(within time.Duration) (pid int) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		err := p.Do(ctx, func(ctx context.Context) error {
			return p.Pool.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
		})
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := backend(time.Hour)
	err = p.Do(t.Context(), func(ctx context.Context) error {
		ctx = context.WithValue(ctx, latest{}, time.Now().Add(-time.Nanosecond))
		_, err := p.Pool.Exec(ctx, `SELECT 1`)
		return err
	})
	if !errors.Is(err, errLate) || isBroken(err) {
		t.Errorf("%v; want %v, which is no broken connection", err, errLate)
	}
	if after := backend(time.Minute); after != before {
		t.Errorf("backend %d, then %d: the connection was given up", before, after)
	}
}

// TestHalfOfACallsTime asks begin when a call is late, of calls whose caller has
// less time than the store's timeout, more, and no limit.
func TestHalfOfACallsTime(t *testing.T) {
	p := &Postgres{Timeout: time.Hour}
	const most = 30 * time.Minute
	for callers, want := range map[time.Duration]time.Duration{time.Minute: 30 * time.Second, 5 * time.Hour: most, 0: most} {
		caller, cancel := t.Context(), context.CancelFunc(func() {})
		if callers > 0 {
			caller, cancel = context.WithTimeout(caller, callers)
		}
		before := time.Now()
		ctx, end := p.begin(caller)
		late, _ := ctx.Value(latest{}).(time.Time)
		if early, after := before.Add(want-time.Second), time.Now().Add(want); late.Before(early) || late.After(after) {
			t.Errorf("the caller's time %v: late after %v; want %v", callers, late.Sub(before), want)
		}
		end()
		cancel()
	}
}

// TestLookupIsBoundedWithItsRetry breaks the connection of a first call: what is
// left of the deadline is all that the second has, else a request would wait for
// twice the timeout when a store breaks first and then hangs.
func TestLookupIsBoundedWithItsRetry(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none") // connects when asked to, and is not
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var deadlines []time.Time
	p := &Postgres{Pool: pool, Timeout: time.Minute}
	err = p.Lookup(t.Context(), func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		deadlines = append(deadlines, deadline)
		return io.EOF
	})
	if !errors.Is(err, io.EOF) || len(deadlines) != 2 {
		t.Fatalf("error %v after %d calls; want EOF after two", err, len(deadlines))
	}
	if deadlines[0].IsZero() || !deadlines[1].Equal(deadlines[0]) {
		t.Errorf("deadlines %v; want one for both calls", deadlines)
	}
}
