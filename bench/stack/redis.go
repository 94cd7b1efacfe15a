package stack

import (
	"context"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

// redisArgs is how Redis is started wherever it runs: it keeps nothing on disk,
// and a session or a denylist must never be evicted silently.
func redisArgs() []string {
	return []string{"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
		"--daemonize", "no", "--maxclients", "4096", "--tcp-backlog", "511"}
}

// redisStore is the Redis of a run.
type redisStore struct {
	store
	holds mintKey // what is in it, if it is known
}

// startRedis starts it unless it runs.
func (n *Runtime) startRedis(ctx context.Context) error {
	if n.redis.running() {
		return nil
	}
	s, err := n.host.redis(ctx)
	if err != nil {
		return fmt.Errorf("redis does not start: %w", err)
	}
	n.redis = redisStore{store: s}
	return nil
}

// redisAnswers says whether a Redis serves at host:port.
func redisAnswers(ctx context.Context, address string) error {
	// The client writes to standard error when nobody listens yet, so look first.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	conn.Close()
	return withRedis("redis://"+address, func(c *redis.Client) error { return c.Ping(ctx).Err() })
}

// withRedis calls f with a client of its own.
func withRedis(url string, f func(*redis.Client) error) error {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	opts.DisableIdentity, opts.PoolSize = true, 1
	c := redis.NewClient(opts)
	defer c.Close()
	return f(c)
}

// empty forgets everything.
func (r *redisStore) empty(ctx context.Context) error {
	r.holds = mintKey{}
	if err := withRedis(r.url, func(c *redis.Client) error { return c.FlushAll(ctx).Err() }); err != nil {
		return fmt.Errorf("empty redis: %w", err)
	}
	return nil
}
