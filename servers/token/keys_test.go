package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/servers/auth"
)

// pkcs8 writes a private key as a key file's text.
func pkcs8(t *testing.T, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestJ11_WeakOrWrongKeysAreRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // so that a key of 512 bits can be made at all
	small := func(bits int) []byte {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return pkcs8(t, k)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := func(n int) []byte { return []byte(base64.StdEncoding.EncodeToString(make([]byte, n))) }
	edText := pkcs8(t, ed)
	for _, c := range []struct {
		name, alg string
		text      []byte
		why       string
	}{
		{"RSA 512", "RS256", small(512), "512 bits"},
		{"RSA 1024", "RS256", small(1024), "1024 bits"},
		{"RSA 2047", "RS256", small(2047), "2047 bits"},
		{"no secret", "HS256", nil, "0 bytes"},
		{"secret of 31", "HS256", secret(31), "31 bytes"},
		{"secret not in base64", "HS256", []byte("pass word, pass word, pass word, pass word!"), "base64"},
		{"P-384", "ES256", pkcs8(t, p384), "P-384"},
		{"Ed25519 as RS256", "RS256", edText, "EdDSA"},
		{"Ed25519 as ES256", "ES256", edText, "EdDSA"},
		{"PEM as a secret", "HS256", edText, "base64"},
		{"secret as PEM", "EdDSA", secret(32), "PEM"},
		{"nothing", "EdDSA", nil, "PEM"},
		{"two blocks", "EdDSA", append(append([]byte{}, edText...), edText...), "PEM"},
		{"half a block", "EdDSA", edText[:len(edText)/2], "PEM"},
		{"empty block", "EdDSA", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), "PKCS #8"},
		{"another block", "EdDSA", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"}), "PEM"},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, c.alg+".key")
		if err := os.WriteFile(name, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(dir, c.alg)
		if err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error with %q and the file's name", c.name, err, c.why)
		}
		if err != nil && len(c.text) > 0 && strings.Contains(err.Error(), string(c.text)) {
			t.Errorf("%s: the error quotes the file", c.name)
		}
	}
	if _, err := parseKey(secret(32), "HS256"); err != nil {
		t.Errorf("secret of 32 bytes: %v", err)
	}
}

func TestJ11_WeakKeyBesideTheSigningOneIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := GenerateKeys(dir, "HS256"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "HS256-old.key"), []byte("AAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir, "HS256"); err == nil || !strings.Contains(err.Error(), "HS256-old.key") {
		t.Errorf("got %v", err)
	}
}

func TestGenerateThenLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "keys")
	for _, alg := range Algorithms() {
		if _, err := LoadKeys(dir, alg); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: no key: %v", alg, err)
		}
		// Replicas that start at once end with one key.
		var wg sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			wg.Go(func() {
				if err := GenerateKeys(dir, alg); err != nil {
					t.Error(err)
					return
				}
				ks, err := LoadKeys(dir, alg)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = ks.signing.id
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("%s: replicas have keys %v", alg, ids)
			}
		}
		info, err := os.Stat(filepath.Join(dir, alg+".key"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", alg, info.Mode(), err)
		}
	}
	if left, _ := fs.Glob(os.DirFS(dir), ".new-*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, alg := range []string{"", "none", "hs256", "PS256", "../HS256"} {
		if err := GenerateKeys(dir, alg); err == nil {
			t.Errorf("generate %q: accepted", alg)
		}
		if _, err := LoadKeys(dir, alg); err == nil {
			t.Errorf("load %q: accepted", alg)
		}
	}
}

// What one replica issues, another verifies, by the key that signs and by
// those that only verify; a stranger's tokens stay out.
func TestReplicasShareKeys(t *testing.T) {
	for _, alg := range Algorithms() {
		dir, oldDir := t.TempDir(), t.TempDir()
		cfg := Config{Issuer: testIssuer, Audience: testAudience, Lifetime: time.Minute}
		replica := func(dir string) *Authenticator {
			if err := GenerateKeys(dir, alg); err != nil {
				t.Fatal(err)
			}
			ks, err := LoadKeys(dir, alg)
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(ks, cfg)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		one, two, stranger := replica(dir), replica(dir), replica(oldDir)
		accepted(t, two, issue(t, one, "alice"))
		refused(t, one, issue(t, stranger, "alice"), errKey)

		text, err := os.ReadFile(filepath.Join(oldDir, alg+".key"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, alg+"-2025.key"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		both := replica(dir)
		accepted(t, both, issue(t, stranger, "alice"))
		accepted(t, both, issue(t, one, "alice"))
		accepted(t, one, issue(t, both, "alice"))

		// The same key under two names is a mistake that is said.
		if err := os.WriteFile(filepath.Join(dir, alg+"-again.key"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(dir, alg); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: got %v", alg, err)
		}
	}
}

func TestKeyFilesForOthersAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := GenerateKeys(dir, "EdDSA"); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "EdDSA.key")
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o440: true, 0o644: false, 0o660: false,
		0o604: false, 0o602: false} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(dir, "EdDSA"); (err == nil) != good {
			t.Errorf("mode %#o: %v", mode, err)
		}
	}
}

func TestJWKSIsPublic(t *testing.T) {
	for _, alg := range Algorithms() {
		k, old := testKey()[alg], freshKey(alg)
		ks, err := newKeySet(k, old)
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []map[string]string `json:"keys"`
		}
		if err := json.Unmarshal(ks.JWKS(), &set); err != nil {
			t.Fatal(err)
		}
		if alg == "HS256" {
			if string(ks.JWKS()) != `{"keys":[]}` {
				t.Errorf("HS256: %s", ks.JWKS())
			}
			continue
		}
		want := map[string]string{"RS256": "alg e kid kty n use", "ES256": "alg crv kid kty use x y", "EdDSA": "alg crv kid kty use x"}[alg]
		if len(set.Keys) != 2 {
			t.Fatalf("%s: %d keys", alg, len(set.Keys))
		}
		for i, j := range set.Keys {
			for name := range strings.FieldsSeq(want) {
				if j[name] == "" {
					t.Errorf("%s: no %s", alg, name)
				}
			}
			if len(j) != len(strings.Fields(want)) {
				t.Errorf("%s: members %v: want %s and no other", alg, j, want)
			}
			if id := []string{k.id, old.id}[i]; j["kid"] != id || j["alg"] != alg || j["use"] != "sig" {
				t.Errorf("%s: %v", alg, j)
			}
		}
	}
}

// A shared secret's name gives nothing of it away, not even its plain hash.
func TestSecretIDIsNoPlainHash(t *testing.T) {
	b := []byte(strings.Repeat("s", 32))
	plain, err := (&jwk{Type: "oct"}).thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	if id := secretID(b); id == plain || len(id) != 22 || id == secretID(append(b, 's')) {
		t.Errorf("id %s", id)
	}
}

// Signing under load from many sides must not mix pooled states.
func TestConcurrentUseOfOneKey(t *testing.T) {
	a, _ := open(t, "HS256", nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			subject := strings.Repeat("u", i+1)
			for range 200 {
				c, _, err := a.Issue(context.Background(), auth.Principal{Subject: subject, Role: "user"})
				if err != nil {
					t.Error(err)
					return
				}
				if p := accepted(t, a, c); p.Subject != subject {
					t.Errorf("got %q, want %q", p.Subject, subject)
				}
			}
		})
	}
	wg.Wait()
}
