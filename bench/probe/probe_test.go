package probe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/trial"
)

func open(t *testing.T, targets probe.Targets) *probe.Probe {
	t.Helper()
	p, err := probe.New(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func read(t *testing.T, p *probe.Probe) probe.Sample {
	t.Helper()
	s, err := p.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// expect compares some of the counters, and with nothing done in between all of
// them with 0: the probe must not see itself.
func expect(t *testing.T, p *probe.Probe, want map[string]float64, work func()) {
	t.Helper()
	a := read(t, p)
	b := read(t, p)
	for name, n := range probe.Between(a, b).Counters {
		if n != 0 {
			t.Errorf("%s: %v with nothing done", name, n)
		}
	}
	work()
	got := probe.Between(b, read(t, p)).Counters
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s = %v, want exactly %v (all: %v)", name, got[name], n, got)
		}
	}
}

func TestRedisCounters(t *testing.T) {
	url, _ := startRedis(t, ledger(t))
	p := open(t, probe.Targets{RedisURL: url})
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Protocol, o.DisableIdentity = 2, true
	c := redis.NewClient(o)
	defer c.Close()
	ctx := t.Context()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	const n = 50
	expect(t, p, map[string]float64{
		"redis_commands": 3 * n, "redis_command_set": n, "redis_command_get": 2 * n,
		"redis_keyspace_hits": n, "redis_keyspace_misses": n,
		"redis_net_input_bytes": n * float64(len("*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n")+len("*2\r\n$3\r\nget\r\n$1\r\nk\r\n")+
			len("*2\r\n$3\r\nget\r\n$1\r\nx\r\n")),
		"redis_net_output_bytes": n * float64(len("+OK\r\n")+len("$1\r\nv\r\n")+len("$-1\r\n")),
	}, func() {
		for range n {
			c.Set(ctx, "k", "v", 0)
			c.Get(ctx, "k")
			c.Get(ctx, "x")
		}
	})
	// What only looks or connects is no work.
	expect(t, p, map[string]float64{"redis_commands": 0}, func() {
		c.Ping(ctx)
		c.ConfigGet(ctx, "maxmemory")
		c.ClientID(ctx)
	})
}

func TestPostgresCounters(t *testing.T) {
	const n = 40
	for name, c := range map[string]struct {
		settings []string
		patience time.Duration // until the session that worked has reported
	}{
		"pg_stat_statements": {[]string{"shared_preload_libraries=pg_stat_statements"}, 0},
		"transactions":       {nil, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := startPostgres(t, ledger(t), c.settings...)
			p := open(t, probe.Targets{PostgresURL: url})
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			run := func(sql string) {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			run("CREATE TABLE pairs (k int PRIMARY KEY, v text)")
			run("SELECT pg_stat_force_next_flush()") // so that all this is reported before we look
			before := read(t, p)
			for i := range n {
				run(fmt.Sprintf("INSERT INTO pairs VALUES (%d, 'x')", i))
				run(fmt.Sprintf("SELECT v FROM pairs WHERE k = %d", i))
			}
			if c.patience > 0 {
				conn.Close(t.Context()) // reports
			}
			var u trial.Usage
			for deadline := time.Now().Add(c.patience); ; time.Sleep(50 * time.Millisecond) {
				if u = probe.Between(before, read(t, p)); u.Counters["postgres_statements"] >= 2*n || time.Now().After(deadline) {
					break
				}
			}
			if got := u.Counters["postgres_statements"]; got != 2*n {
				t.Errorf("%v statements, want exactly %d", got, 2*n)
			}
			if u.Counters["postgres_wal_bytes"] <= 0 {
				t.Error("inserts wrote no WAL")
			}
			a := read(t, p)
			u = probe.Between(a, read(t, p))
			if u.Counters["postgres_statements"] != 0 || u.Counters["postgres_transactions"] != 0 {
				t.Errorf("the probe sees itself: %v", u.Counters)
			}
		})
	}
}

func TestNginxCounters(t *testing.T) {
	url := startNginx(t, ledger(t))
	p := open(t, probe.Targets{NginxStatusURL: url + "/status"})
	const n = 30
	expect(t, p, map[string]float64{"nginx_requests": n, "nginx_connections": 1}, func() {
		client := &http.Client{Transport: &http.Transport{}}
		for range n {
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		client.CloseIdleConnections()
	})
}

// part is a child process as a component.
type part struct {
	name string
	tier trial.Tier
	p    *process.Process
}

// killed is a store that lived for 100 CPU-seconds until it was killed.
type killed struct {
	part
	dead *bool
}

func (k killed) Collected() float64 {
	if *k.dead {
		return 100
	}
	return 0
}

func (c part) Name() string                      { return c.name }
func (c part) Tier() trial.Tier                  { return c.tier }
func (c part) RSS() int64                        { return process.RSS(c.p.PIDs()) }
func (c part) Throttle() (trial.Throttle, error) { return trial.Throttle{}, nil }
func (c part) Collected() float64                { return 0 }
func (c part) CPU() (float64, error) {
	d, err := process.CPU(c.p.PID)
	return d.Seconds(), err
}

func TestCPUByTier(t *testing.T) {
	l := ledger(t)
	url, redisProcess := startRedis(t, l)
	cpus, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for _, n := range cpus {
		numbers = append(numbers, fmt.Sprint(n))
	}
	standby := killed{part{"standby", trial.StoreTier, redisProcess}, new(bool)}
	p := open(t, probe.Targets{Components: []probe.Component{part{"redis", trial.StoreTier, redisProcess}},
		Standby: []probe.Component{standby}, RedisURL: url, CPUs: numbers})
	before := read(t, p)
	// as k6 is: a child of ours that ends
	if err := exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	redisSpin(t, url)
	u := probe.Between(before, read(t, p))
	if u.CPU[trial.StoreTier] <= 0.02 || u.CPU[trial.StoreTier] != u.Component["redis"] {
		t.Errorf("store: %v CPU-seconds, redis %v; want the same and what the script burnt", u.CPU[trial.StoreTier], u.Component["redis"])
	}
	if u.CPU[trial.GeneratorTier] <= 0.02 {
		t.Errorf("generator: %v CPU-seconds, want the child's", u.CPU[trial.GeneratorTier])
	}
	*standby.dead = true // the kernel would have added its life to ours, and here it has not
	if g := probe.Between(before, read(t, p)).CPU[trial.GeneratorTier]; g > -99 {
		t.Errorf("generator: %v CPU-seconds; want a hundred less by what was collected of a store that stands by", g)
	}
	if u.RSS["redis"] < 1<<20 || len(u.Throttled) != 0 || u.Steal < 0 || u.Foreign < 0 || len(u.Busy) != len(cpus) {
		t.Errorf("%+v", u)
	}
	for cpu, share := range u.Busy {
		if share < 0 || share > 1.001 {
			t.Errorf("%s was busy for %v of the time", cpu, share)
		}
	}
}

func redisSpin(t *testing.T, url string) {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Eval(t.Context(), "local x = 0; for i = 1, 10000000 do x = x + i end; return 1", nil).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsNameTheTarget(t *testing.T) {
	for _, c := range []struct {
		targets probe.Targets
		want    string
	}{
		{probe.Targets{RedisURL: "redis://127.0.0.1:1/0"}, "Redis at 127.0.0.1:1"},
		{probe.Targets{RedisURL: "nonsense"}, "Redis URL"},
		{probe.Targets{PostgresURL: "postgres://nobody@127.0.0.1:1/x"}, "PostgreSQL"},
		{probe.Targets{NginxStatusURL: "http://127.0.0.1:1/"}, "nginx"},
		{probe.Targets{CPUs: []string{"99999"}}, "99999"},
	} {
		if _, err := probe.New(t.Context(), c.targets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; want an error that names %s", c.targets, err, c.want)
		}
	}
}

func TestMachineAndSoftware(t *testing.T) {
	m := probe.Machine()
	if m.OS == "" || m.Kernel == "" || m.CPUs < 1 || m.MemoryMiB < 1 {
		t.Errorf("%+v has gaps", m)
	}
	s, err := probe.Software("redis", "redis-server", "--version")
	if err != nil || !strings.Contains(s.Version, "v=") || len(s.SHA256) != 64 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := probe.Software("ghost", os.DevNull+"/ghost"); err == nil || !strings.Contains(err.Error(), "ghost") {
		t.Errorf("absent binary: %v", err)
	}
}
