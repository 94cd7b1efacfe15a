package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is a pool of connections whose calls have a deadline.
type Postgres struct {
	Pool    *pgxpool.Pool
	Timeout time.Duration // of one call, a retry included

	lastReset atomic.Int64 // Unix nanoseconds
}

// OpenPostgres returns a pool for a postgres:// URL or a keyword string, and
// waits for one connection until ctx ends.
func OpenPostgres(ctx context.Context, url string, o Options) (*Postgres, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres URL: %w", err)
	}
	cfg.MaxConns = int32(o.Pool)
	cfg.MinConns = int32(o.Pool) // opened at start, not inside a measured window
	// Requests do not wait for this one: their own deadline comes first. It
	// frees the pool's place of a connection that will never be.
	cfg.ConnConfig.ConnectTimeout = max(o.Timeout, time.Second)
	// The default pings a connection that was idle for a second, which is a
	// second round trip for the request that gets it. A broken one is found by
	// the query, and [Postgres.Lookup] tries once more.
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	cfg.PrepareConn = inTime
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	p := &Postgres{Pool: pool, Timeout: o.Timeout}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to postgres: %w", err)
	}
	return p, nil
}

// errLate is of a call that got its connection too late for a query.
var errLate = errors.New("no connection was free in time")

// latest is the key, in a call's context, of the time when half of what the call
// may take is over.
type latest struct{}

// begin gives a call its deadline, which is the caller's if that comes first.
func (p *Postgres) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	deadline, _ := ctx.Deadline()
	return context.WithValue(ctx, latest{}, deadline.Add(-time.Until(deadline)/2)), cancel
}

// inTime refuses a connection to a call that has waited for more than half its
// time, and keeps it for the next one. A query that its deadline cuts off takes
// its connection along, and a new one costs more than a query: after an outage,
// when all are new, calls that waited long would use up each as soon as it is
// there, and the outage would never end.
func inTime(ctx context.Context, _ *pgx.Conn) (bool, error) {
	if late, ok := ctx.Value(latest{}).(time.Time); ok && time.Now().After(late) {
		return true, errLate
	}
	return true, nil
}

// Now is the database's own clock in SQL, in Unix milliseconds: the one clock that
// all replicas share. It stands still within a statement.
const Now = `(date_part('epoch', statement_timestamp()) * 1000)::bigint`

// Do runs one call within the deadline, once.
func (p *Postgres) Do(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := p.begin(ctx)
	defer cancel()
	return call(ctx)
}

// Lookup runs a call that changes nothing (or that may run twice) within the
// deadline, and once more if its connection turns out to be broken. After a
// restart of the database each pooled connection is, and would fail one
// request each: so the first to notice drops them all.
func (p *Postgres) Lookup(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := p.begin(ctx)
	defer cancel()
	start := time.Now().UnixNano()
	err := call(ctx)
	if err == nil || ctx.Err() != nil || !isBroken(err) {
		return err
	}
	// Only if nobody has reset since this call began, else the connections
	// that others have just opened would go too.
	if last := p.lastReset.Load(); last < start && p.lastReset.CompareAndSwap(last, time.Now().UnixNano()) {
		p.Pool.Reset()
	}
	return call(ctx)
}

// isBroken says whether err is the end of a connection, not of a query.
func isBroken(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		// admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
		return pgErr.Code == "57P01" || pgErr.Code == "57P02" || pgErr.Code == "57P03" || pgErr.Code == "57P05"
	}
	var netErr net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &netErr) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// migrationLock is an arbitrary number that all replicas agree on.
const migrationLock = 0x61757468

// Migration is one step of a schema. Steps are never changed once released:
// a new one is added.
type Migration struct {
	Name string // unique among all rooms
	SQL  string // any number of statements
}

// Migrate applies, in order, the steps that the database does not have yet.
// Replicas may call it at the same time: a lock lets one work and the others
// wait, until ctx ends.
func (p *Postgres) Migrate(ctx context.Context, steps ...Migration) error {
	err := pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_steps (
			name    text        PRIMARY KEY,
			applied timestamptz NOT NULL DEFAULT now()
		)`)
		if err != nil {
			return err
		}
		for _, step := range steps {
			tag, err := tx.Exec(ctx, `INSERT INTO schema_steps (name) VALUES ($1) ON CONFLICT DO NOTHING`, step.Name)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				continue
			}
			if _, err := tx.Exec(ctx, step.SQL); err != nil {
				return fmt.Errorf("step %s: %w", step.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return nil
}
