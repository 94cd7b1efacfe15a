package peers

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	jwx "github.com/lestrrat-go/jwx/v2/jwt"

	"authbench/servers/auth"
	"authbench/servers/token"
)

const name = "authbench" // of the issuer and the audience

// issuer makes tokens by the servers' own code, and has the key for the others.
type issuer struct {
	tokens          []string
	ours            *token.Authenticator
	signing, public any
}

func newIssuer(b *testing.B, alg string) *issuer {
	b.Helper()
	dir := b.TempDir()
	must(b, token.GenerateKeys(dir, alg))
	keys, err := token.LoadKeys(dir, alg)
	must(b, err)
	is := &issuer{}
	is.ours, err = token.New(keys, token.Config{Issuer: name, Audience: name, Lifetime: time.Hour})
	must(b, err)
	for i := range residents {
		c, _, err := is.ours.Issue(b.Context(), principal(i))
		must(b, err)
		is.tokens = append(is.tokens, string(c))
	}
	text, err := os.ReadFile(filepath.Join(dir, alg+".key"))
	must(b, err)
	if alg == "HS256" {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		must(b, err)
		is.signing, is.public = secret, secret
		return is
	}
	block, _ := pem.Decode(text)
	is.signing, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	must(b, err)
	is.public = is.signing.(crypto.Signer).Public()
	return is
}

// BenchmarkVerify: signature, issuer, audience, expiry and the role. Ours has
// every further check on; golang-jwt is told its key without looking at kid.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range token.Algorithms() {
		b.Run("alg="+alg, func(b *testing.B) {
			is := newIssuer(b, alg)
			b.Run("lib=golang-jwt", func(b *testing.B) { golangJWT(b, is, alg) })
			b.Run("lib=jwtauth", func(b *testing.B) { chiJWTAuth(b, is, alg) })
			b.Run("lib=ours", func(b *testing.B) {
				measure(b, func(i int) {
					p, err := is.ours.Authenticate(context.Background(), auth.Credential(is.tokens[i]))
					must(b, err)
					wantSubject(b, p.Subject, i)
				})
			})
		})
	}
}

type registered struct {
	jwt.RegisteredClaims
	Role string `json:"role"`
}

func golangJWT(b *testing.B, is *issuer, alg string) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithIssuer(name), jwt.WithAudience(name), jwt.WithExpirationRequired())
	key := func(*jwt.Token) (any, error) { return is.public, nil }
	measure(b, func(i int) {
		var c registered
		_, err := parser.ParseWithClaims(is.tokens[i], &c, key)
		must(b, err)
		wantSubject(b, c.Subject, i)
	})
}

func chiJWTAuth(b *testing.B, is *issuer, alg string) {
	ja := jwtauth.New(alg, is.signing, is.public, jwx.WithIssuer(name), jwx.WithAudience(name), jwx.WithRequiredClaim("exp"))
	measure(b, func(i int) {
		t, err := jwtauth.VerifyToken(ja, is.tokens[i])
		must(b, err)
		if _, ok := t.Get("role"); !ok {
			b.Fatal("no role")
		}
		wantSubject(b, t.Subject(), i)
	})
}
