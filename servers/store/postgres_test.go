package store

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

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
