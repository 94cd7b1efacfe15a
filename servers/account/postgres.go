package account

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store"
)

//go:embed schema.sql
var schema string

// Postgres keeps accounts in a PostgreSQL table, shared by all replicas.
type Postgres struct{ db *store.Postgres }

// NewPostgres returns a store over db, whose schema it creates where that is
// missing.
func NewPostgres(ctx context.Context, db *store.Postgres) (*Postgres, error) {
	if err := db.Migrate(ctx, store.Migration{Name: "accounts-1", SQL: schema},
		store.Migration{Name: "accounts-2", SQL: `ALTER TABLE accounts ADD COLUMN disabled boolean NOT NULL DEFAULT false`}); err != nil {
		return nil, err
	}
	return &Postgres{db: db}, nil
}

var _ Store = (*Postgres)(nil)

// Find implements Store.
func (p *Postgres) Find(ctx context.Context, name string) (User, bool, error) {
	u := User{Name: name}
	err := p.db.Lookup(ctx, func(ctx context.Context) error {
		return p.db.Pool.QueryRow(ctx, `SELECT role, hash, disabled FROM accounts WHERE name = $1`, name).Scan(&u.Role, &u.Hash, &u.Disabled)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, fmt.Errorf("select account: %w", err)
	}
	return u, true, nil
}

// Add implements Store, in one statement however many users there are. That
// may take longer than a request's deadline, so it has none but ctx's.
func (p *Postgres) Add(ctx context.Context, users []User) (int, error) {
	names, roles, hashes := make([]string, len(users)), make([]string, len(users)), make([]string, len(users))
	disabled := make([]bool, len(users))
	for i, u := range users {
		names[i], roles[i], hashes[i], disabled[i] = u.Name, u.Role, u.Hash, u.Disabled
	}
	tag, err := p.db.Pool.Exec(ctx, `INSERT INTO accounts (name, role, hash, disabled)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) ON CONFLICT (name) DO NOTHING`, names, roles, hashes, disabled)
	if err != nil {
		return 0, fmt.Errorf("insert accounts: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// Replace implements Store. It runs once: a second run would not find the
// account as it was.
func (p *Postgres) Replace(ctx context.Context, old, new User) (ok bool, err error) {
	err = p.db.Do(ctx, func(ctx context.Context) error {
		tag, err := p.db.Pool.Exec(ctx, `UPDATE accounts SET role = $5, hash = $6, disabled = $7
			WHERE name = $1 AND role = $2 AND hash = $3 AND disabled = $4 AND name = $8`,
			old.Name, old.Role, old.Hash, old.Disabled, new.Role, new.Hash, new.Disabled, new.Name)
		if err != nil {
			return fmt.Errorf("update account: %w", err)
		}
		ok = tag.RowsAffected() == 1
		return nil
	})
	return ok, err
}
