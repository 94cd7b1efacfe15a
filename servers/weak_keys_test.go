package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJ11_NoStartWithWeakKeys gives a replica a key that is weak or another
// algorithm's: it ends with an error that names the file, and has not served.
func TestJ11_NoStartWithWeakKeys(t *testing.T) {
	inPEM := func(k any, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	weakRSA := inPEM(rsa.GenerateKey(rand.Reader, 1024))
	weak := map[string][]string{
		"HS256": {base64.StdEncoding.EncodeToString(make([]byte, 31)), "", weakRSA},
		"RS256": {weakRSA, inPEM(rsa.GenerateKey(rand.Reader, 2047)), inPEM(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		"ES256": {inPEM(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), inPEM(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), weakRSA},
		"EdDSA": {inPEM(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), weakRSA, base64.StdEncoding.EncodeToString(make([]byte, 32))},
	}
	eachCell(t, "J11", func(t *testing.T, arm, _ string) {
		alg := alg(t, arm)
		if len(weak[alg]) == 0 {
			t.Fatalf("no weak keys for %s: add some", alg)
		}
		for _, text := range weak[alg] {
			keys := t.TempDir()
			if err := os.WriteFile(filepath.Join(keys, alg+".key"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := parse(nil, append(kindNamed(t, arm).args(), "-keys", keys, "-listen", "127.0.0.1:0", "-redis", "redis://x")...)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // it drains at once, should it begin to serve
			if err := run(ctx, cfg, &out, io.Discard); err == nil || !strings.Contains(err.Error(), alg+".key") || out.Len() != 0 {
				t.Errorf("key of %d bytes: error %v, output %q", len(text), err, out.String())
			}
		}
	})
}
