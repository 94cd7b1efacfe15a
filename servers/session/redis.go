package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/store"
)

// Redis keeps sessions in a Redis server, shared by all replicas. Redis' own clock
// decides alone: a session is a key that Redis gives out no longer than its
// deadline, whether or not it has deleted it yet, and scripts take the time from
// Redis.
//
// Beside each session there is an index of its subject's: a sorted set of IDs in
// the order of their creation, which lasts as long as the last of them may. Scripts
// keep the two in step; they name keys that they find out, so this is for one
// server (or a primary with replicas), not for a cluster.
type Redis struct {
	// PerSubject is how many sessions one subject may have; zero means
	// DefaultPerSubject. Set it before use.
	PerSubject int

	client  *redis.Client
	timeout time.Duration
}

// NewRedis returns a store over client; each call ends within timeout.
func NewRedis(client *redis.Client, timeout time.Duration) *Redis {
	return &Redis{client: client, timeout: timeout}
}

var (
	_ Store     = (*Redis)(nil)
	_ Toucher   = (*Redis)(nil)
	_ BySubject = (*Redis)(nil)
)

func redisKey(id ID) string { return sessionPrefix + string(id[:]) }

// Create implements Store.
func (r *Redis) Create(ctx context.Context, id ID, s Session) error {
	if s.Deadline().Sub(s.Created) < time.Millisecond {
		return nil // born expired: nobody may find it
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := createIndexed.Run(ctx, r.client, []string{redisKey(id), indexKey(s.Subject)},
		encode(s), id[:], perSubject(r.PerSubject)).Err()
	if err != nil {
		return fmt.Errorf("redis create: %w", err)
	}
	return nil
}

// Find implements Store.
func (r *Redis) Find(ctx context.Context, id ID) (Session, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	value, err := r.client.Get(ctx, redisKey(id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("redis get: %w", err)
	}
	return found(value)
}

// found decodes the value of a session that is live, since Redis gave it out.
func found(value []byte) (Session, bool, error) {
	s, err := decode(value)
	return s, err == nil, err
}

// Update implements Store.
func (r *Redis) Update(ctx context.Context, id ID, s Session) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	done, err := updateIfLive.Run(ctx, r.client, []string{redisKey(id)}, encode(s)).Int()
	if err != nil {
		return false, fmt.Errorf("redis update: %w", err)
	}
	return done == 1, nil
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, id ID) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := deleteIndexed.Run(ctx, r.client, []string{redisKey(id)}, id[:]).Err(); err != nil {
		return fmt.Errorf("redis delete: %w", err)
	}
	return nil
}

// Ping says whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Ready says whether Redis answers and takes writes; see [store.RedisReady].
func (r *Redis) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return store.RedisReady(ctx, r.client, sessionPrefix)
}
