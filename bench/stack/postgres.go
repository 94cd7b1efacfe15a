package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// postgresConnections is how many clients the database takes.
const postgresConnections = 200

// postgresStore is the PostgreSQL of a run: a cluster of its own in the runtime
// folder.
type postgresStore struct {
	process   *process.Process
	component *Component
	url       string // holds the password
	holds     mintKey
}

// PostgresSettings is how PostgreSQL is tuned, for the reader of a report:
// durable as shipped, with checkpoints and vacuum done between trials rather
// than within.
func PostgresSettings() map[string]string {
	return map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"autovacuum":     "on", // each trial starts vacuumed, so that it finds little to do
		"shared_buffers": "128MB", "max_connections": strconv.Itoa(postgresConnections),
		"checkpoint_timeout": "30min", "max_wal_size": "4GB",
		"jit": "off", "wal_level": "minimal", "max_wal_senders": "0",
		"track_io_timing": "off",
	}
}

func (n *Native) startPostgres(ctx context.Context) error {
	if n.postgres != nil && n.postgres.process.Died() == nil {
		return nil
	}
	n.postgres = nil
	dir, err := n.userFolder("postgres")
	if err != nil {
		return err
	}
	p := &postgresStore{}
	if p.component, err = n.component("postgres", trial.StoreTier); err != nil {
		return err
	}
	data, password := filepath.Join(dir, "data"), rand.Text()
	if err := n.initdb(dir, data, password); err != nil {
		return err
	}
	p.process, err = onFreePort(1, func(addr []string) (*process.Process, error) {
		host, port, err := net.SplitHostPort(addr[0])
		if err != nil {
			return nil, err
		}
		args := []string{"-D", data, "-c", "listen_addresses=" + host, "-c", "port=" + port,
			"-c", "unix_socket_directories=", // its path may be too long for a socket; nobody needs one
			"-c", "dynamic_shared_memory_type=mmap", // in the data folder, where it cannot be left behind
			"-c", "log_checkpoints=off"}
		for k, v := range PostgresSettings() {
			args = append(args, "-c", k+"="+v)
		}
		if n.hasStatements() {
			args = append(args, "-c", "shared_preload_libraries=pg_stat_statements")
		}
		proc, err := n.ledger.Start(process.Command{
			Name: "postgres", Path: n.programs.postgres, Args: args, Dir: dir,
			CPUs: n.opts.SystemCPUs, Groups: p.component.groupDirs(), Credential: n.user.credential(),
			// Immediate shutdown: the data is thrown away, and shared memory is still released.
			StopSignal: syscall.SIGQUIT, DeathSignal: syscall.SIGQUIT,
		})
		if err != nil {
			return nil, err
		}
		p.url = (&url.URL{Scheme: "postgres", User: url.UserPassword("authbench", password), Host: addr[0], Path: "/postgres", RawQuery: "sslmode=disable"}).String()
		return proc, ready(ctx, proc, func(ctx context.Context) error { return p.do(ctx, "SELECT 1") })
	})
	if err != nil {
		return fmt.Errorf("PostgreSQL does not start: %w", err)
	}
	if n.hasStatements() {
		if err := p.do(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
			n.warnings = append(n.warnings, "PostgreSQL without pg_stat_statements: "+err.Error())
		}
	}
	p.component.run(p.process)
	n.postgres = p
	return nil
}

// initdb makes the cluster, anew if there is one from a PostgreSQL that died.
func (n *Native) initdb(dir, data, password string) error {
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer os.Remove(file)
	if err := n.user.own(file); err != nil {
		return err
	}
	p, err := n.ledger.Start(process.Command{
		Name: "initdb", Path: n.programs.initdb, Dir: dir, Credential: n.user.credential(), CPUs: n.opts.SystemCPUs,
		Args: []string{"-D", data, "-U", "authbench", "--auth=scram-sha-256", "--pwfile=" + file, "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"},
	})
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL does not start: %w", err)
	}
	return nil
}

// hasStatements says whether the extension that counts statements is installed.
func (n *Native) hasStatements() bool {
	real, err := filepath.EvalSymlinks(n.programs.postgres)
	if err != nil {
		return false
	}
	prefix := filepath.Dir(filepath.Dir(real))
	for _, lib := range []string{"lib", "lib64", "lib/postgresql", "lib64/pgsql"} {
		if _, err := os.Stat(filepath.Join(prefix, lib, "pg_stat_statements.so")); err == nil {
			return true
		}
	}
	return false
}

// do runs statements, each on its own: some may not be in a transaction.
func (p *postgresStore) do(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, p.url)
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
