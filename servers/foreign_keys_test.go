package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mixed is the issuer's JWKS with other keys in front of its own, and members that
// nobody here knows.
func (i *issuer) mixed(others ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var set map[string][]map[string]any
		json.Unmarshal(i.jwks(), &set)
		all := others
		for _, own := range set["keys"] {
			own["x5c"], own["x5t#S256"], own["ext"], own["issued"] = []string{"MIIC"}, "x", true, map[string]any{"by": 1}
			all = append(all, own)
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": all, "issuer": i.server.URL, "next": nil})
	}
}

// jwk is the public key kid of the issuer, with members changed.
func (i *issuer) jwk(kid string, change map[string]any) map[string]any {
	var set struct{ Keys []map[string]any }
	json.Unmarshal(i.jwks(), &set)
	for _, k := range set.Keys {
		if k["kid"] == kid {
			maps.Copy(k, change)
			return k
		}
	}
	i.t.Fatalf("there is no key %q", kid)
	return nil
}

// strange are keys that may stand beside those for signatures, by their kid, and
// what the log must say of them.
func (i *issuer) strange() (keys []any, why map[string]string) {
	why = map[string]string{
		"oaep": "RSA-OAEP", "es256": `"EC"`, "ml-dsa": `"AKP"`, "okp": `"OKP"`, "secret": "is secret", "private": "is secret",
		"weak": "2040 bits",
		"enc":  `"enc"`, "ps": "PS256", "ops": "key_ops", "no-n": "modulus", "typed": "modulus", "twice": "2 keys have this kid",
	}
	first := func(change map[string]any) { keys = append(keys, i.jwk("first", change)) }
	first(map[string]any{"kid": "oaep", "alg": "RSA-OAEP", "use": "enc"}) // Keycloak's default
	keys = append(keys,
		map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "es256", "x": "AA", "y": "AA"},
		map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "use": "sig", "kid": "ml-dsa", "pub": "AA"},
		map[string]any{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "okp", "x": "AA"},
		map[string]any{"kty": "oct", "alg": "HS256", "use": "sig", "kid": "secret", "k": "AA"},
		map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "no-n", "e": "AQAB"},
		nil, 7, "key", []any{}, map[string]any{},
	)
	first(map[string]any{"kid": "private", "d": "AQAB"})
	first(map[string]any{"kid": "weak", "n": strings.Repeat("_", 340)}) // 2040 bits
	first(map[string]any{"kid": "enc", "use": "enc"})
	first(map[string]any{"kid": "ps", "alg": "PS256"})
	first(map[string]any{"kid": "ops", "key_ops": []string{"encrypt"}})
	first(map[string]any{"kid": "typed", "n": 5})
	first(map[string]any{"kid": "twice"})
	first(map[string]any{"kid": "twice"})
	return keys, why
}

// TestJ13_ForeignKeysThatFitAreUsed puts keys of every other kind beside those
// that fit.
func TestJ13_ForeignKeysThatFitAreUsed(t *testing.T) {
	eachCell(t, "J13", func(t *testing.T, _, _ string) {
		i := newIssuer(t)
		strange, why := i.strange()
		i.publishes(i.mixed(strange...))
		r := i.verifier(i.server.URL, "-jwks-refresh", "100ms")
		good := i.token("first", "", i.payload(nil))
		wantMe(t, r.me(good), "aaaa-bbbb", "user", "r1")
		wantStatus(t, "readyz", r.do("GET", r.Listen+"/readyz", "", held{}), http.StatusOK)
		for kid := range why { // signed by what would fit, were the key taken
			h := i.token("first", "", i.payload(nil))
			_, rest, _ := strings.Cut(h.bearer, ".")
			wantStatus(t, "by the key "+kid, r.me(held{bearer: encoded(`{"kid":"`+kid+`","alg":"RS256"}`) + "." + rest}), http.StatusUnauthorized)
		}
		before := i.fetched.Load()
		eventually(t, "the keys are read again", func() bool { return i.fetched.Load() > before+2 })
		for kid, reason := range why {
			want := 1
			if kid == "twice" {
				want = 2
			}
			if n := skippedLines(t, r, kid, reason); n != want {
				t.Errorf("%d records about key %q and %q, want %d:\n%s", n, kid, reason, want, r.stderr)
			}
		}
		if n := skippedLines(t, r, "", "JSON object"); n != 4 {
			t.Errorf("%d records about what is no key at all, want 4:\n%s", n, r.stderr)
		}
		i.add("second") // whoever signs next is known as before
		second := i.token("second", "", i.payload(nil))
		eventually(t, "a new key beside them verifies", func() bool { return r.me(second).StatusCode == http.StatusOK })
	})
}

// skippedLines counts the log's records that name a key and a reason.
func skippedLines(t *testing.T, r *replica, kid, reason string) (n int) {
	t.Helper()
	for line := range strings.Lines(r.stderr.String()) {
		var record struct{ Msg, Kid, Error string }
		decode(t, line, &record)
		if record.Msg == "a key of the issuer is not used" && record.Kid == kid && strings.Contains(record.Error, reason) {
			n++
		}
	}
	return n
}

// TestJ13_NoKeyThatFits: a set of other keys alone is as good as none.
func TestJ13_NoKeyThatFits(t *testing.T) {
	eachCell(t, "J13", func(t *testing.T, _, _ string) {
		i := newIssuer(t)
		strange, why := i.strange()
		text, _ := json.Marshal(map[string]any{"keys": strange})
		i.publishes(func(w http.ResponseWriter, _ *http.Request) { w.Write(text) })
		r := i.verifier(i.server.URL, "-jwks-refresh", "100ms")
		wantProblem(t, r.me(i.token("first", "", i.payload(nil))), http.StatusServiceUnavailable)
		wantProblem(t, r.do("GET", r.Listen+"/readyz", "", held{}), http.StatusServiceUnavailable)
		eventually(t, "the log says why", func() bool {
			log := r.stderr.String()
			for kid, reason := range why {
				encodedReason, _ := json.Marshal(reason)
				if !strings.Contains(log, kid) || !strings.Contains(log, strings.Trim(string(encodedReason), `"`)) {
					return false
				}
			}
			return true
		})
		file := filepath.Join(t.TempDir(), "jwks.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := parse(nil, "-auth", "jwt", "-profile", "cognito", "-jwks", file, "-issuer", i.server.URL, "-audience", "client-1",
			"-listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), cfg, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no key that can be used") {
			t.Errorf("a replica with a file of such keys: %v; want no start", err)
		}
		i.publishes(i.mixed(strange...))
		eventually(t, "with one key that fits", func() bool { return r.me(i.token("first", "", i.payload(nil))).StatusCode == http.StatusOK })
	})
}
