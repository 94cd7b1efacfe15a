package micro

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/auth"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
	"authbench/servers/token"
)

// revocable makes tokens that a denylist may end, in a Redis of its own.
func revocable(b *testing.B, alg string) (*token.Revocable, *redis.Client) {
	b.Helper()
	limits := store.Options{Timeout: 5 * time.Second, Pool: 4}
	client, err := store.OpenRedis(storetest.Redis(b).URL, limits)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	list := token.NewDenylist(client, limits.Timeout, func(string, time.Duration, error) {})
	a, err := token.NewRevocable(signingKeys(b, alg), tokenConfig, list)
	if err != nil {
		b.Fatal(err)
	}
	return a, client
}

// BenchmarkRevoke logs tokens out. Its B/entry is what one takes in Redis: the growth
// since the list was empty. As tables grow by doubling that of few entries is rough:
// -benchtime 1000000x tells it of a million.
func BenchmarkRevoke(b *testing.B) {
	const atLeast = 2000
	ctx := context.Background()
	a, client := revocable(b, "HS256")
	b.Run("alg=HS256+denylist", func(b *testing.B) {
		if err := client.FlushAll(ctx).Err(); err != nil {
			b.Fatal(err)
		}
		empty, err := usedMemory(ctx, client)
		if err != nil {
			b.Fatal(err)
		}
		var fresh []auth.Credential
		entries := 0
		revoke := func(b *testing.B) {
			if len(fresh) == 0 {
				b.StopTimer()
				fresh = issue(b, a, residents)
				b.StartTimer()
			}
			if err := a.Revoke(ctx, fresh[0]); err != nil {
				b.Fatal(err)
			}
			fresh = fresh[1:]
			entries++
		}
		for entries < atLeast {
			revoke(b)
		}
		b.ReportAllocs()
		for b.Loop() {
			revoke(b)
		}
		held, err := usedMemory(ctx, client)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(held-empty)/float64(entries), "B/entry")
	})
}
