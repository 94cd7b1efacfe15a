// Package store opens the databases that several rooms share, Redis and
// PostgreSQL, with the limits that a server needs: a pool of a stated size, and
// a deadline on every call, so that a store that hangs costs a request a
// bounded time and not a goroutine for ever.
//
// In come a URL and [Options]; out come ready clients. What is kept in them is
// the business of session, account and token.
package store

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options are limits that hold for either database.
type Options struct {
	Timeout time.Duration // of one call, waiting for a connection included
	Pool    int           // connections at most
}

// OpenRedis returns a client for a redis:// or unix:// URL. It does not
// connect yet.
//
// Everything that go-redis would do by itself to hide an outage is off: a
// retry would multiply the deadline, and a deadline in a context is ignored
// unless asked for. Extra handshakes are off too, so that a connection sends
// what the store room asks for and nothing else.
func OpenRedis(url string, o Options) (*redis.Client, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout = o.Timeout
	opts.ReadTimeout = o.Timeout
	opts.WriteTimeout = o.Timeout
	opts.PoolTimeout = o.Timeout
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.PoolSize = o.Pool
	opts.MaxActiveConns = o.Pool
	opts.DisableIdentity = true
	opts.Dialer = lateDial(redis.NewDialer(opts))
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(opts), nil
}
