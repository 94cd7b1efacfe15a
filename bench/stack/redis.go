package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisArgs is how Redis is started wherever it runs: it keeps nothing on disk,
// and a session or a denylist must never be evicted silently.
func redisArgs() []string {
	return []string{"--save", "", "--appendonly", "no", "--maxmemory-policy", redisPolicy,
		"--daemonize", "no", "--maxclients", redisClients, "--tcp-backlog", "511"}
}

// redisStore is the Redis of a run.
type redisStore struct {
	store
	holds mintKey       // what is in it, if it is known
	only  *redis.Client // while no other connection is allowed
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
	n.redis.retire()
	n.redis = redisStore{store: s}
	s.component.contents = &n.redis
	return nil
}

// snapshot is Redis' file, if it was ever asked to keep what it holds.
func (r *redisStore) snapshot() string { return filepath.Join(r.folder, "dump.rdb") }

// keep implements contents. Redis answers nobody else while it writes.
func (r *redisStore) keep(ctx context.Context) error {
	if err := withRedis(r.url, func(c *redis.Client) error { return c.Save(ctx).Err() }); err != nil {
		return fmt.Errorf("have redis keep what it holds: %w", err)
	}
	return nil
}

// lose implements contents: it keeps nothing unless it is asked to.
func (r *redisStore) lose(context.Context) error { return r.restarted() }

// restarted implements contents: the snapshot has been read, and must not be
// there for the next death.
func (r *redisStore) restarted() error {
	if err := os.Remove(r.snapshot()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the snapshot of redis: %w", err)
	}
	return nil
}

func (r *redisStore) forget() { r.holds = mintKey{} }

// askRedis has a Redis at an address answer so many bytes.
func askRedis(ctx context.Context, address string, bytes int) (took time.Duration, err error) {
	err = withRedis("redis://"+address, func(c *redis.Client) error {
		if err := c.Ping(ctx).Err(); err != nil { // connects
			return err
		}
		began := time.Now()
		defer func() { took = time.Since(began) }()
		return c.Echo(ctx, strings.Repeat("x", bytes)).Err()
	})
	return took, err
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
	c, err := openRedis(url)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// openRedis makes a client of one connection, which is opened when it is first used.
func openRedis(url string) (*redis.Client, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts.DisableIdentity, opts.PoolSize = true, 1
	opts.ContextTimeoutEnabled, opts.MaxRetries, opts.DialerRetries = true, -1, 1 // the caller bounds and repeats
	opts.ReadTimeout = 10 * time.Second                                           // a snapshot takes a while
	return redis.NewClient(opts), nil
}

// empty forgets everything.
func (r *redisStore) empty(ctx context.Context) error {
	r.holds = mintKey{}
	if err := withRedis(r.url, func(c *redis.Client) error { return c.FlushAll(ctx).Err() }); err != nil {
		return fmt.Errorf("empty redis: %w", err)
	}
	return nil
}
