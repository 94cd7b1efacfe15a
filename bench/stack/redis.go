package stack

import (
	"context"
	"fmt"
	"net"
	"syscall"

	"github.com/redis/go-redis/v9"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// redisStore is the Redis of a run. It keeps nothing on disk; a denylist or a
// session must never be evicted silently.
type redisStore struct {
	process   *process.Process
	component *Component
	url       string
	client    *redis.Client
	holds     mintKey // what is in it, if it is known
}

func (n *Native) startRedis(ctx context.Context) error {
	if n.redis != nil && n.redis.process.Died() == nil {
		return nil
	}
	n.redis = nil
	dir, err := n.userFolder("redis")
	if err != nil {
		return err
	}
	r := &redisStore{}
	if r.component, err = n.component("redis", trial.StoreTier); err != nil {
		return err
	}
	r.process, err = onFreePort(1, func(addr []string) (*process.Process, error) {
		host, port, err := net.SplitHostPort(addr[0])
		if err != nil {
			return nil, err
		}
		p, err := n.ledger.Start(process.Command{
			Name: "redis", Path: n.programs.redis, Dir: dir,
			Args: []string{"--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "no",
				"--maxmemory-policy", "noeviction", "--daemonize", "no", "--maxclients", "4096", "--tcp-backlog", "511"},
			CPUs: n.opts.SystemCPUs, Groups: r.component.groupDirs(), Credential: n.user.credential(),
			StopSignal: syscall.SIGTERM, DeathSignal: syscall.SIGKILL,
		})
		if err != nil {
			return nil, err
		}
		r.url = "redis://" + addr[0] + "/0"
		r.client = redis.NewClient(&redis.Options{Addr: addr[0], DisableIdentity: true, PoolSize: 2})
		return p, ready(ctx, p, func(ctx context.Context) error {
			// The client writes to standard error when nobody listens yet, so look first.
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr[0])
			if err != nil {
				return err
			}
			conn.Close()
			return r.client.Ping(ctx).Err()
		})
	})
	if err != nil {
		return fmt.Errorf("redis does not start: %w", err)
	}
	r.component.run(r.process)
	n.redis = r
	return nil
}

// empty forgets everything.
func (r *redisStore) empty(ctx context.Context) error {
	r.holds = mintKey{}
	if err := r.client.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty redis: %w", err)
	}
	return nil
}
