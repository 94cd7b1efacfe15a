package peers

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/boj/redistore"
	redigo "github.com/gomodule/redigo/redis"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"authbench/servers/account"
	"authbench/servers/api"
	"authbench/servers/auth"
	"authbench/servers/session"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

var options = store.Options{Timeout: 10 * time.Second, Pool: 8}

// site is a handler of /me and a request for each resident's session. Each
// library has its sessions made by its own means.
type site struct {
	handler  http.Handler
	requests []*http.Request
}

// answer is what every handler does with the subject and the role.
func answer(w http.ResponseWriter, subject, role string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"sub":"`+subject+`","role":"`+role+`"}`)
}

// run measures authenticated requests, and their round trips by counting what
// client's Redis was sent, if it is not nil.
func (s *site) run(b *testing.B, client *redis.Client) {
	b.Helper()
	n := int64(0)
	request := func(i int) {
		n++
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, s.requests[i])
		if w.Code != http.StatusOK {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if want := `"sub":"` + account.SeedName(i) + `"`; i == 0 && !strings.Contains(w.Body.String(), want) {
			b.Fatalf("answer %s: want %s", w.Body, want)
		}
	}
	request(0) // loads a script, if there is one
	var before map[string]int64
	if client != nil {
		before = commands(b, client)
	}
	n = 0
	measure(b, request)
	if client != nil {
		b.ReportMetric(float64(trips(b, before, commands(b, client)))/float64(n), "trips/op")
	}
}

// withCookies makes the requests of the residents, each with the cookie that a
// log-in at s gives.
func (s *site) withCookies(b *testing.B, login func(i int) *http.Cookie) *site {
	b.Helper()
	for i := range residents {
		r := httptest.NewRequest("GET", "/me", nil)
		r.AddCookie(login(i))
		s.requests = append(s.requests, r)
	}
	return s
}

// ours is our authenticator behind the same small handler as the others have.
func ours(b *testing.B, st session.Store, touch session.Touch) *site {
	a := session.New(st, session.Config{Lifetime: time.Hour, IdleTimeout: time.Hour, Touch: touch})
	s := &site{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		p, err := a.Authenticate(r.Context(), auth.Credential(cookie.Value))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		answer(w, p.Subject, p.Role)
	})}
	return s.withCookies(b, oursLogin(b, a, "session"))
}

func oursLogin(b *testing.B, a *session.Authenticator, cookie string) func(i int) *http.Cookie {
	return func(i int) *http.Cookie {
		c, _, err := a.Issue(b.Context(), principal(i))
		must(b, err)
		return &http.Cookie{Name: cookie, Value: string(c)}
	}
}

// oursAPI is the servers' whole API: routing, metrics, checks and all.
func oursAPI(b *testing.B, st session.Store, touch session.Touch) *site {
	a := session.New(st, session.Config{Lifetime: time.Hour, IdleTimeout: time.Hour, Touch: touch})
	transport := api.Transport{Carrier: api.CarrierCookie, Cookie: "session"}
	s := &site{handler: api.New(api.Config{
		Auth: a, Transport: transport, Replica: "r1", Now: time.Now, Metrics: api.NewMetrics(),
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})}
	return s.withCookies(b, oursLogin(b, a, transport.CookieName()))
}

// withSCS has an idle timeout only where sessions are touched: scs writes on
// every request then, and has no other way.
func withSCS(b *testing.B, st scs.Store, touch session.Touch) *site {
	m := scs.New()
	m.Store, m.Lifetime = st, time.Hour
	if touch == session.TouchAlways {
		m.IdleTimeout = time.Hour
	}
	s := &site{handler: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, m.GetString(r.Context(), "sub"), m.GetString(r.Context(), "role"))
	}))}
	return s.withCookies(b, func(i int) *http.Cookie {
		ctx, err := m.Load(b.Context(), "")
		must(b, err)
		m.Put(ctx, "sub", principal(i).Subject)
		m.Put(ctx, "role", principal(i).Role)
		token, _, err := m.Commit(ctx)
		must(b, err)
		return &http.Cookie{Name: m.Cookie.Name, Value: token}
	})
}

// withGorilla saves on every request where sessions are touched. Its pool does
// not ping a connection before use, as its default does, which is a round trip
// of its own.
func withGorilla(b *testing.B, address string, touch session.Touch) *site {
	pool := &redigo.Pool{MaxIdle: options.Pool, MaxActive: options.Pool, Wait: true,
		Dial: func() (redigo.Conn, error) { return redigo.Dial("tcp", address) }}
	st, err := redistore.NewRediStoreWithPool(pool, make([]byte, 32))
	must(b, err)
	b.Cleanup(func() { st.Close() })
	s := &site{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not st.Get, which keeps sessions by request: ours are used again.
		sess, err := st.New(r, "session")
		if err != nil || sess.IsNew {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		if touch == session.TouchAlways {
			if err := st.Save(r, w, sess); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		subject, _ := sess.Values["sub"].(string)
		role, _ := sess.Values["role"].(string)
		answer(w, subject, role)
	})}
	return s.withCookies(b, func(i int) *http.Cookie {
		sess := sessions.NewSession(st, "session")
		sess.Options = &sessions.Options{Path: "/", MaxAge: 3600}
		sess.Values["sub"], sess.Values["role"] = principal(i).Subject, principal(i).Role
		w := httptest.NewRecorder()
		must(b, st.Save(httptest.NewRequest("GET", "/", nil), w, sess))
		return w.Result().Cookies()[0]
	})
}

var touches = []session.Touch{session.TouchNever, session.TouchAlways}

// BenchmarkRedis: an authenticated request on the same Redis; scs uses the same
// client as ours.
func BenchmarkRedis(b *testing.B) {
	server := storetest.Redis(b)
	client, err := store.OpenRedis(server.URL, options)
	must(b, err)
	defer client.Close()
	for _, touch := range touches {
		b.Run("touch="+string(touch), func(b *testing.B) {
			newStore := func() session.Store { return session.NewRedis(client, options.Timeout) }
			b.Run("lib=scs", func(b *testing.B) { withSCS(b, redisOfSCS{goredisstore.New(client)}, touch).run(b, client) })
			b.Run("lib=gorilla", func(b *testing.B) { withGorilla(b, client.Options().Addr, touch).run(b, client) })
			b.Run("lib=ours", func(b *testing.B) { ours(b, newStore(), touch).run(b, client) })
			b.Run("lib=ours-api", func(b *testing.B) { oursAPI(b, newStore(), touch).run(b, client) })
		})
	}
}

// redisOfSCS gives goredisstore the methods that scs asks every store for; with
// a context, which it always has here, it calls the others.
type redisOfSCS struct{ *goredisstore.RedisStore }

func (r redisOfSCS) Find(token string) ([]byte, bool, error) {
	return r.FindCtx(context.Background(), token)
}
func (r redisOfSCS) Commit(token string, b []byte, expiry time.Time) error {
	return r.CommitCtx(context.Background(), token, b, expiry)
}
func (r redisOfSCS) Delete(token string) error { return r.DeleteCtx(context.Background(), token) }

var calls = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+)`)

