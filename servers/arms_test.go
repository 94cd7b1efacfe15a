package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"authbench/servers/api"
	"authbench/servers/store/storetest"
)

// TestEveryArm takes each arm, by either carrier, through a log-in on one
// replica, requests on both, and a log-out. What is seen from outside differs
// between any two: an arm that does nothing of its own is another one.
func TestEveryArm(t *testing.T) {
	redisServer, postgresServer := storetest.Redis(t), storetest.Postgres(t)
	flags := []string{"-store-timeout", "10s", "-keys", t.TempDir(), "-redis", redisServer.URL, "-postgres", postgresServer.URL}
	seen := make(map[string]string)
	for _, k := range kinds() {
		if k.foreign {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			everyArm(t, k, flags...)
			looks := everyArm(t, k, append(flags, "-accounts", "postgres", "-credential", "header")...)
			if slices.Contains(k.stores, "postgres") {
				looks += ", table " + persistence(t, postgresServer.URL)
			}
			if other, ok := seen[looks]; ok && k.carrier != api.CarrierNone {
				t.Errorf("nobody can tell it from %s: both are %s", other, looks)
			}
			seen[looks] = k.name
		})
		if k.carrier == api.CarrierHeader {
			t.Run(k.name+" in a cookie", func(t *testing.T) { everyArm(t, k, append(flags, "-credential", "cookie")...) })
		}
	}
}

