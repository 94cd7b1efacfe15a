package session

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store"
)

//go:embed schema.sql
var schema string

// bySubject is the index that finds a subject's sessions. No touch changes its
// columns, so touches stay on their page (HOT) all the same.
const bySubject = `CREATE INDEX sessions_subject ON sessions (subject, created)`

// inOrder numbers sessions as they are created: two may begin within a millisecond,
// and clocks are set back.
const inOrder = `ALTER TABLE sessions ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY`

// Postgres keeps sessions in a PostgreSQL table, shared by all replicas. The
// database's clock decides alone ([store.Now]).
type Postgres struct {
	// PerSubject is how many sessions one subject may have; zero means
	// DefaultPerSubject. Set it before use.
	PerSubject int

	db *store.Postgres
}

// NewPostgres returns a store over db, whose schema it creates where that is
// missing. If unlogged, the table is kept out of the write-ahead log: faster,
// and empty after a crash.
func NewPostgres(ctx context.Context, db *store.Postgres, unlogged bool) (*Postgres, error) {
	if err := db.Migrate(ctx, store.Migration{Name: "sessions-1", SQL: schema}, store.Migration{Name: "sessions-2", SQL: bySubject},
		store.Migration{Name: "sessions-3", SQL: inOrder}); err != nil {
		return nil, err
	}
	if err := setLogged(ctx, db, !unlogged); err != nil {
		return nil, fmt.Errorf("set the persistence of table sessions: %w", err)
	}
	return &Postgres{db: db}, nil
}

// setLogged changes the table only if it is not as asked, since that rewrites
// it.
func setLogged(ctx context.Context, db *store.Postgres, logged bool) error {
	return pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
		var is bool
		// The share lock makes replicas that start together look one by one.
		if _, err := tx.Exec(ctx, `LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT relpersistence = 'p' FROM pg_class WHERE oid = 'sessions'::regclass`).Scan(&is); err != nil ||
			is == logged {
			return err
		}
		word := "UNLOGGED"
		if logged {
			word = "LOGGED"
		}
		_, err := tx.Exec(ctx, `ALTER TABLE sessions SET `+word)
		return err
	})
}

var (
	_ Store     = (*Postgres)(nil)
	_ Toucher   = (*Postgres)(nil)
	_ BySubject = (*Postgres)(nil)
	_ Sweeper   = (*Postgres)(nil)
)

