package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps sessions in a Redis server, shared by all replicas. Redis
// deletes expired keys by its own clock; this server's clock decides all the
// same, because the deadline is in the value too.
type Redis struct {
	client  *redis.Client
	timeout time.Duration
	now     func() time.Time
}

// NewRedis returns a store over client; each call ends within timeout.
func NewRedis(client *redis.Client, timeout time.Duration, now func() time.Time) *Redis {
	return &Redis{client: client, timeout: timeout, now: now}
}

var _ Store = (*Redis)(nil)

func redisKey(id ID) string { return "session:" + string(id[:]) }

// Create implements Store.
func (r *Redis) Create(ctx context.Context, id ID, s Session) error {
	ttl := s.Deadline().Sub(r.now())
	if ttl < time.Millisecond {
		return nil // born expired: nobody may find it
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Set(ctx, redisKey(id), encode(s), ttl).Err(); err != nil {
		return fmt.Errorf("redis set: %w", err)
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
	s, err := decode(value)
	if err != nil {
		return Session{}, false, err
	}
	if !r.now().Before(s.Deadline()) {
		return Session{}, false, nil
	}
	return s, true, nil
}

// updateIfLive replaces a value only where one is that has not expired by the
// caller's clock. Plain SET XX would also revive a session that is over by
// that clock and not yet by Redis'. The deadline is bytes 2 to 9 of a value.
var updateIfLive = redis.NewScript(`
local old = redis.call('GET', KEYS[1])
if not old or struct.unpack('>I8', old, 2) <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1`)

// Update implements Store.
func (r *Redis) Update(ctx context.Context, id ID, s Session) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	now := r.now()
	ttl := s.Deadline().Sub(now).Milliseconds()
	done, err := updateIfLive.Run(ctx, r.client, []string{redisKey(id)}, encode(s), now.UnixMilli(), max(ttl, 1)).Int()
	if err != nil {
		return false, fmt.Errorf("redis update: %w", err)
	}
	return done == 1, nil
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, id ID) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Del(ctx, redisKey(id)).Err(); err != nil {
		return fmt.Errorf("redis del: %w", err)
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

// A value is: format (1 byte), deadline, created, expires, last seen (Unix
// milliseconds), idle timeout (milliseconds), all 8 bytes big-endian, length of
// the role (1 byte), role, subject. The deadline comes first for the script.
const (
	valueFormat = 1
	valueHeader = 1 + 5*8 + 1
)

func encode(s Session) []byte {
	b := make([]byte, 0, valueHeader+len(s.Role)+len(s.Subject))
	b = append(b, valueFormat)
	for _, ms := range [...]int64{
		s.Deadline().UnixMilli(), s.Created.UnixMilli(), s.Expires.UnixMilli(),
		s.LastSeen.UnixMilli(), s.IdleTimeout.Milliseconds(),
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(ms))
	}
	b = append(b, byte(len(s.Role)))
	b = append(b, s.Role...)
	return append(b, s.Subject...)
}

func decode(b []byte) (Session, error) {
	if len(b) < valueHeader || b[0] != valueFormat || len(b) < valueHeader+int(b[valueHeader-1]) {
		return Session{}, fmt.Errorf("redis value of %d bytes is not a session of format %d", len(b), valueFormat)
	}
	ms := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[1+8*i:])) }
	role := b[valueHeader : valueHeader+int(b[valueHeader-1])]
	return Session{
		Role:        string(role),
		Subject:     string(b[valueHeader+len(role):]),
		Created:     time.UnixMilli(ms(1)).UTC(),
		Expires:     time.UnixMilli(ms(2)).UTC(),
		LastSeen:    time.UnixMilli(ms(3)).UTC(),
		IdleTimeout: time.Duration(ms(4)) * time.Millisecond,
	}, nil
}
