package stack

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresConnections is how many clients the database takes.
const postgresConnections = 200

// postgresUser owns the database of a run.
const postgresUser = "authbench"

// postgresAsked is how PostgreSQL is tuned: durable as shipped, with checkpoints
// and vacuum done between trials rather than within.
func postgresAsked() map[string]string {
	return map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"autovacuum":     "on", // each trial starts vacuumed, so that it finds little to do
		"shared_buffers": "128MB", "max_connections": strconv.Itoa(postgresConnections),
		"checkpoint_timeout": "30min", "max_wal_size": "4GB",
		"jit": "off", "wal_level": "minimal", "max_wal_senders": "0",
		"track_io_timing": "off",
	}
}

// postgresArgs sets what [postgresAsked] says.
func postgresArgs() []string {
	args := []string{"-c", "log_checkpoints=off"}
	settings := postgresAsked()
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", k+"="+settings[k])
	}
	return args
}

// PostgresSettings is what the running PostgreSQL said of its settings when it
// started, by name: those that we ask for, and all that differ from what it is
// shipped with, whoever set them. It is nil before the first trial that needs it.
func (n *Runtime) PostgresSettings() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.postgres.settings
}

// readSettings asks for them. The port is another one at each start, and says nothing.
func (p *postgresStore) readSettings(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return fmt.Errorf("read its settings: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT name, current_setting(name) FROM pg_settings
		WHERE name = ANY($1) OR source NOT IN ('default', 'override', 'client') AND name <> 'port'`, slices.Collect(maps.Keys(postgresAsked())))
	if err != nil {
		return fmt.Errorf("read its settings: %w", err)
	}
	p.settings = map[string]string{}
	var name, value string
	if _, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { p.settings[name] = value; return nil }); err != nil {
		return fmt.Errorf("read its settings: %w", err)
	}
	return nil
}

// postgresURL names the database of a run.
func postgresURL(address, password string) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, password), Host: address, Path: "/postgres",
		RawQuery: "sslmode=disable"}).String()
}

// postgresStore is the PostgreSQL of a run.
type postgresStore struct {
	store
	holds    mintKey           // what is in it, if it is known
	settings map[string]string // see [Runtime.PostgresSettings]
	crowded  []*pgx.Conn       // while others get none
}

// startPostgres starts it unless it runs.
func (n *Runtime) startPostgres(ctx context.Context) error {
	if n.postgres.running() {
		return nil
	}
	s, err := n.host.postgres(ctx)
	if err != nil {
		return fmt.Errorf("PostgreSQL does not start: %w", err)
	}
	n.postgres.retire()
	n.postgres = postgresStore{store: s}
	s.component.contents = &n.postgres
	if err := n.postgres.readSettings(ctx); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	return nil
}

// keep implements contents: all that was committed outlives it by itself.
func (p *postgresStore) keep(context.Context) error { return nil }

// lose implements contents. What is committed between this and the end stays.
func (p *postgresStore) lose(ctx context.Context) error { return p.empty(ctx) }

func (p *postgresStore) restarted() error { return nil }

func (p *postgresStore) forget() { p.holds = mintKey{} }

// ask has the PostgreSQL at an address answer so many bytes.
func (p *postgresStore) ask(ctx context.Context, address string, bytes int) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, at(p.url, address))
	if err != nil {
		return 0, err
	}
	defer func() {
		if !conn.IsClosed() {
			conn.Close(ctx)
		}
	}()
	began := time.Now()
	_, err = conn.Exec(ctx, fmt.Sprintf("SELECT repeat('x', %d)", bytes))
	return time.Since(began), err
}

// do runs statements, each on its own: some may not be in a transaction.
func (s store) do(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("postgres: %s: %w", s, err)
		}
	}
	return nil
}

// empty truncates every table but the schema's own record.
func (p *postgresStore) empty(ctx context.Context) error {
	p.holds = mintKey{}
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return fmt.Errorf("empty postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_steps'")
	if err != nil {
		return fmt.Errorf("empty postgres: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(tables) > 0 {
		_, err = conn.Exec(ctx, "TRUNCATE "+strings.Join(tables, ", ")+" CASCADE")
	}
	if err != nil {
		return fmt.Errorf("empty postgres: %w", err)
	}
	return nil
}
