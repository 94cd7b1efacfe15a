package main

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// forger makes tokens as an attacker would who has been given one, and as
// nobody can: by the replicas' own key, so that what is behind the signature is
// tried too. It uses golang-jwt and nothing of package token.
type forger struct {
	t               *testing.T
	alg             string
	private, public any
	header, payload string // of an honest token, as JSON
	honest          string
}

func newForger(t *testing.T, keys, alg string, honest string) *forger {
	t.Helper()
	f := &forger{t: t, alg: alg, honest: honest}
	f.private, f.public = readKey(t, filepath.Join(keys, alg+".key"), alg)
	parts := strings.Split(honest, ".")
	f.header, f.payload = f.plain(parts[0]), f.plain(parts[1])
	if f.signed(f.header, f.payload) != honest && (alg == "HS256" || alg == "EdDSA") {
		t.Fatal("the forger's signature of an honest token is another one")
	}
	return f
}

// by is a forger that has another of the replicas' keys.
func (f *forger) by(kid, file string) *forger {
	other := *f
	other.private, other.public = readKey(f.t, file, f.alg)
	other.header = f.with(f.header, f.kid(), kid)
	return &other
}

// readKey reads a key file as its format is documented.
func readKey(t *testing.T, name, alg string) (private, public any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if alg == "HS256" {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return secret, secret
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", name)
	}
	if private, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return private, private.(crypto.Signer).Public()
}

func (f *forger) plain(part string) string {
	f.t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed signs by the replicas' own key.
func (f *forger) signed(header, payload string) string {
	return f.signedBy(f.alg, f.private, encoded(header)+"."+encoded(payload))
}

// signedBy signs a text by any algorithm and key.
func (f *forger) signedBy(alg string, key any, text string) string {
	f.t.Helper()
	sig, err := jwt.GetSigningMethod(alg).Sign(text, key)
	if err != nil {
		f.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// with is s with its first old replaced, which must be there.
func (f *forger) with(s, old, new string) string {
	f.t.Helper()
	if !strings.Contains(s, old) {
		f.t.Fatalf("%q is not in %s", old, s)
	}
	return strings.Replace(s, old, new, 1)
}

// inHeader and inPayload are an honest token with one text changed, signed by
// the replicas' own key.
func (f *forger) inHeader(old, new string) string {
	f.t.Helper()
	return f.signed(f.with(f.header, old, new), f.payload)
}

func (f *forger) inPayload(old, new string) string {
	f.t.Helper()
	return f.signed(f.header, f.with(f.payload, old, new))
}
