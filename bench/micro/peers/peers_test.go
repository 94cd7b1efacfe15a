// Package peers sets what the servers do for a request beside what well-known
// libraries do, in one `go test -bench` run: verifying a token, looking up a
// session in Redis, PostgreSQL and memory. It is a module of its own, so that
// the libraries are no dependencies of the servers.
//
// Run it in this folder: go test -bench . -cpu 1,2 ; output is in Go's benchmark
// format with sub-names /key=value, so benchstat compares it:
//
//	go test -bench . -count 6 | tee out && benchstat -col /lib out
//
// Metrics of its own: cpu-ns/op (of this process, all threads, system time
// included), trips/op (commands that Redis itself counted) and B/session.
package peers

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"authbench/servers/account"
	"authbench/servers/auth"
)

// TestMain keeps go-redis from logging each connection that fails while a test's
// Redis starts.
func TestMain(m *testing.M) {
	logging.Disable()
	m.Run()
}

// residents is how many credentials each benchmark walks through.
const residents = 1000

func principal(i int) auth.Principal {
	return auth.Principal{Subject: account.SeedName(i % residents), Role: account.RoleUser}
}

// cpu is what this process has used.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs op b.N times over the residents and reports allocations and CPU.
func measure(b *testing.B, op func(i int)) {
	b.Helper()
	b.ReportAllocs()
	op(0) // connections are open, pools are filled
	before := cpu(b)
	i := 0
	for b.Loop() {
		op(i % residents)
		i++
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(i), "cpu-ns/op")
}

// must ends the benchmark if what was measured failed.
func must(tb testing.TB, err error) {
	if err != nil {
		tb.Helper()
		tb.Fatal(err)
	}
}

// wantSubject ends the benchmark if a credential proved somebody else.
func wantSubject(tb testing.TB, got string, i int) {
	if !strings.HasPrefix(got, "user-") || got != account.SeedName(i) {
		tb.Helper()
		tb.Fatalf("credential of %s proves %q", account.SeedName(i), got)
	}
}
