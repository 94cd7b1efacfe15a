package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"authbench/servers/store/storetest"
)

// TestReadinessNamesAStoreThatRefusesWrites: such a store answers look-ups, so
// that all looks well, and nobody can log in or out.
func TestReadinessNamesAStoreThatRefusesWrites(t *testing.T) {
	cache, database := storetest.Redis(t), storetest.Postgres(t)
	redisDo := func(args ...any) func(t *testing.T) {
		return func(t *testing.T) {
			options, err := redis.ParseURL(cache.URL)
			if err != nil {
				t.Fatal(err)
			}
			client := redis.NewClient(options)
			defer client.Close()
			if err := client.Do(t.Context(), args...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	postgresDo := func(line string) func(t *testing.T) {
		return func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), database.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			for _, sql := range []string{line, "SELECT pg_reload_conf()"} {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flags := map[string][]string{
		"redis":    {"-auth", "session", "-store", "redis", "-redis", cache.URL, "-store-timeout", "10s"},
		"postgres": {"-auth", "session", "-store", "postgres", "-postgres", database.URL, "-store-timeout", "10s"},
	}
	for _, c := range []struct {
		name, store, want string
		broken, mend      func(*testing.T)
	}{
		{"Redis is out of memory", "redis", "redis refuses writes (OOM)", redisDo("CONFIG", "SET", "maxmemory", "1"),
			redisDo("CONFIG", "SET", "maxmemory", "0")},
		{"Redis is a replica", "redis", "redis refuses writes (READONLY)", redisDo("REPLICAOF", "127.0.0.1", "1"),
			redisDo("REPLICAOF", "NO", "ONE")},
		{"PostgreSQL is read-only", "postgres", "postgres refuses writes (default_transaction_read_only)",
			postgresDo("ALTER SYSTEM SET default_transaction_read_only = on"), postgresDo("ALTER SYSTEM RESET default_transaction_read_only")},
	} {
		t.Run(c.name, func(t *testing.T) {
			strict := start(t, flags[c.store]...)
			lenient := start(t, append(flags[c.store], "-readiness", "always")...)
			ready := func(r *replica) answer { return r.do("GET", r.Listen+"/readyz", "", held{}) }
			h := strict.mustLogin("user-000001")
			wantStatus(t, "before", ready(strict), http.StatusOK)
			c.broken(t)
			eventually(t, "it is degraded", func() bool { return ready(strict).StatusCode == http.StatusServiceUnavailable })
			if a := ready(strict); !strings.Contains(string(a.body), "degraded: "+c.want) {
				t.Errorf("%s\nwant it to say %q", a.body, c.want)
			}
			if a := ready(lenient); a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), `"status":"degraded"`) ||
				!strings.Contains(string(a.body), c.want) {
				t.Errorf("-readiness always: %d, %s\nwant 200, degraded, and %q", a.StatusCode, a.body, c.want)
			}
			wantMe(t, strict.me(h), "user-000001", "user", "r1") // what can be served is
			wantStatus(t, "log-in", strict.login("user-000002"), http.StatusServiceUnavailable)
			c.mend(t)
			eventually(t, "it is ready again", func() bool { return ready(strict).StatusCode == http.StatusOK })
			if a := ready(lenient); !strings.Contains(string(a.body), `"status":"ready"`) {
				t.Errorf("mended: %s", a.body)
			}
		})
	}
}
