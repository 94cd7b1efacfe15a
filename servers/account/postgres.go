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
	if err := db.Migrate(ctx, store.Migration{Name: "accounts-1", SQL: schema}); err != nil {
		return nil, err
	}
	return &Postgres{db: db}, nil
}

var _ Store = (*Postgres)(nil)

// Find implements Store.
func (p *Postgres) Find(ctx context.Context, name string) (User, bool, error) {
	u := User{Name: name}
	err := p.db.Lookup(ctx, func(ctx context.Context) error {
		return p.db.Pool.QueryRow(ctx, `SELECT role, hash FROM accounts WHERE name = $1`, name).Scan(&u.Role, &u.Hash)
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
	for i, u := range users {
		names[i], roles[i], hashes[i] = u.Name, u.Role, u.Hash
	}
	tag, err := p.db.Pool.Exec(ctx, `INSERT INTO accounts (name, role, hash)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (name) DO NOTHING`, names, roles, hashes)
	if err != nil {
		return 0, fmt.Errorf("insert accounts: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
