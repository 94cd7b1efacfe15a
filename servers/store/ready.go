package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// WritesRefusedError says that a database answers and takes no writes: what it
// holds can be read, and nobody can log in or out.
type WritesRefusedError struct{ Why string } // a word, as the database has it

func (e *WritesRefusedError) Error() string { return "it refuses writes (" + e.Why + ")" }

// RedisReady says whether Redis answers and takes writes: it gives
// *WritesRefusedError if not the latter. SETRANGE of nothing is a write by its
// kind, so whatever refuses those refuses it; it changes nothing and reaches no
// replica, however often it is asked. key is one that the client may write.
func RedisReady(ctx context.Context, client *redis.Client, key string) error {
	err := client.SetRange(ctx, key, 0, "").Err()
	if err == nil {
		return nil
	}
	// Out of memory; a replica; a disk that takes no snapshot; too few replicas.
	word, _, _ := strings.Cut(err.Error(), " ")
	if slices.Contains([]string{"OOM", "READONLY", "MISCONF", "NOREPLICAS"}, word) {
		err = &WritesRefusedError{word}
	}
	return fmt.Errorf("ask redis: %w", err)
}

// EvictsError says that a database may throw away what it is to keep. Policy is
// Redis' word for what it throws away.
type EvictsError struct{ Policy string }

func (e *EvictsError) Error() string {
	return "it evicts (" + e.Policy + "): want maxmemory-policy noeviction"
}

// RedisKeeps says whether Redis keeps what it is given: it gives *EvictsError if
// not. INFO is for everybody; CONFIG, which says the same, many hosters forbid.
func RedisKeeps(ctx context.Context, client *redis.Client) error {
	info, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	_, rest, _ := strings.Cut(info, "maxmemory_policy:")
	if policy, _, _ := strings.Cut(rest, "\r\n"); policy != "noeviction" {
		return fmt.Errorf("ask redis: %w", &EvictsError{policy})
	}
	return nil
}

// Ready says whether the database answers and takes writes: it gives
// *WritesRefusedError if not the latter. PostgreSQL says so by itself with any
// answer, from version 14 on, so that costs no query.
func (p *Postgres) Ready(ctx context.Context) error {
	return p.Lookup(ctx, func(ctx context.Context) error {
		conn, err := p.Pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("ask postgres: %w", err)
		}
		defer conn.Release()
		if err := conn.Ping(ctx); err != nil {
			return fmt.Errorf("ask postgres: %w", err)
		}
		for _, setting := range []string{"in_hot_standby", "default_transaction_read_only"} {
			if conn.Conn().PgConn().ParameterStatus(setting) == "on" {
				return fmt.Errorf("ask postgres: %w", &WritesRefusedError{setting})
			}
		}
		return nil
	})
}
