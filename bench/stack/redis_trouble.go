package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What Redis runs with here, and goes back to; see redisArgs.
const (
	redisClients = "4096"
	redisPolicy  = "noeviction"
)

// trouble implements contents.
func (r *redisStore) trouble(ctx context.Context, t Trouble) error {
	if t.Name == Crowded {
		return r.crowd(ctx)
	}
	return withRedis(r.url, func(c *redis.Client) error {
		switch t.Name {
		case Full: // less than any Redis uses
			if err := c.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
				return err
			}
			return refuses(ctx, c, "OOM")
		case Evicting:
			return evict(ctx, c, t.Left)
		case ReadOnly: // the replica of a primary that is not there: what a primary is that was demoted
			if err := c.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
				return err
			}
			return refuses(ctx, c, "READONLY")
		}
		return fmt.Errorf("redis cannot be %s", t.Name)
	})
}

// relieve implements contents.
func (r *redisStore) relieve(ctx context.Context, name TroubleName) error {
	if name == Crowded {
		return r.disperse(ctx)
	}
	return withRedis(r.url, func(c *redis.Client) error {
		var err error
		switch name {
		case Full, Evicting:
			if err = c.ConfigSet(ctx, "maxmemory", "0").Err(); err == nil {
				err = c.ConfigSet(ctx, "maxmemory-policy", redisPolicy).Err()
			}
		case ReadOnly:
			err = c.Do(ctx, "REPLICAOF", "NO", "ONE").Err()
		}
		if err != nil {
			return err
		}
		return comes(ctx, func() error { return writes(ctx, c) })
	})
}

// writes is a write that changes nothing.
func writes(ctx context.Context, c *redis.Client) error {
	return c.SetRange(ctx, "authbench-write", 0, "").Err()
}

// refuses waits until writes are refused with this word.
func refuses(ctx context.Context, c *redis.Client, word string) error {
	return comes(ctx, func() error {
		if err := writes(ctx, c); err == nil || !strings.HasPrefix(err.Error(), word) {
			return fmt.Errorf("a write is answered %v: want %s", err, word)
		}
		return nil
	})
}

// evict lowers the bound on memory until no more than this share of the keys is
// left. Where to stop cannot be told beforehand: part of what Redis uses is no key.
func evict(ctx context.Context, c *redis.Client, left float64) error {
	before, err := c.DBSize(ctx).Result()
	if err == nil {
		err = c.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err()
	}
	if err != nil {
		return err
	}
	for bound := int64(math.MaxInt64); ; {
		n, err := c.DBSize(ctx).Result()
		if err != nil {
			return err
		}
		if n <= int64(left*float64(before)) {
			return nil
		}
		used, err := usedMemory(ctx, c)
		if err != nil {
			return err
		}
		bound = max(1, min(bound, used)-used/200)
		if err := c.ConfigSet(ctx, "maxmemory", strconv.FormatInt(bound, 10)).Err(); err != nil {
			return err
		}
	}
}

// usedMemory is all that Redis has allocated, in bytes.
func usedMemory(ctx context.Context, c *redis.Client) (int64, error) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	return 0, errors.New("redis does not say how much memory it uses")
}

// crowd keeps the only connection that Redis allows from now on, and ends all others.
func (r *redisStore) crowd(ctx context.Context) error {
	if r.only == nil {
		c, err := openRedis(r.url)
		if err != nil {
			return err
		}
		r.only = c
	}
	if err := r.only.ConfigSet(ctx, "maxclients", "1").Err(); err != nil {
		return err
	}
	if err := r.only.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
		return err
	}
	return comes(ctx, func() error { return turnedAway(ctx, hostPort(r.url)) })
}

// turnedAway says whether Redis closes a new connection because there are too
// many. It says so before it is asked anything.
func turnedAway(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	said, err := bufio.NewReader(conn).ReadString('\n')
	if !strings.Contains(said, "max number of clients") {
		return fmt.Errorf("a new connection is told %q (%v): want that there are too many", said, err)
	}
	return nil
}

// disperse allows as many connections as before. A Redis that was started again
// meanwhile has done so by itself.
func (r *redisStore) disperse(ctx context.Context) error {
	if r.only != nil {
		err := r.only.ConfigSet(ctx, "maxclients", redisClients).Err()
		if err != nil && ctx.Err() != nil {
			return err
		}
		r.only.Close()
		r.only = nil
	}
	return comes(ctx, func() error { return withRedis(r.url, func(c *redis.Client) error { return c.Ping(ctx).Err() }) })
}
