package token

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/store"
)

var errRevoked = refusal("is revoked")

// Denylist keeps in a Redis server, shared by all replicas, which tokens have ended
// before their expiry. Entries go away by themselves once nobody would accept what
// they are about, so it holds log-outs of the last lifetime and not users.
//
// A token that is logged out is listed by its jti. All tokens of a user, or of
// everybody, end without being known: the list counts such log-outs, each token has
// in it the count at its issue, its generation, and of a user, or of everybody, is
// kept the count at their last log-out. A token of an earlier generation has ended.
// No replica's clock has a part in that. The count is Redis' clock in milliseconds,
// and at least one more than before, so that a Redis that has lost everything goes
// on above the generations that it gave out. What had ended by then is good again
// until it expires, unless Redis keeps its data on disk.
//
// A Redis that evicts brings revoked tokens back: [Denylist.Ready] wants noeviction.
type Denylist struct {
	client  *redis.Client
	timeout time.Duration
	observe func(op string, took time.Duration, err error)
}

// NewDenylist returns a list in client's server; each call ends within timeout, and
// is reported to observe: the operation (one of [DenylistOperations]), how long it
// took, and its error.
func NewDenylist(client *redis.Client, timeout time.Duration, observe func(op string, took time.Duration, err error)) *Denylist {
	return &Denylist{client: client, timeout: timeout, observe: observe}
}

// DenylistOperations lists the operations that a Denylist reports.
func DenylistOperations() []string {
	return []string{"generation", "look_up", "revoke", "revoke_subject", "revoke_all"}
}

// The keys: one of each token that was logged out, one of each user of whom all
// were, and one for everybody; and the count.
const (
	deniedPrefix  = "denied:"
	subjectPrefix = "generation-of:"
	everybodyKey  = "generation-of-all"
	countKey      = "generation"
)

// call does one round trip.
func (d *Denylist) call(ctx context.Context, op string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	start := time.Now()
	err := do(ctx)
	d.observe(op, time.Since(start), err)
	if err != nil {
		return fmt.Errorf("denylist: %s: %w", strings.ReplaceAll(op, "_", " "), err)
	}
	return nil
}

// generation is that of a token that is issued now.
func (d *Denylist) generation(ctx context.Context) (n int64, err error) {
	err = d.call(ctx, "generation", func(ctx context.Context) error {
		n, err = d.client.Get(ctx, countKey).Int64()
		if errors.Is(err, redis.Nil) { // nobody has ended all tokens of anybody
			return nil
		}
		return err
	})
	return n, err
}

// revoked says whether a token with these claims has ended.
func (d *Denylist) revoked(ctx context.Context, c claims) (ended bool, err error) {
	jti, sub := string(c.jti), string(c.sub)
	err = d.call(ctx, "look_up", func(ctx context.Context) error {
		found, err := d.client.MGet(ctx, deniedPrefix+jti, subjectPrefix+sub, everybodyKey).Result()
		if err != nil {
			return err
		}
		ended = found[0] != nil
		for _, v := range found[1:] {
			since, kept, err := parseGeneration(v)
			if err != nil {
				return err
			}
			ended = ended || c.gen < since && jti != kept
		}
		return nil
	})
	return ended, err
}

// parseGeneration reads "generation jti": from when on tokens are good, and the one
// before that is good too. There may be no jti, and no text at all.
func parseGeneration(v any) (since int64, kept string, err error) {
	text, ok := v.(string)
	if !ok {
		return 0, "", nil
	}
	number, kept, _ := strings.Cut(text, " ")
	since, err = strconv.ParseInt(number, 10, 64)
	return since, kept, err
}

// revoke ends the token jti.
func (d *Denylist) revoke(ctx context.Context, jti string, rest time.Duration) error {
	return d.call(ctx, "revoke", func(ctx context.Context) error {
		return d.client.Set(ctx, deniedPrefix+jti, "", rest).Err()
	})
}

// revokeSubject ends all tokens of subject but keep, a jti.
func (d *Denylist) revokeSubject(ctx context.Context, subject, keep string, longest time.Duration) error {
	return d.begin(ctx, "revoke_subject", subjectPrefix+subject, keep, longest)
}

// revokeAll ends everybody's.
func (d *Denylist) revokeAll(ctx context.Context, longest time.Duration) error {
	return d.begin(ctx, "revoke_all", everybodyKey, "", longest)
}

// begin starts a generation and notes it under key, for as long as there may be
// tokens of an earlier one.
func (d *Denylist) begin(ctx context.Context, op, key, keep string, longest time.Duration) error {
	return d.call(ctx, op, func(ctx context.Context) error {
		return beginGeneration.Run(ctx, d.client, []string{countKey, key}, keep, longest.Milliseconds()).Err()
	})
}

var beginGeneration = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local n = string.format('%.0f', math.max(now, (tonumber(redis.call('GET', KEYS[1])) or 0) + 1))
redis.call('SET', KEYS[1], n)
redis.call('SET', KEYS[2], n .. ' ' .. ARGV[1], 'PX', math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[2])))
return 1`)

// Ping says whether Redis answers.
func (d *Denylist) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := d.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Ready says whether Redis answers, takes writes and keeps what it is given; see
// [store.RedisReady] and [store.RedisKeeps].
func (d *Denylist) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := store.RedisReady(ctx, d.client, countKey); err != nil {
		return err
	}
	return store.RedisKeeps(ctx, d.client)
}
