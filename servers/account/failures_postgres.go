package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store"
)

// failuresSchema is a table of counts. They may be lost in a crash; times are
// Unix milliseconds by the replica's clock.
const failuresSchema = `CREATE UNLOGGED TABLE login_failures (
    name  bytea  PRIMARY KEY, -- hashed
    n     bigint NOT NULL,
    until bigint NOT NULL
);
CREATE INDEX login_failures_until ON login_failures (until)`

// PostgresFailures counts in PostgreSQL, for all replicas.
type PostgresFailures struct {
	limit Limit
	db    *store.Postgres
	now   func() time.Time
}

// NewPostgresFailures returns a count over db, whose schema it creates where
// that is missing.
func NewPostgresFailures(ctx context.Context, db *store.Postgres, limit Limit, now func() time.Time) (*PostgresFailures, error) {
	if err := db.Migrate(ctx, store.Migration{Name: "login-failures-1", SQL: failuresSchema}); err != nil {
		return nil, err
	}
	return &PostgresFailures{limit: limit, db: db, now: now}, nil
}

var _ Failures = (*PostgresFailures)(nil)

// Wait implements Failures.
func (p *PostgresFailures) Wait(ctx context.Context, name string) (time.Duration, error) {
	key, now, until := keyOf(name), p.now().UnixMilli(), int64(0)
	err := p.db.Lookup(ctx, func(ctx context.Context) error {
		return p.db.Pool.QueryRow(ctx, `SELECT until FROM login_failures WHERE name = $1 AND until > $2 AND n >= $3`,
			key[:], now, p.limit.Failures).Scan(&until)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read failed log-ins: %w", err)
	}
	return time.Duration(until-now) * time.Millisecond, nil
}

// Count implements Failures. It also clears some counts whose windows are over,
// so that the table stays as small as a window's failures.
func (p *PostgresFailures) Count(ctx context.Context, name string) error {
	key, now := keyOf(name), p.now().UnixMilli()
	return p.db.Do(ctx, func(ctx context.Context) error {
		_, err := p.db.Pool.Exec(ctx, `WITH over AS (DELETE FROM login_failures WHERE name IN
				(SELECT name FROM login_failures WHERE until <= $2 AND name <> $1 LIMIT 10 FOR UPDATE SKIP LOCKED))
			INSERT INTO login_failures AS f (name, n, until) VALUES ($1, 1, $3)
			ON CONFLICT (name) DO UPDATE SET n = CASE WHEN f.until > $2 THEN f.n + 1 ELSE 1 END,
				until = CASE WHEN f.until > $2 THEN f.until ELSE $3 END`, key[:], now, now+p.limit.Window.Milliseconds())
		if err != nil {
			return fmt.Errorf("count a failed log-in: %w", err)
		}
		return nil
	})
}
