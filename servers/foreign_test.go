package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/account"
)

// issuer is a stranger in the manner of Cognito: it signs with keys that the
// replicas only get to know by its JWKS.
type issuer struct {
	t       *testing.T
	server  *httptest.Server
	fetched atomic.Int64
	mu      sync.Mutex
	answer  http.HandlerFunc // nil: the JWKS
	keys    map[string]*rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, keys: make(map[string]*rsa.PrivateKey)}
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetched.Add(1)
		i.mu.Lock()
		answer := i.answer
		i.mu.Unlock()
		if answer == nil {
			w.Write(i.jwks())
		} else {
			answer(w, r)
		}
	}))
	t.Cleanup(i.server.Close)
	i.add("first")
	return i
}

func (i *issuer) add(kid string) {
	i.t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = k
}

// publishes lets the issuer answer by h instead of its JWKS.
func (i *issuer) publishes(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

func (i *issuer) jwks() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := []map[string]string{}
	for kid, k := range i.keys {
		list = append(list, map[string]string{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
			"n": encoded(string(k.N.Bytes())), "e": encoded(string(big.NewInt(int64(k.E)).Bytes()))})
	}
	text, _ := json.Marshal(map[string]any{"keys": list})
	return text
}

// payload is an access token's, with members changed; nil takes one away.
func (i *issuer) payload(change map[string]any) string {
	now := time.Now().Unix()
	claims := map[string]any{
		"sub": "aaaa-bbbb", "iss": i.server.URL, "client_id": "client-1", "token_use": "access", "jti": "j", "username": "alice",
		"scope": "openid", "version": 2, "auth_time": now, "iat": now, "exp": now + 3600, "cognito:groups": []string{"staff"},
	}
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	text, _ := json.Marshal(claims)
	return string(text)
}

// token signs by the key kid, under a header that has more members.
func (i *issuer) token(kid, more, payload string) held {
	i.t.Helper()
	i.mu.Lock()
	k := i.keys[kid]
	i.mu.Unlock()
	text := encoded(fmt.Sprintf(`{"kid":%q,"alg":"RS256"%s}`, kid, more)) + "." + encoded(payload)
	sig, err := jwt.SigningMethodRS256.Sign(text, k)
	if err != nil {
		i.t.Fatal(err)
	}
	return held{bearer: text + "." + encoded(string(sig))}
}

// verifier starts a replica for the issuer's tokens.
func (i *issuer) verifier(jwks string, flags ...string) *replica {
	i.t.Helper()
	return start(i.t, append([]string{"-auth", "jwt", "-profile", "cognito", "-jwks", jwks, "-issuer", i.server.URL,
		"-audience", "client-1", "-seed-users", "0", "-mint=false", "-store-timeout", "5s"}, flags...)...)
}

func TestForeignTokens(t *testing.T) {
	i := newIssuer(t)
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, i.jwks(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, jwks := range []string{i.server.URL + "/.well-known/jwks.json", file} {
		r := i.verifier(jwks)
		good := i.token("first", "", i.payload(nil))
		wantMe(t, r.me(good), "aaaa-bbbb", "user", "r1")
		wantMe(t, r.me(i.token("first", "", i.payload(map[string]any{"cognito:groups": []string{"admin"}}))), "aaaa-bbbb", "admin", "r1")
		if c := r.config(); c.Arm != "jwt/cognito" || c.Profile != "cognito" || c.Alg != "RS256" || c.JWKS != jwks ||
			c.RevocationScope != "none" || c.RevocationBound != "1h0m0s" {
			t.Errorf("/config: %+v", c)
		}
		wantStatus(t, "readyz", r.do("GET", r.Listen+"/readyz", "", held{}), http.StatusOK)
		if got := r.jwks(); len(got) != 0 {
			t.Errorf("it publishes %d keys of another's", len(got))
		}
		for what, h := range map[string]held{
			"G13 nobody": {}, "J07 another client": i.token("first", "", i.payload(map[string]any{"client_id": "client-2"})),
			"J07 no client":      i.token("first", "", i.payload(map[string]any{"client_id": nil, "aud": "client-1"})),
			"J06 an ID token":    i.token("first", "", i.payload(map[string]any{"token_use": "id"})),
			"J06 no token_use":   i.token("first", "", i.payload(map[string]any{"token_use": nil})),
			"J07 another issuer": i.token("first", "", i.payload(map[string]any{"iss": i.server.URL + "/2"})),
			"J07 expired":        i.token("first", "", i.payload(map[string]any{"iat": time.Now().Unix() - 3601, "exp": time.Now().Unix() - 1})),
			"J08 of a day":       i.token("first", "", i.payload(map[string]any{"exp": time.Now().Unix() + 86400})),
			"J02 HMAC by the JWKS": {bearer: (&forger{t: t}).signedBy("HS256", i.jwks(), encoded(`{"kid":"first","alg":"HS256"}`)+"."+
				encoded(i.payload(nil)))},
			"J01 none":              {bearer: encoded(`{"kid":"first","alg":"none"}`) + "." + encoded(i.payload(nil)) + "."},
			"J06 a token of ours":   i.token("first", `,"typ":"at+jwt"`, i.payload(nil)),
			"J05 crit":              i.token("first", `,"crit":["exp"]`, i.payload(nil)),
			"J10 four parts":        {bearer: good.bearer + ".x"},
			"J01 another signature": {bearer: good.bearer[:len(good.bearer)-8] + "AAAAAAAA"},
		} {
			wantStatus(t, what, r.me(h), http.StatusUnauthorized)
		}
		for _, route := range append([]string{"GET /sessions"}, changes...) {
			method, path, _ := strings.Cut(route, " ")
			wantProblem(t, r.doWith(method, path, `{"username":"user-000001","password":"`+account.SeedPassword+`"}`, good, nil),
				http.StatusNotFound)
		}
		wantMe(t, r.me(good), "aaaa-bbbb", "user", "r1")
	}
}

// TestForeignTokens_NothingElseIsFetched: J03. Neither a header nor a redirection
// leads anywhere.
func TestForeignTokens_NothingElseIsFetched(t *testing.T) {
	i, lure := newIssuer(t), newIssuer(t)
	lure.publishes(func(w http.ResponseWriter, _ *http.Request) { w.Write(i.jwks()) })
	r := i.verifier(i.server.URL)
	for _, member := range []string{"jku", "x5u", "iss", "kid"} {
		wantStatus(t, member, r.me(i.token("first", `,"`+member+`":"`+lure.server.URL+`"`, i.payload(nil))), http.StatusUnauthorized)
	}
	i.publishes(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, lure.server.URL, http.StatusFound)
	})
	redirected := i.verifier(i.server.URL)
	wantProblem(t, redirected.me(i.token("first", "", i.payload(nil))), http.StatusServiceUnavailable)
	if n := lure.fetched.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// TestForeignTokens_Rotation: J12, and J04: a new key verifies without waiting
