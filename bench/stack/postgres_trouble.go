package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// trouble implements contents.
func (p *postgresStore) trouble(ctx context.Context, t Trouble) error {
	switch t.Name {
	case ReadOnly: // as on a standby, of every transaction that begins from now on
		if err := p.do(ctx, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"); err != nil {
			return err
		}
		return comes(ctx, func() error { return p.readOnly(ctx, "on") })
	case Crowded:
		return p.crowd(ctx)
	}
	return fmt.Errorf("PostgreSQL has no bound on memory that could be reached: only redis can be %s", t.Name)
}

// relieve implements contents.
func (p *postgresStore) relieve(ctx context.Context, name TroubleName) error {
	switch name {
	case ReadOnly:
		if err := p.do(ctx, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"); err != nil {
			return err
		}
		return comes(ctx, func() error { return p.readOnly(ctx, "off") })
	case Crowded:
		return p.disperse(ctx)
	}
	return nil
}

// readOnly says whether transactions of a new connection are read-only: on or off.
func (p *postgresStore) readOnly(ctx context.Context, want string) error {
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var is string
	if err := conn.QueryRow(ctx, "SHOW default_transaction_read_only").Scan(&is); err != nil {
		return err
	}
	if is != want {
		return fmt.Errorf("default_transaction_read_only is %s: want %s", is, want)
	}
	return nil
}

// tooMany is how PostgreSQL says that it has no connection to give.
const tooMany = "53300"

func isTooMany(err error) bool {
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && e.Code == tooMany
}

// crowd takes every connection that PostgreSQL gives out. The replicas' own are
// ended for that; so that they do not come back in between, the database is
// closed to new connections until all are taken, by way of another one.
func (p *postgresStore) crowd(ctx context.Context) error {
	u, err := url.Parse(p.url)
	if err != nil {
		return err
	}
	database := pgx.Identifier{u.Path[1:]}.Sanitize()
	u.Path = "/template1"
	if len(p.crowded) == 0 {
		conn, err := pgx.Connect(ctx, u.String())
		if err != nil {
			return err
		}
		p.crowded = append(p.crowded, conn)
	}
	first := p.crowded[0]
	if _, err := first.Exec(ctx, "ALTER DATABASE "+database+" WITH ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	err = p.takeAll(ctx, u.String())
	if _, openErr := first.Exec(ctx, "ALTER DATABASE "+database+" WITH ALLOW_CONNECTIONS true"); err == nil {
		err = openErr
	}
	if err != nil {
		return err
	}
	return comes(ctx, func() error {
		if err := p.do(ctx, "SELECT 1"); !isTooMany(err) {
			return fmt.Errorf("a new connection is answered %v: want that there are too many", err)
		}
		return nil
	})
}

// takeAll ends the replicas' connections, which give themselves no name, and
// takes what is left until there is no more of either.
func (p *postgresStore) takeAll(ctx context.Context, to string) error {
	const end = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND application_name = '' AND datname <> current_database()`
	for {
		var ended int
		if err := p.crowded[0].QueryRow(ctx, end).Scan(&ended); err != nil {
			return err
		}
		err := p.takeSome(ctx, to)
		switch {
		case err == nil:
		case !isTooMany(err):
			return err
		case ended == 0:
			return nil
		}
	}
}

// takeSome takes some connections at once: one waits for PostgreSQL, another for us.
func (p *postgresStore) takeSome(ctx context.Context, to string) error {
	conns, errs := make([]*pgx.Conn, 16), make([]error, 16)
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() { conns[i], errs[i] = pgx.Connect(ctx, to) })
	}
	all.Wait()
	for i, conn := range conns {
		if errs[i] == nil {
			p.crowded = append(p.crowded, conn)
		}
	}
	return cmp.Or(errs...)
}

// disperse gives all connections back.
func (p *postgresStore) disperse(ctx context.Context) error {
	var all sync.WaitGroup
	for _, conn := range p.crowded {
		all.Go(func() { conn.Close(context.WithoutCancel(ctx)) })
	}
	all.Wait()
	p.crowded = nil
	return comes(ctx, func() error { return p.do(ctx, "SELECT 1") })
}