// Create implements Store. Its three statements are one transaction and one
// round trip; the lock makes log-ins of one subject count one after another.
func (p *Postgres) Create(ctx context.Context, id ID, s Session) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(`SELECT pg_advisory_xact_lock($1, hashtext($2))`, subjectLocks, s.Subject)
		b.Queue(`INSERT INTO sessions (id, subject, role, created, expires, last_seen, idle_ms, deadline)
			SELECT $1::bytea, $2, $3, now, now + $4, now + $5, $6::bigint, now + $7 FROM (SELECT `+store.Now+`) AS clock (now)`,
			id[:], s.Subject, s.Role, ms(s.Expires.Sub(s.Created)), ms(s.LastSeen.Sub(s.Created)), ms(s.IdleTimeout),
			ms(s.Deadline().Sub(s.Created)))
		// Those that are over are the sweep's, unless they take a place; they go first.
		b.Queue(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE subject = $1
			ORDER BY deadline <= `+store.Now+`, number DESC OFFSET $2)`, s.Subject, perSubject(p.PerSubject))
		if err := p.db.Pool.SendBatch(ctx, &b).Close(); err != nil {
			return fmt.Errorf("insert session: %w", err)
		}
		return nil
	})
}

// subjectLocks is the first half of the advisory locks that Create takes: a
// number that nobody else uses.
const subjectLocks = 0x73657373

// Find implements Store.
func (p *Postgres) Find(ctx context.Context, id ID) (Session, bool, error) {
	return p.one(ctx, `SELECT subject, role, created, expires, last_seen, idle_ms FROM sessions
		WHERE id = $1 AND deadline > `+store.Now, id[:])
}

// Touch implements Toucher: a row that is due is updated and returned, any
// other that is live is read.
func (p *Postgres) Touch(ctx context.Context, id ID, every time.Duration) (Session, bool, error) {
	return p.one(ctx, `WITH clock (now) AS (SELECT `+store.Now+`), touched AS (
			UPDATE sessions SET last_seen = now, deadline = CASE WHEN idle_ms > 0 THEN least(expires, now + idle_ms) ELSE expires END
			FROM clock WHERE id = $1 AND deadline > now AND last_seen <= now - $2
			RETURNING subject, role, created, expires, last_seen, idle_ms)
		SELECT * FROM touched UNION ALL
		SELECT subject, role, created, expires, last_seen, idle_ms FROM sessions, clock
		WHERE id = $1 AND deadline > now AND NOT EXISTS (SELECT FROM touched)`, id[:], every.Milliseconds())
}

// one reads the session that a query returns, if any.
func (p *Postgres) one(ctx context.Context, query string, args ...any) (Session, bool, error) {
	var s Session
	var created, expires, lastSeen, idle int64
	err := p.db.Lookup(ctx, func(ctx context.Context) error {
		return p.db.Pool.QueryRow(ctx, query, args...).
			Scan(&s.Subject, &s.Role, &created, &expires, &lastSeen, &idle)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("select session: %w", err)
	}
	s.Created = time.UnixMilli(created).UTC()
	s.Expires = time.UnixMilli(expires).UTC()
	s.LastSeen = time.UnixMilli(lastSeen).UTC()
	s.IdleTimeout = time.Duration(idle) * time.Millisecond
	return s, true, nil
}

// Update implements Store.
func (p *Postgres) Update(ctx context.Context, id ID, s Session) (ok bool, err error) {
	err = p.db.Lookup(ctx, func(ctx context.Context) error { // replacing twice is the same as once
		tag, err := p.db.Pool.Exec(ctx, `UPDATE sessions
			SET subject = $2, role = $3, created = $4, expires = $5, last_seen = $6, idle_ms = $7, deadline = $8
			WHERE id = $1 AND deadline > `+store.Now, id[:], s.Subject, s.Role, s.Created.UnixMilli(), s.Expires.UnixMilli(),
			s.LastSeen.UnixMilli(), ms(s.IdleTimeout), s.Deadline().UnixMilli())
		if err != nil {
			return fmt.Errorf("update session: %w", err)
		}
		ok = tag.RowsAffected() == 1
		return nil
	})
	return ok, err
}

// Delete implements Store.
func (p *Postgres) Delete(ctx context.Context, id ID) error {
	return p.db.Lookup(ctx, func(ctx context.Context) error { // deleting twice is the same as once
		if _, err := p.db.Pool.Exec(ctx, `DELETE FROM sessions WHERE id = $1`, id[:]); err != nil {
			return fmt.Errorf("delete session: %w", err)
		}
		return nil
	})
}

// sweepBatch bounds one statement's work, and so how long it keeps a
// connection and its locks.
const sweepBatch = 10_000

// Sweep implements Sweeper. Several replicas may sweep at once: each takes rows
// that no other has locked. It reads the whole table, for want of an index, so
// do it minutes apart; it has no deadline but ctx's.
func (p *Postgres) Sweep(ctx context.Context) (int, error) {
	swept := 0
	for {
		tag, err := p.db.Pool.Exec(ctx, `DELETE FROM sessions WHERE id IN
			(SELECT id FROM sessions WHERE deadline <= `+store.Now+` LIMIT $1 FOR UPDATE SKIP LOCKED)`, sweepBatch)
		if err != nil {
			return swept, fmt.Errorf("sweep sessions: %w", err)
		}
		swept += int(tag.RowsAffected())
		if tag.RowsAffected() < sweepBatch {
			return swept, nil
		}
	}
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