// commands is how often Redis has run each command since it began, but for the
// one by which we ask.
func commands(tb testing.TB, client *redis.Client) map[string]int64 {
	tb.Helper()
	stats, err := client.Info(context.Background(), "commandstats").Result()
	must(tb, err)
	count := map[string]int64{}
	for _, m := range calls.FindAllStringSubmatch(stats, -1) {
		if m[1] != "info" {
			count[m[1]], err = strconv.ParseInt(m[2], 10, 64)
			must(tb, err)
		}
	}
	return count
}

// trips is how many commands were sent between two counts. What a script calls
// is counted by Redis too and is no round trip: where scripts ran, everything
// else must be their doing, the same for each.
func trips(tb testing.TB, before, after map[string]int64) (n int64) {
	tb.Helper()
	for name, c := range after {
		n += c - before[name]
	}
	scripts := after["evalsha"] - before["evalsha"]
	if scripts == 0 {
		return n
	}
	if n%scripts != 0 {
		tb.Fatalf("%d scripts and %d commands in all: cannot tell which were sent", scripts, n)
	}
	return scripts
}

// BenchmarkPostgres: the same on the same PostgreSQL, in a database for each,
// by pools with the same options.
func BenchmarkPostgres(b *testing.B) {
	server := storetest.Postgres(b)
	n := 0
	open := func(b *testing.B) *store.Postgres {
		n++
		db, err := store.OpenPostgres(b.Context(), server.Database(fmt.Sprintf("bench%d", n)), options)
		must(b, err)
		b.Cleanup(db.Pool.Close)
		return db
	}
	for _, touch := range touches {
		b.Run("touch="+string(touch), func(b *testing.B) {
			scsDB, oursDB := open(b), open(b)
			_, err := scsDB.Pool.Exec(b.Context(), `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
				CREATE INDEX sessions_expiry_idx ON sessions (expiry)`) // as its documentation says
			must(b, err)
			st, err := session.NewPostgres(b.Context(), oursDB, false)
			must(b, err)
			b.Run("lib=scs", func(b *testing.B) {
				withSCS(b, pgxstore.NewWithCleanupInterval(scsDB.Pool, 0), touch).run(b, nil)
			})
			b.Run("lib=ours", func(b *testing.B) { ours(b, st, touch).run(b, nil) })
			b.Run("lib=ours-api", func(b *testing.B) { oursAPI(b, st, touch).run(b, nil) })
		})
	}
}
