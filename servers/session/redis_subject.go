package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Keys are "session:" and an ID, "sessions-of:" and a subject.
const (
	sessionPrefix = "session:"
	indexPrefix   = "sessions-of:"
)

func indexKey(subject string) string { return indexPrefix + subject }

// redisNow begins a script that has to know the time.
const redisNow = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function whole(n) return string.format('%.0f', n) end`

// createIndexed files a session, which begins now, and puts it at the end of the
// index. Where there are too many, those go first that are over (their keys are
// gone), then the oldest. The order is that of creation even if the clock was set
// back. Bytes 2 to 33 of a value are its deadline, created, expires and last seen.
var createIndexed = redis.NewScript(redisNow + `
local deadline, created, expires, seen = struct.unpack('>I8I8I8I8', ARGV[1], 2)
local shift, most = now - created, tonumber(ARGV[3])
redis.call('SET', KEYS[1], string.sub(ARGV[1], 1, 1) .. struct.pack('>I8I8I8I8', deadline + shift, now, expires + shift, seen + shift)
  .. string.sub(ARGV[1], 34), 'PX', whole(deadline - created))
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('ZADD', KEYS[2], whole(math.max(now, (tonumber(last[2]) or 0) + 1)), ARGV[2])
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
redis.call('PEXPIRE', KEYS[2], whole(math.max(redis.call('PTTL', KEYS[2]), expires - created)))
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

// updateIfLive replaces a value only where there is one. The deadline is bytes 2
// to 9 of a value; one that is over by now ends the session at once.
var updateIfLive = redis.NewScript(redisNow + `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', whole(math.max(1, struct.unpack('>I8', ARGV[1], 2) - now)))
return 1`)

// touchIfDue returns a live value and, if its last use (bytes 26 to 33) is long
// enough ago, writes a new one and the deadline that follows from it.
var touchIfDue = redis.NewScript(redisNow + `
local v = redis.call('GET', KEYS[1])
if not v then return false end
local deadline, created, expires, seen, idle = struct.unpack('>I8I8I8I8I8', v, 2)
if now - seen < tonumber(ARGV[1]) then return v end
deadline = expires
if idle > 0 then deadline = math.min(expires, now + idle) end
if deadline <= now then return false end
v = string.sub(v, 1, 1) .. struct.pack('>I8I8I8I8', deadline, created, expires, now) .. string.sub(v, 34)
redis.call('SET', KEYS[1], v, 'PX', whole(deadline - now))
return v`)

// Touch implements Toucher.
func (r *Redis) Touch(ctx context.Context, id ID, every time.Duration) (Session, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	value, err := touchIfDue.Run(ctx, r.client, []string{redisKey(id)}, every.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("redis touch: %w", err)
	}
	return found([]byte(value))
}

// ListSubject implements BySubject.
func (r *Redis) ListSubject(ctx context.Context, subject string) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ids, err := r.client.ZRangeArgs(ctx, redis.ZRangeArgs{Key: indexKey(subject), Start: 0, Stop: -1, Rev: true}).Result()
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
		s, err := decode([]byte(text))
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{ID([]byte(ids[i])), s})
	}
	return entries, nil
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