// for the next regular reading, and names of keys that strangers make up are
// looked up once in a while only.
func TestForeignTokens_Rotation(t *testing.T) {
	i := newIssuer(t)
	r := i.verifier(i.server.URL, "-jwks-refresh", "1h")
	good := i.token("first", "", i.payload(nil))
	i.add("second")
	second := i.token("second", "", i.payload(nil))
	// Until the issuer is asked again, the key is one of those that do not exist.
	eventually(t, "a new key verifies", func() bool { return r.me(second).StatusCode == http.StatusOK })
	wantMe(t, r.me(good), "aaaa-bbbb", "user", "r1")
	if n := i.fetched.Load(); n != 2 {
		t.Errorf("%d readings until a new key was known, want 2", n)
	}
	i.add("made up")
	begin, before := time.Now(), i.fetched.Load()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for m := range 25 {
				h := i.token("made up", "", i.payload(nil))
				h.bearer = encoded(fmt.Sprintf(`{"kid":"made up %d","alg":"RS256"}`, 100*n+m)) + h.bearer[strings.IndexByte(h.bearer, '.'):]
				wantStatus(t, "a made-up key", r.me(h), http.StatusUnauthorized)
			}
		})
	}
	all.Wait()
	if n, most := i.fetched.Load()-before, 1+int64(time.Since(begin)/(5*time.Second)); n > most {
		t.Errorf("200 tokens by unknown keys led to %d readings, want at most %d", n, most)
	}
	// A removed key ends by itself, at the next reading.
	quick := i.verifier(i.server.URL, "-jwks-refresh", "100ms")
	wantStatus(t, "before its removal", quick.me(good), http.StatusOK)
	i.mu.Lock()
	delete(i.keys, "first")
	i.mu.Unlock()
	eventually(t, "a removed key ends", func() bool { return quick.me(good).StatusCode == http.StatusUnauthorized })
	wantStatus(t, "the other key", quick.me(second), http.StatusOK)
}

// TestForeignTokens_Outage: G20. Where the keys cannot be known the answer is
// 503, never 401; known keys verify on, for as long as -jwks-stale says.
func TestForeignTokens_Outage(t *testing.T) {
	i := newIssuer(t)
	for what, outage := range map[string]http.HandlerFunc{
		"an error":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no JWKS":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) },
		"no keys":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) },
		"far too large": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 1<<20)) },
		"cut off":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"silence":       func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(what, func(t *testing.T) {
			flags := []string{"-jwks-refresh", "100ms", "-store-timeout", "250ms"}
			i.publishes(nil)
			before, stale := i.verifier(i.server.URL, flags...), i.verifier(i.server.URL, append(flags, "-jwks-stale", "100ms")...)
			good := i.token("first", "", i.payload(nil))
			i.publishes(outage)
			i.add(what) // too late to be read
			unseen := i.token(what, "", i.payload(nil))
			during := i.verifier(i.server.URL, flags...)
			ready := func(r *replica) answer { return r.do("GET", r.Listen+"/readyz", "", held{}) }
			down := func(what string, a answer) {
				t.Helper()
				wantProblem(t, a, http.StatusServiceUnavailable)
				if a.Header.Get("Retry-After") == "" || a.took > patience {
					t.Errorf("%s: after %v, headers %v", what, a.took, a.Header)
				}
			}
			down("a replica that began during the outage", during.me(good))
			wantStatus(t, "and is not ready", ready(during), http.StatusServiceUnavailable)
			wantStatus(t, "known keys verify on", before.me(good), http.StatusOK)
			wantStatus(t, "and it is ready", ready(before), http.StatusOK)
			eventually(t, "keys that are too old do not", func() bool {
				a := stale.me(good)
				if a.StatusCode == http.StatusUnauthorized {
					t.Fatalf("a good token is refused: %s", a.body)
				}
				return a.StatusCode == http.StatusServiceUnavailable && ready(stale).StatusCode == http.StatusServiceUnavailable
			})
			eventually(t, "an unknown key is not refused", func() bool { return before.me(unseen).StatusCode == http.StatusServiceUnavailable })
			for _, r := range []*replica{before, during, stale} {
				wantStatus(t, "nobody", r.me(held{}), http.StatusUnauthorized)
				wantStatus(t, "malformed", r.me(held{bearer: "a.b"}), http.StatusUnauthorized)
			}
			i.publishes(nil)
			for _, r := range []*replica{before, during, stale} {
				eventually(t, "all is well again", func() bool {
					return r.me(unseen).StatusCode == http.StatusOK && r.me(good).StatusCode == http.StatusOK
				})
			}
		})
	}
}
