package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Keys are "session:" and an ID, "sessions-of:" and a subject.
const (
	sessionPrefix = "session:"
	indexPrefix   = "sessions-of:"
)

func indexKey(subject string) string { return indexPrefix + subject }

// createIndexed files a session and its entry in the index, from which it
// clears what is over. Where there are too many still, those go first that
// ended idly (their keys are gone), then the oldest.
var createIndexed = redis.NewScript(`
local now, most = tonumber(ARGV[5]), tonumber(ARGV[6])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
local over = redis.call('ZCARD', KEYS[2]) - most
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if redis.call('EXISTS', 'session:' .. id) == 0 then
      redis.call('ZREM', KEYS[2], id)
      over = over - 1
    end
  end
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
      redis.call('DEL', 'session:' .. id)
      redis.call('ZREM', KEYS[2], id)
    end
  end
end
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(1, tonumber(last[2]) - now)))
return 1`)

// deleteIndexed ends one session. Its subject stands in the value, after the
// role, whose length is byte 42.
var deleteIndexed = redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if not v then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('ZREM', 'sessions-of:' .. string.sub(v, 43 + string.byte(v, 42)), ARGV[1])`)

// deleteSubjects ends the sessions in each of the indexes, but for one ID.
var deleteSubjects = redis.NewScript(`
for _, index in ipairs(KEYS) do
  for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    if id ~= ARGV[1] then
      redis.call('DEL', 'session:' .. id)
      redis.call('ZREM', index, id)
    end
  end
end
return 1`)

// updateIfLive replaces a value only where one is that has not expired by the
// caller's clock. Plain SET XX would also revive a session that is over by
// that clock and not yet by Redis'. The deadline is bytes 2 to 9 of a value.
var updateIfLive = redis.NewScript(`
local old = redis.call('GET', KEYS[1])
if not old or struct.unpack('>I8', old, 2) <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1`)

// touchIfDue returns a live value and, if its last use (bytes 26 to 33) is long
// enough ago, writes a new one and the deadline that follows from it.
var touchIfDue = redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if not v then return false end
local now = tonumber(ARGV[1])
local deadline, created, expires, seen, idle = struct.unpack('>I8I8I8I8I8', v, 2)
if deadline <= now or now - seen < tonumber(ARGV[2]) then return v end
deadline = expires
if idle > 0 then deadline = math.min(expires, now + idle) end
v = string.sub(v, 1, 1) .. struct.pack('>I8I8I8I8', deadline, created, expires, now) .. string.sub(v, 34)
redis.call('SET', KEYS[1], v, 'PX', string.format('%.0f', deadline - now))
return v`)

// Touch implements Toucher.
func (r *Redis) Touch(ctx context.Context, id ID, every time.Duration) (Session, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	now := r.now()
	value, err := touchIfDue.Run(ctx, r.client, []string{redisKey(id)}, now.UnixMilli(), every.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("redis touch: %w", err)
	}
	return live([]byte(value), now)
}

// live decodes a value and judges its deadline.
func live(value []byte, now time.Time) (Session, bool, error) {
	s, err := decode(value)
	if err != nil || !now.Before(s.Deadline()) {
		return Session{}, false, err
	}
	return s, true, nil
}

// ListSubject implements BySubject.
func (r *Redis) ListSubject(ctx context.Context, subject string) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ids, err := r.client.ZRevRange(ctx, indexKey(subject), 0, -1).Result()
	if err != nil || len(ids) == 0 {
		return nil, wrapped("redis list", err)
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = sessionPrefix + id
	}
	values, err := r.client.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, wrapped("redis list", err)
	}
	var entries []Entry
	for i, v := range values {
		text, ok := v.(string)
		if !ok || len(ids[i]) != len(ID{}) {
			continue // ended by itself; its entry goes later
		}
		s, ok, err := live([]byte(text), r.now())
		if err != nil {
			return nil, err
		}
		if ok {
			entries = append(entries, Entry{ID([]byte(ids[i])), s})
		}
	}
	newestFirst(entries)
	return entries, nil
}

func newestFirst(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.Created.Compare(a.Created) })
}

// DeleteSubject implements BySubject.
func (r *Redis) DeleteSubject(ctx context.Context, subject string, keep ID) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return wrapped("redis delete by subject", deleteSubjects.Run(ctx, r.client, []string{indexKey(subject)}, keep[:]).Err())
}

// scanCount is how many keys one step of DeleteAll looks at: about a
// millisecond's work for Redis, which does nothing else meanwhile.
const scanCount = 1000

// deleteAllTimeout bounds the steps of DeleteAll together: a minute for what
// takes some seconds with a million sessions.
const deleteAllTimeout = time.Minute

// DeleteAll implements BySubject. It walks the indexes, since there every
// session is; each step has the deadline of a call.
func (r *Redis) DeleteAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deleteAllTimeout)
	defer cancel()
	for cursor := uint64(0); ; {
		var err error
		if cursor, err = r.deleteSome(ctx, cursor); err != nil {
			return wrapped("redis delete all", err)
		}
		if cursor == 0 {
			return nil
		}
	}
}

func (r *Redis) deleteSome(ctx context.Context, cursor uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	keys, next, err := r.client.Scan(ctx, cursor, indexPrefix+"*", scanCount).Result()
	if err != nil || len(keys) == 0 {
		return next, err
	}
	return next, deleteSubjects.Run(ctx, r.client, keys, "").Err()
}

// wrapped says what failed, if anything did.
func wrapped(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
