package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresSource reads the server's statistics: postgres_statements,
// postgres_transactions, postgres_tup_returned, postgres_wal_bytes.
//
// Statements are those that pg_stat_statements has counted in our database, all
// but our own. Where that extension cannot be had they are the transactions
// instead: the same, for clients that send single statements and stay connected. Transactions and
// tuples reach the statistics when a session reports them, at most once a
// second and at the latest after ten idle ones, so over short times only
// statements and WAL are exact; and the tuples hold the few that our own reading
// of the catalogue returns.
type postgresSource struct {
	url        string
	conn       *pgx.Conn
	query      string
	statements bool
	life       string
	own        float64 // transactions of ours that the statistics hold in this life
}

// The comment tells our own statement from all others.
const (
	ownMark         = "authbench probe"
	countStatements = `(SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE dbid = d.datid AND coalesce(query, '') NOT LIKE '%` +
		ownMark + `%')`
	reportNow = `, pg_stat_force_next_flush()::text` // our own part of the statistics is in the next reading
)

func openPostgres(ctx context.Context, url string) (source, error) {
	p := &postgresSource{url: url}
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *postgresSource) connect(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(p.url)
	if err != nil {
		return fmt.Errorf("probe: PostgreSQL URL: %w", err)
	}
	// No statement but those we write: the simple protocol prepares nothing.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.RuntimeParams["application_name"] = "authbench-probe"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return wrong("PostgreSQL", err)
	}
	p.conn = conn
	if err := p.prepare(ctx); err != nil {
		p.conn.Close(ctx)
		return wrong("PostgreSQL", err)
	}
	return nil
}

// prepare finds out what this server can tell.
func (p *postgresSource) prepare(ctx context.Context) error {
	var version int
	var preloaded bool
	err := p.conn.QueryRow(ctx, `SELECT /* `+ownMark+` */ current_setting('server_version_num')::int,
		current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'`).Scan(&version, &preloaded)
	if err != nil {
		return err
	}
	if preloaded {
		_, err := p.conn.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements /* `+ownMark+` */`)
		p.statements = err == nil // else we may not: then transactions serve
	}
	report, statements := "", "0"
	if version >= 150000 {
		report = reportNow
	}
	if p.statements {
		statements = countStatements
	}
	p.query = `SELECT /* ` + ownMark + ` */ ` + statements + `::float8, d.xact_commit::float8, d.tup_returned::float8,
		pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8, pg_postmaster_start_time()::text` + report + `
		FROM pg_stat_database d WHERE d.datname = current_database()`
	return nil
}

func (p *postgresSource) read(ctx context.Context, counters map[string]float64) (life string, err error) {
	if p.conn.IsClosed() { // the server was restarted, or did not answer in time
		if err := p.connect(ctx); err != nil {
			return "", err
		}
		p.own += 2 // prepare's, if the server lives on
	}
	var statements, commits, tuples, wal float64
	into := []any{&statements, &commits, &tuples, &wal, &life}
	rows, err := p.conn.Query(ctx, p.query)
	if err != nil {
		if errors.Is(err, ctx.Err()) && ctx.Err() != nil {
			p.own++ // a hung server carries it out when it goes on
		}
		return "", wrong("PostgreSQL", err)
	}
	defer rows.Close()
	if len(rows.FieldDescriptions()) > len(into) {
		into = append(into, new(string))
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", wrong("PostgreSQL", err)
		}
	}
	if err := rows.Err(); err != nil {
		return "", wrong("PostgreSQL", err)
	}
	if life != p.life {
		p.life, p.own = life, 0
	}
	transactions := commits - p.own
	p.own++ // in the statistics of the next reading
	if !p.statements {
		statements = transactions
	}
	counters["postgres_statements"] = statements
	counters["postgres_transactions"] = transactions
	counters["postgres_tup_returned"] = tuples
	counters["postgres_wal_bytes"] = wal
	return life, nil
}

func (p *postgresSource) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return p.conn.Close(ctx)
}
