package account

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisFailures counts in Redis, for all replicas. A count goes away by itself
// at the end of its window, by Redis' clock.
type RedisFailures struct {
	limit   Limit
	client  *redis.Client
	timeout time.Duration
}

// NewRedisFailures returns a count over client; each call ends within timeout.
func NewRedisFailures(client *redis.Client, timeout time.Duration, limit Limit) *RedisFailures {
	return &RedisFailures{limit: limit, client: client, timeout: timeout}
}

var _ Failures = (*RedisFailures)(nil)

func redisFailuresKey(name string) string {
	key := keyOf(name)
	return "login-failures:" + string(key[:])
}

// waitFor returns for how many milliseconds a count goes on being too high.
var waitFor = redis.NewScript(`
if (tonumber(redis.call('GET', KEYS[1])) or 0) < tonumber(ARGV[1]) then return 0 end
return math.max(1, redis.call('PTTL', KEYS[1]))`)

// countOne adds one; the first opens the window.
var countOne = redis.NewScript(`
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`)

// Wait implements Failures.
func (r *RedisFailures) Wait(ctx context.Context, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ms, err := waitFor.Run(ctx, r.client, []string{redisFailuresKey(name)}, r.limit.Failures).Int64()
	if err != nil {
		return 0, fmt.Errorf("redis: read failed log-ins: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// Count implements Failures.
func (r *RedisFailures) Count(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := countOne.Run(ctx, r.client, []string{redisFailuresKey(name)}, r.limit.Window.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("redis: count a failed log-in: %w", err)
	}
	return nil
}
