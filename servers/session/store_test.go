package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"authbench/servers/auth"
	"authbench/servers/auth/authtest"
	"authbench/servers/session"
	"authbench/servers/session/sessiontest"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

var limits = store.Options{Timeout: 5 * time.Second, Pool: 8} // patient: correctness, not deadlines

func openRedis(t *testing.T, url string, o store.Options) *redis.Client {
	t.Helper()
	client, err := store.OpenRedis(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func openPostgres(t *testing.T, url string, o store.Options) *store.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	db, err := store.OpenPostgres(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Pool.Close)
	return db
}

// scriptClock lets Redis' scripts read the time from a clock of the test. Who asks
// for a script by its hash is not understood, since that hash is never stored.
type scriptClock struct{ now func() time.Time }

func (scriptClock) DialHook(next redis.DialHook) redis.DialHook { return next }

func (scriptClock) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c scriptClock) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "eval" {
			us := c.now().UnixMicro()
			args[1] = strings.ReplaceAll(args[1].(string), "redis.call('TIME')", fmt.Sprintf("{'%d', '%d'}", us/1e6, us%1e6))
		}
		return next(ctx, cmd)
	}
}

// endOver does as Redis does when its clock has moved: it deletes what is over.
var endOver = redis.NewScript(`
for _, key in ipairs(redis.call('KEYS', 'session:*')) do
  if struct.unpack('>I8', redis.call('GET', key), 2) <= tonumber(ARGV[1]) then redis.call('DEL', key) end
end
return 1`)

// openClockedRedis opens a store whose Redis goes by clock.
func openClockedRedis(t *testing.T, url string, clock *sessiontest.Clock) session.Store {
	t.Helper()
	client, plain := openRedis(t, url, limits), openRedis(t, url, limits)
	client.AddHook(scriptClock{clock.Now})
	clock.Follow(func(now time.Time) {
		if err := endOver.Run(context.WithoutCancel(t.Context()), plain, nil, now.UnixMilli()).Err(); err != nil {
			t.Error(err)
		}
	})
	return session.NewRedis(client, limits.Timeout)
}

// fakeClock puts a function of the test's in front of PostgreSQL's own.
const fakeClock = `CREATE SCHEMA fake;
	CREATE TABLE fake.clock (ms bigint);
	INSERT INTO fake.clock VALUES (0);
	CREATE FUNCTION fake.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
		AS $$ SELECT timestamptz 'epoch' + ms * interval '1 millisecond' FROM fake.clock $$;
	ALTER DATABASE postgres SET search_path = public, fake, pg_catalog`

