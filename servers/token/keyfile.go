package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The smallest keys that are taken.
const (
	minRSABits     = 2048
	minSecretBytes = 32 // RFC 7518 section 3.2: as long as the hash
)

// Algorithms lists the values that alg may have.
func Algorithms() []string { return []string{"HS256", "RS256", "ES256", "EdDSA"} }

// writeOnce makes a whole file appear under name, unless there is one: a
// reader never sees half a key, and a late writer never replaces one in use.
func writeOnce(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// generate makes a new key in the text that parseKey reads.
func generate(alg string) ([]byte, error) {
	var private any
	var err error
	switch alg {
	case "HS256":
		b := make([]byte, minSecretBytes)
		rand.Read(b) // never fails
		return []byte(base64.StdEncoding.EncodeToString(b) + "\n"), nil
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, minRSABits)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// readKeyFile reads one file. Its errors name the file and never quote it.
func readKeyFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("token: key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("token: key %s has mode %#o: keep it from others with chmod 600", name, mode)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("token: key: %w", err)
	}
	return text, nil
}

// parseKey makes a key for alg of a file's text.
func parseKey(text []byte, alg string) (*key, error) {
	if alg == "HS256" {
		return parseSecret(text)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(strings.TrimSpace(string(rest))) != 0 {
		return nil, errors.New(`want one PEM block "PRIVATE KEY" (PKCS #8) and nothing after it`)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("not a PKCS #8 private key: %w", err)
	}
	return newPair(private, alg)
}

// parseSecret makes an HS256 key of base64 text.
func parseSecret(text []byte) (*key, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, errors.New("not a secret in base64") // err would quote the secret's place
	}
	if len(b) < minSecretBytes {
		return nil, fmt.Errorf("secret of %d bytes: want at least %d", len(b), minSecretBytes)
	}
	return newKey(secretID(b), "HS256", nil, newSecret(b))
}

// newPair binds a private key to the one algorithm that it is for.
func newPair(private any, alg string) (*key, error) {
	var method jwt.SigningMethod
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("RSA key of %d bits: want at least %d", bits, minRSABits)
		}
		method = jwt.SigningMethodRS256
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("key on curve %s: ES256 wants P-256", k.Params().Name)
		}
		method = jwt.SigningMethodES256
	case ed25519.PrivateKey:
		method = jwt.SigningMethodEdDSA
	default:
		return nil, fmt.Errorf("key of type %T: want RSA, P-256 or Ed25519", private)
	}
	if method.Alg() != alg {
		return nil, fmt.Errorf("key is for %s, not for %s", method.Alg(), alg)
	}
	public := private.(crypto.Signer).Public()
	j, err := newJWK(public)
	if err != nil {
		return nil, err
	}
	id, err := j.thumbprint()
	if err != nil {
		return nil, err
	}
	return newKey(id, alg, j, &pair{method: method, private: private, public: public})
}
