package session

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store"
)

// ListSubject implements BySubject.
func (p *Postgres) ListSubject(ctx context.Context, subject string) (entries []Entry, err error) {
	err = p.db.Lookup(ctx, func(ctx context.Context) error {
		rows, err := p.db.Pool.Query(ctx, `SELECT id, subject, role, created, expires, last_seen, idle_ms FROM sessions
			WHERE subject = $1 AND deadline > `+store.Now+` ORDER BY number DESC`, subject)
		if err != nil {
			return err
		}
		entries, err = pgx.CollectRows(rows, scanEntry)
		return err
	})
	return entries, wrapped("list sessions", err)
}

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	var id []byte
	var created, expires, lastSeen, idle int64
	if err := row.Scan(&id, &e.Subject, &e.Role, &created, &expires, &lastSeen, &idle); err != nil {
		return e, err
	}
	if len(id) != len(e.ID) {
		return e, fmt.Errorf("a session's ID has %d bytes", len(id))
	}
	e.ID = ID(id)
	e.Created, e.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
	e.LastSeen, e.IdleTimeout = time.UnixMilli(lastSeen).UTC(), time.Duration(idle)*time.Millisecond
	return e, nil
}

// DeleteSubject implements BySubject.
func (p *Postgres) DeleteSubject(ctx context.Context, subject string, keep ID) error {
	return p.db.Lookup(ctx, func(ctx context.Context) error {
		_, err := p.db.Pool.Exec(ctx, `DELETE FROM sessions WHERE subject = $1 AND id <> $2`, subject, keep[:])
		return wrapped("delete sessions of a subject", err)
	})
}

// DeleteAll implements BySubject. It empties the table as a whole, which takes
// as long for a million sessions as for one.
func (p *Postgres) DeleteAll(ctx context.Context) error {
	return p.db.Lookup(ctx, func(ctx context.Context) error {
		_, err := p.db.Pool.Exec(ctx, `TRUNCATE sessions`)
		return wrapped("delete all sessions", err)
	})
}
