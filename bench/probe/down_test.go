package probe_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// lacks asserts that the usage has none of a source's counters and says why.
func lacks(t *testing.T, u trial.Usage, source, why string) {
	t.Helper()
	if !strings.Contains(u.Missing[source+" counters"], why) {
		t.Errorf("missing: %v; want %s counters, because of %q", u.Missing, source, why)
	}
	for name := range u.Counters {
		if strings.HasPrefix(name, source) {
			t.Errorf("%s = %v, which was not read", name, u.Counters[name])
		}
	}
}

// readWithin reads and asserts that a hung store does not hold it up.
func readWithin(t *testing.T, p *probe.Probe, bound time.Duration) probe.Sample {
	t.Helper()
	began := time.Now()
	s := read(t, p)
	if took := time.Since(began); took > bound {
		t.Errorf("a sample took %v, want at most %v", took, bound)
	}
	return s
}

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.DisableIdentity = true
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestARedisThatHangsDiesAndComesBack(t *testing.T) {
	l := ledger(t)
	url, store := startRedis(t, l)
	c := redisClient(t, url)
	p := open(t, probe.Targets{RedisURL: url, NginxStatusURL: startNginx(t, l) + "/status",
		Components: []probe.Component{part{"redis", trial.StoreTier, store}}})
	healthy := read(t, p)

	store.Signal(syscall.SIGSTOP)
	hung := readWithin(t, p, 3*time.Second)
	u := probe.Between(healthy, hung)
	lacks(t, u, "redis", "")
	if _, ok := u.Counters["nginx_requests"]; !ok || u.Component["redis"] < 0 || len(u.Missing) != 1 {
		t.Errorf("%+v; want what can be read beside a hung store", u)
	}
	store.Signal(syscall.SIGCONT)
	before := read(t, p)
	lacks(t, probe.Between(hung, before), "redis", "")
	for range 20 {
		if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if u := probe.Between(before, read(t, p)); u.Counters["redis_commands"] != 20 || len(u.Missing) != 0 {
		t.Errorf("after it went on: %v, missing %v; want exactly 20 commands", u.Counters, u.Missing)
	}

	if err := store.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	down := readWithin(t, p, 3*time.Second)
	u = probe.Between(before, down)
	lacks(t, u, "redis", "connect")
	if _, ok := u.CPU[trial.StoreTier]; ok || u.Missing["redis CPU"] == "" || u.Missing["foreign CPU"] == "" {
		t.Errorf("%+v; want no CPU of a store that is gone, and nobody else charged with it", u)
	}

	_, port, _ := strings.Cut(c.Options().Addr, ":")
	number, _ := strconv.Atoi(port)
	start(t, l,
		process.Command{Name: "redis", Path: "redis-server", Dir: l.Dir(), Args: []string{"--port", port, "--bind", "127.0.0.1", "--save", ""}},
		listens(number))
	for range 500 { // more than the first life has counted: a difference would not be negative
		if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	anew := read(t, p)
	lacks(t, probe.Between(down, anew), "redis", "connect")
	lacks(t, probe.Between(before, anew), "redis", "anew")
	if u := probe.Between(anew, read(t, p)); u.Counters["redis_commands"] != 0 || u.Counters["redis_net_input_bytes"] != 0 ||
		u.Counters["redis_net_output_bytes"] != 0 {
		t.Errorf("the probe sees itself in the second life: %v", u.Counters)
	}
}

func TestAPostgreSQLThatHangsAndRestarts(t *testing.T) {
	url, store := startPostgres(t, ledger(t), "shared_preload_libraries=pg_stat_statements")
	p := open(t, probe.Targets{PostgresURL: url})
	healthy := read(t, p)
	everyone := func(sig syscall.Signal) {
		for _, pid := range store.PIDs() {
			syscall.Kill(pid, sig)
		}
	}
	everyone(syscall.SIGSTOP)
	lacks(t, probe.Between(healthy, readWithin(t, p, 3*time.Second)), "postgres", "")
	everyone(syscall.SIGCONT)
	before := read(t, p)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for range 20 {
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	if u := probe.Between(before, read(t, p)); u.Counters["postgres_statements"] != 20 || len(u.Missing) != 0 {
		t.Errorf("after it went on: %v, missing %v; want exactly 20 statements", u.Counters, u.Missing)
	}
}

func TestAnEndedContextEndsAReading(t *testing.T) {
	url, store := startRedis(t, ledger(t))
	p := open(t, probe.Targets{RedisURL: url})
	store.Signal(syscall.SIGSTOP)
	defer store.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want it cancelled", err)
	}
}
