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
// Unix milliseconds by the database's clock.
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
}

// NewPostgresFailures returns a count over db, whose schema it creates where
// that is missing.
func NewPostgresFailures(ctx context.Context, db *store.Postgres, limit Limit) (*PostgresFailures, error) {
	if err := db.Migrate(ctx, store.Migration{Name: "login-failures-1", SQL: failuresSchema}); err != nil {
		return nil, err
	}
	return &PostgresFailures{limit: limit, db: db}, nil
}

var _ Failures = (*PostgresFailures)(nil)

// Wait implements Failures.
func (p *PostgresFailures) Wait(ctx context.Context, name string) (time.Duration, error) {
	key, left := keyOf(name), int64(0)
	err := p.db.Lookup(ctx, func(ctx context.Context) error {
		return p.db.Pool.QueryRow(ctx, `SELECT until - now FROM login_failures, (SELECT `+store.Now+`) AS clock (now)
			WHERE name = $1 AND until > now AND n >= $2`, key[:], p.limit.Failures).Scan(&left)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read failed log-ins: %w", err)
	}
	return time.Duration(left) * time.Millisecond, nil
}

// Count implements Failures. It also clears some counts whose windows are over,
// so that the table stays as small as a window's failures.
func (p *PostgresFailures) Count(ctx context.Context, name string) error {
	key := keyOf(name)
	return p.db.Do(ctx, func(ctx context.Context) error {
		_, err := p.db.Pool.Exec(ctx, `WITH clock (now) AS (SELECT `+store.Now+`), over AS (DELETE FROM login_failures WHERE name IN
				(SELECT name FROM login_failures, clock WHERE until <= now AND name <> $1 LIMIT 10 FOR UPDATE OF login_failures SKIP LOCKED))
			INSERT INTO login_failures AS f (name, n, until) SELECT $1, 1, now + $2 FROM clock
			ON CONFLICT (name) DO UPDATE SET n = CASE WHEN f.until > excluded.until - $2 THEN f.n + 1 ELSE 1 END,
				until = CASE WHEN f.until > excluded.until - $2 THEN f.until ELSE excluded.until END`, key[:], p.limit.Window.Milliseconds())
		if err != nil {
			return fmt.Errorf("count a failed log-in: %w", err)
		}
		return nil
	})
}
