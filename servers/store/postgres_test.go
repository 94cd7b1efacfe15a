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

// TestALateCallLeavesTheConnection gives a call less time than a query may need:
// it must be refused at once, and the connection must be there for the next.
func TestALateCallLeavesTheConnection(t *testing.T) {
	p, err := OpenPostgres(t.Context(), storetest.Postgres(t).URL, Options{Pool: 1, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Pool.Close()
	backend := func() (pid int) {
		err := p.Do(t.Context(), func(ctx context.Context) error {
			return p.Pool.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
		})
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := backend()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := p.Pool.Exec(ctx, `SELECT 1`); !errors.Is(err, errLate) || isBroken(err) {
		t.Errorf("%v; want %v, which is no broken connection", err, errLate)
	}
	if after := backend(); after != before {
		t.Errorf("backend %d, then %d: the connection was given up", before, after)
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
