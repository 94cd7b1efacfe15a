// Package cost holds Go micro-benchmarks of what the servers do for a request,
// without HTTP: sign and verify by algorithm, look up a session by store, log in.
// It measures the very code that the servers run, against real stores.
//
// Output is in Go's benchmark format with sub-names /key=value, so benchstat
// compares it: go test -bench . ./bench/micro
package micro

import (
	"context"
	"testing"
	"time"

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

func tokens(b *testing.B, alg string) auth.Authenticator {
	b.Helper()
	dir := b.TempDir()
	if err := token.GenerateKeys(dir, alg); err != nil {
		b.Fatal(err)
	}
	keys, err := token.LoadKeys(dir, alg)
	if err != nil {
		b.Fatal(err)
	}
	a, err := token.New(keys, token.Config{Issuer: "authbench", Audience: "authbench", Lifetime: time.Hour})
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
}

func BenchmarkLookup(b *testing.B) {
	limits := store.Options{Timeout: 5 * time.Second, Pool: 4}
	redis, err := store.OpenRedis(storetest.Redis(b).URL, limits)
	if err != nil {
		b.Fatal(err)
	}
	defer redis.Close()
	pg, err := store.OpenPostgres(context.Background(), storetest.Postgres(b).URL, limits)
	if err != nil {
		b.Fatal(err)
	}
	defer pg.Pool.Close()
	postgres, err := session.NewPostgres(context.Background(), pg, false)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name  string
		store session.Store
	}{
		{"memory", session.NewMemory(time.Now, residents)},
		{"redis", session.NewRedis(redis, limits.Timeout)},
		{"postgres", postgres},
	} {
		a := session.New(s.store, session.Config{Lifetime: time.Hour})
		cs := issue(b, a, residents)
		b.Run("store="+s.name, func(b *testing.B) { authenticate(b, a, cs) })
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
		checker, err := account.NewChecker(ctx, accounts, hasher)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := checker.Check(ctx, account.SeedName(0), account.SeedPassword); err != nil {
				b.Fatal(err)
			}
		}
	})
}