// persistence is PostgreSQL's letter for what a crash leaves of the sessions.
func persistence(t *testing.T, url string) (letter string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT relpersistence::text FROM pg_class WHERE relname = 'sessions'`).Scan(&letter); err != nil {
		t.Fatal(err)
	}
	return letter
}

// everyArm starts two replicas of an arm, and returns what is seen of it.
func everyArm(t *testing.T, k kind, flags ...string) (looks string) {
	flags = slices.Concat(flags, k.args())
	r1, r2 := start(t, append(flags, "-replica", "r1")...), start(t, append(flags, "-replica", "r2")...)
	if got := r1.config(); got.Arm != k.name || got.Replica != "r1" || got.Listen != r1.Listen || got.SeedUsers != 20 {
		t.Errorf("/config: %+v; want arm %s", got, k.name)
	}
	h := r1.mustLogin("user-000007")
	wantMe(t, r1.me(h), subject(k.name, 7), "user", "r1")
	elsewhere := r2.me(h)
	if k.scope != oneKnows {
		wantMe(t, elsewhere, subject(k.name, 7), "user", "r2")
	} else {
		wantStatus(t, "another replica of a memory store", elsewhere, http.StatusUnauthorized)
	}
	admin := r2.mustLogin("admin")
	if k.name != "none" {
		wantMe(t, r2.me(admin), "admin", "admin", "r2")
		wantStatus(t, "no credential", r1.me(held{}), http.StatusUnauthorized)
		wantStatus(t, "wrong user", r1.login("user-999999"), http.StatusUnauthorized)
	}
	checkMint(t, k.name, r1)
	checkLogout(t, k, r1, r2, h)
	for _, secret := range []string{h.secret(), admin.secret()} {
		if secret != "" && strings.Contains(r1.stderr.String()+r2.stderr.String(), secret) {
			t.Error("a credential is in the log")
		}
	}
	return fmt.Sprintf("%s, asks %v, elsewhere %d, after log-out %d", form(h), k.stores, elsewhere.StatusCode, r1.me(h).StatusCode)
}

// form is what a credential looks like: of a token the algorithm, the type and
// the names of the claims, of all their size.
func form(h held) string {
	var header struct{ Alg, Typ string }
	var claims map[string]any
	for i, part := range strings.Split(h.bearer, ".") {
		text, _ := base64.RawURLEncoding.DecodeString(part)
		json.Unmarshal(text, [...]any{&header, &claims, new(any)}[min(i, 2)])
	}
	return fmt.Sprintf("%d bytes, %s of type %s with %v", len(h.secret()), header.Alg, header.Typ, slices.Sorted(maps.Keys(claims)))
}

func subject(arm string, i int) string {
	if arm == "none" {
		return "control-arm"
	}
	return fmt.Sprintf("user-%06d", i)
}

func wantStatus(t *testing.T, what string, a answer, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: status %d, %s; want %d", what, a.StatusCode, a.body, status)
	}
}

func wantMe(t *testing.T, a answer, sub, role, replica string) {
	t.Helper()
	want := fmt.Sprintf(`{"sub":"%s","role":"%s","replica":"%s"}`, sub, role, replica)
	if a.StatusCode != http.StatusOK || a.body != want || a.Header.Get("X-Replica") != replica || a.ContentLength != int64(len(want)) {
		t.Errorf("me: status %d, X-Replica %q, length %d, %s; want %s", a.StatusCode, a.Header.Get("X-Replica"), a.ContentLength, a.body, want)
	}
}

func checkMint(t *testing.T, arm string, r *replica) {
	t.Helper()
	const first, n = 900, 1100 // more than one batch, and beyond the seeded accounts
	lines := r.mint(fmt.Sprintf(`{"users":%d,"first":%d}`, n, first))
	seen := make(map[string]bool)
	for i, m := range lines {
		if m.User != subject(arm, first+i) || seen[m.Credential] && arm != "none" {
			t.Fatalf("mint line %d: user %q, credential seen before: %v", i, m.User, seen[m.Credential])
		}
		seen[m.Credential] = true
	}
	if len(lines) != n {
		t.Errorf("mint: %d lines, want %d", len(lines), n)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		wantMe(t, r.me(lines[i].held()), subject(arm, first+i), "user", "r1")
	}
	for _, bad := range []string{``, `{}`, `{"users":0}`, `{"users":-1}`, `{"users":1,"first":-1}`, `{"users":1000001}`,
		`{"users":1,"admin":true}`} {
		wantStatus(t, "mint of "+bad, r.do("POST", r.Private+"/mint", bad, held{}), http.StatusBadRequest)
	}
}

// checkLogout logs out on r1. A credential ends everywhere; one that cannot goes
// on, for as long as the answer says.
func checkLogout(t *testing.T, k kind, r1, r2 *replica, h held) {
	t.Helper()
	a := r1.logout(h)
	wantStatus(t, "log-out", a, http.StatusNoContent)
	bound := a.Header.Get("X-Revocation-Bound")
	if h.cookie != "" && (len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge >= 0) {
		t.Errorf("log-out leaves the cookie: %v", a.Header)
	}
	if life, _ := time.ParseDuration(r1.config().RevocationBound); life > 0 {
		seconds, err := strconv.Atoi(bound)
		if err != nil || seconds < 3000 || seconds > int(life.Seconds()) {
			t.Errorf("X-Revocation-Bound %q, want seconds up to %v", bound, life)
		}
		wantStatus(t, "after log-out, before its end", r2.me(h), http.StatusOK)
		return
	}
	if bound != "" {
		t.Errorf("X-Revocation-Bound %q of a credential that was revoked", bound)
	}
	if k.name != "none" {
		wantStatus(t, "after log-out, there", r1.me(h), http.StatusUnauthorized)
		wantStatus(t, "after log-out, elsewhere", r2.me(h), http.StatusUnauthorized)
	}
	wantStatus(t, "second log-out", r1.logout(h), http.StatusNoContent)
}

func TestTokenExpires(t *testing.T) {
	r := start(t, "-auth", "jwt", "-keys", t.TempDir(), "-lifetime", "2s")
	h := r.mustLogin("user-000001")
	a := r.logout(h)
	if bound := a.Header.Get("X-Revocation-Bound"); bound != "1" && bound != "2" {
		t.Errorf("X-Revocation-Bound %q of a token of 2 s", bound)
	}
	eventually(t, "an expired token is refused", func() bool { return r.me(h).StatusCode == http.StatusUnauthorized })
	if a := r.logout(h); a.StatusCode != http.StatusNoContent || a.Header.Get("X-Revocation-Bound") != "" {
		t.Errorf("log-out of an expired token: status %d, bound %q", a.StatusCode, a.Header.Get("X-Revocation-Bound"))
	}
}

func TestJWKS(t *testing.T) {
	keys := t.TempDir()
	for alg, want := range map[string]string{"HS256": `"keys":[]`, "ES256": `"kty":"EC"`} {
		r := start(t, "-auth", "jwt", "-keys", keys, "-alg", alg)
		a := r.do("GET", r.Listen+"/.well-known/jwks.json", "", held{})
		if a.StatusCode != http.StatusOK || !strings.Contains(strings.ReplaceAll(a.body, " ", ""), want) || strings.Contains(a.body, `"d":`) {
			t.Errorf("%s: status %d, %s; want %s and nothing private", alg, a.StatusCode, a.body, want)
		}
	}
}

// TestOneRoundTrip asks Redis itself what requests cost it.
func TestOneRoundTrip(t *testing.T) {
	server := storetest.Redis(t)
	r := start(t, "-auth", "session", "-store", "redis", "-redis", server.URL, "-store-timeout", "10s")
	h := r.mustLogin("user-000001")
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	client.Ping(t.Context()) // the connection's own commands come before the count
	if err := client.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	const n = 50
	for range n {
		wantStatus(t, "me", r.me(h), http.StatusOK)
		wantStatus(t, "me without a credential", r.me(held{}), http.StatusUnauthorized)
		wantStatus(t, "me with a malformed one", r.me(held{cookie: "__Host-session=x"}), http.StatusUnauthorized)
	}
	stats, err := client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	// CONFIG RESETSTAT is the other
	if !strings.Contains(stats, fmt.Sprintf("cmdstat_get:calls=%d,", n)) || strings.Count(stats, "cmdstat_") != 2 {
		t.Errorf("after %d requests with a session:\n%s\nwant as many GETs and nothing else", n, stats)
	}
}