// openClockedPostgres opens a store whose PostgreSQL goes by clock; url has
// fakeClock.
func openClockedPostgres(t *testing.T, db *store.Postgres, clock *sessiontest.Clock) session.Store {
	t.Helper()
	clock.Follow(func(now time.Time) {
		if _, err := db.Pool.Exec(context.WithoutCancel(t.Context()), `UPDATE fake.clock SET ms = $1`, now.UnixMilli()); err != nil {
			t.Error(err)
		}
	})
	p, err := session.NewPostgres(t.Context(), db, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestStores runs both suites, that of Store and that of Authenticator over
// it, against every store.
func TestStores(t *testing.T) {
	type opener = func(t *testing.T, clock *sessiontest.Clock) session.Store
	for name, server := range map[string]func(t *testing.T) opener{
		"memory": func(*testing.T) opener {
			return func(_ *testing.T, c *sessiontest.Clock) session.Store { return session.NewMemory(c.Now, 1000) }
		},
		"redis": func(t *testing.T) opener {
			url := storetest.Redis(t).URL
			return func(t *testing.T, c *sessiontest.Clock) session.Store { return openClockedRedis(t, url, c) }
		},
		"postgres": func(t *testing.T) opener {
			url := storetest.Postgres(t).URL
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(t.Context()))
			if _, err := conn.Exec(t.Context(), fakeClock); err != nil {
				t.Fatal(err)
			}
			db := openPostgres(t, url, limits)
			return func(t *testing.T, c *sessiontest.Clock) session.Store { return openClockedPostgres(t, db, c) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			open := server(t)
			t.Run("store", func(t *testing.T) { sessiontest.Run(t, open) })
			for _, touch := range []session.Touch{session.TouchNever, session.TouchThrottled, session.TouchAlways} {
				t.Run("authenticator, touch "+string(touch), func(t *testing.T) {
					authtest.Run(t, func(t *testing.T) authtest.Subject {
						clock := sessiontest.NewClock()
						a := session.New(open(t, clock), session.Config{Lifetime: time.Hour, Touch: touch, TouchEvery: time.Second, Now: clock.Now})
						return authtest.Subject{Auth: a, Revokes: true, Now: clock.Now, Advance: clock.Advance}
					})
				})
			}
		})
	}
}

// TestS03_OnlyHashesAreStored reads everything that the stores hold.
func TestS03_OnlyHashesAreStored(t *testing.T) {
	redisServer, postgresServer := storetest.Redis(t), storetest.Postgres(t)
	client, db := openRedis(t, redisServer.URL, limits), openPostgres(t, postgresServer.URL, limits)
	p, err := session.NewPostgres(t.Context(), db, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]struct {
		store session.Store
		dump  func() []byte
	}{
		"redis":    {session.NewRedis(client, limits.Timeout), func() []byte { return dumpRedis(t, client) }},
		"postgres": {p, func() []byte { return dumpPostgres(t, postgresServer.URL) }},
	} {
		c, _, err := session.New(part.store, session.Config{Lifetime: time.Hour}).Issue(t.Context(),
			auth.Principal{Subject: "marker-subject", Role: "user"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(string(c))
		if err != nil {
			t.Fatal(err)
		}
		dump := part.dump()
		if !bytes.Contains(dump, []byte("marker-subject")) {
			t.Errorf("%s: the dump misses the session", name)
		}
		if bytes.Contains(dump, []byte(c)) || bytes.Contains(dump, raw) {
			t.Errorf("%s: the dump holds the client's secret", name)
		}
	}
}

func dumpRedis(t *testing.T, client *redis.Client) (dump []byte) {
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if strings.HasPrefix(key, "sessions-of:") {
			ids, err := client.ZRange(t.Context(), key, 0, -1).Result()
			if err != nil {
				t.Fatal(err)
			}
			dump = append(dump, key+strings.Join(ids, "")...)
			continue
		}
		value, err := client.Get(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, key+value...)
	}
	return dump
}

// dumpPostgres reads the table in the binary form, which shows bytea as it is.
func dumpPostgres(t *testing.T, url string) []byte {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var b bytes.Buffer
	if _, err := conn.PgConn().CopyTo(t.Context(), &b, `COPY sessions TO STDOUT (FORMAT binary)`); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestG07_RedisDeletesAllPages has more subjects than one step of DeleteAll looks
// at.
func TestG07_RedisDeletesAllPages(t *testing.T) {
	client := openRedis(t, storetest.Redis(t).URL, limits)
	r := session.NewRedis(client, limits.Timeout)
	const n = 3000
	end := session.Session{Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	for i := range n {
		end.Subject = fmt.Sprintf("user-%06d", i)
		if err := r.Create(t.Context(), session.ID{byte(i), byte(i >> 8)}, end); err != nil {
			t.Fatal(err)
		}
	}
	if got := client.DBSize(t.Context()).Val(); got != 2*n {
		t.Fatalf("%d keys before, want a session and an index for each of %d", got, n)
	}
	if err := r.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := client.DBSize(t.Context()).Val(); got != 0 {
		t.Errorf("%d keys are left", got)
	}
}

func TestMemoryIsCapped(t *testing.T) {
	clock := sessiontest.NewClock()
	m := session.NewMemory(clock.Now, 2)
	end := session.Session{Created: clock.Now(), Expires: clock.Now().Add(time.Minute)}
	for i, id := range []session.ID{{1}, {2}, {2}} { // the same one twice takes one place
		if err := m.Create(t.Context(), id, end); err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
	}
	if err := m.Create(t.Context(), session.ID{3}, end); !errors.Is(err, session.ErrFull) {
		t.Errorf("third session of two: error %v, want ErrFull", err)
	}
	clock.Advance(time.Minute)
	if n, err := m.Sweep(t.Context()); n != 2 || err != nil || m.Len() != 0 {
		t.Errorf("Sweep: %d, error %v, %d left; want 2 swept and none left", n, err, m.Len())
	}
	if err := m.Create(t.Context(), session.ID{3}, end); err != nil {
		t.Errorf("after the sweep: %v", err)
	}
}

// TestReplicasStartTogether migrates one empty database from many at once.
func TestReplicasStartTogether(t *testing.T) {
	server := storetest.Postgres(t)
	errs := make(chan error, 8)
	for i := range cap(errs) {
		db := openPostgres(t, server.URL, store.Options{Timeout: limits.Timeout, Pool: 2})
		go func() {
			_, err := session.NewPostgres(context.WithoutCancel(t.Context()), db, i%2 == 0)
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
