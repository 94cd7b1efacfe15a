// Package micro holds Go micro-benchmarks of what the servers do for a request,
// without HTTP: sign and verify by algorithm, look up a session by store, log in.
// It measures the very code that the servers run, against real stores.
//
// Output is in Go's benchmark format with sub-names /key=value, so benchstat
// compares it: go test -bench . ./bench/micro
package micro

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/account"
	"authbench/servers/auth"
	"authbench/servers/session"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
	"authbench/servers/token"
)

// residents is how many credentials each benchmark walks through, so that no
// look-up and no verification is of the one that was just used.
const residents = 1000

var tokenConfig = token.Config{Issuer: "authbench", Audience: "authbench", Lifetime: time.Hour}

func signingKeys(b *testing.B, alg string) *token.KeySet {
	b.Helper()
	dir := b.TempDir()
	if err := token.GenerateKeys(dir, alg); err != nil {
		b.Fatal(err)
	}
	keys, err := token.LoadKeys(dir, alg)
	if err != nil {
		b.Fatal(err)
	}
	return keys
}

func tokens(b *testing.B, alg string) auth.Authenticator {
	b.Helper()
	a, err := token.New(signingKeys(b, alg), tokenConfig)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func issue(b *testing.B, a auth.Authenticator, n int) []auth.Credential {
	b.Helper()
	cs := make([]auth.Credential, n)
	for i := range cs {
		c, _, err := a.Issue(context.Background(), auth.Principal{Subject: account.SeedName(i), Role: account.RoleUser})
		if err != nil {
			b.Fatal(err)
		}
		cs[i] = c
	}
	return cs
}

// authenticate is the measured loop of every arm: each answer must be the user
// to whom the credential belongs.
func authenticate(b *testing.B, a auth.Authenticator, cs []auth.Credential) {
	b.Helper()
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i % len(cs)
		p, err := a.Authenticate(ctx, cs[n])
		if err != nil {
			b.Fatal(err)
		}
		if p.Subject != account.SeedName(n) {
			b.Fatalf("credential of %s authenticated %s", account.SeedName(n), p.Subject)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range token.Algorithms() {
		b.Run("alg="+alg, func(b *testing.B) {
			a := tokens(b, alg)
			p := auth.Principal{Subject: account.SeedName(1), Role: account.RoleUser}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := a.Issue(context.Background(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range token.Algorithms() {
		a := tokens(b, alg)
		cs := issue(b, a, residents)
		b.Run("alg="+alg, func(b *testing.B) { authenticate(b, a, cs) })
	}
	listed, _ := revocable(b, "HS256")
	cs := issue(b, listed, residents)
	b.Run("alg=HS256+denylist", func(b *testing.B) { authenticate(b, listed, cs) })
}

// sessionStore is a store of sessions, and how to ask how many bytes they take in it.
type sessionStore struct {
	name  string
	store session.Store
	held  func() (int64, error)
}

func sessionStores(b *testing.B) []sessionStore {
	b.Helper()
	ctx := context.Background()
	limits := store.Options{Timeout: 5 * time.Second, Pool: 4}
	client, err := store.OpenRedis(storetest.Redis(b).URL, limits)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	pg, err := store.OpenPostgres(ctx, storetest.Postgres(b).URL, limits)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pg.Pool.Close)
	postgres, err := session.NewPostgres(ctx, pg, false)
	if err != nil {
		b.Fatal(err)
	}
	return []sessionStore{
		{"memory", session.NewMemory(time.Now, 1<<22), func() (int64, error) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc), nil
		}},
		{"redis", session.NewRedis(client, limits.Timeout), func() (int64, error) { return usedMemory(ctx, client) }},
		{"postgres", postgres, func() (n int64, err error) {
			return n, pg.Pool.QueryRow(ctx, "SELECT pg_total_relation_size('sessions')").Scan(&n)
		}},
	}
}

// usedMemory is what a Redis says of itself.
func usedMemory(ctx context.Context, client *redis.Client) (int64, error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, "used_memory:")
	line, _, _ := strings.Cut(rest, "\r")
	return strconv.ParseInt(line, 10, 64)
}

func BenchmarkLookup(b *testing.B) {
	for _, s := range sessionStores(b) {
		a := session.New(s.store, session.Config{Lifetime: time.Hour})
		cs := issue(b, a, residents)
		b.Run("store="+s.name, func(b *testing.B) { authenticate(b, a, cs) })
	}
}

// BenchmarkStart starts a session, as a log-in does after the password is checked. Its B/session is
// what one takes in the store, indexes included: the growth since it was empty. Tables grow by doubling,
// so that of few sessions is rough: -benchtime 100000x tells it of many.
func BenchmarkStart(b *testing.B) {
	const atLeast = 2000
	for _, s := range sessionStores(b) {
		empty, err := s.held()
		if err != nil {
			b.Fatal(err)
		}
		ctx, a, user := context.Background(), session.New(s.store, session.Config{Lifetime: time.Hour}), 0
		start := func(b *testing.B) {
			user++ // never one who has a session: it would share an index with it
			if _, _, err := a.Issue(ctx, auth.Principal{Subject: account.SeedName(user), Role: account.RoleUser}); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("store="+s.name, func(b *testing.B) {
			for user < atLeast {
				start(b)
			}
			b.ReportAllocs()
			for b.Loop() {
				start(b)
			}
			held, err := s.held()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(held-empty)/float64(user), "B/session")
		})
	}
}

func BenchmarkLogin(b *testing.B) {
	b.Run("hash=argon2id", func(b *testing.B) {
		ctx := context.Background()
		hasher := account.NewHasher(account.DefaultParams, 1, 1)
		accounts := account.NewMemory()
		if err := account.Seed(ctx, accounts, hasher, 1); err != nil {
			b.Fatal(err)
		}
		checker := account.NewChecker(accounts, hasher)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := checker.Check(ctx, account.SeedName(0), account.SeedPassword); err != nil {
				b.Fatal(err)
			}
		}
	})
}
