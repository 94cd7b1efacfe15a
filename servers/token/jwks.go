package token

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// ParseJWKS makes a set that only verifies of somebody else's JWKS, for a profile
// such as [Cognito]. Every key must be RSA, for RS256, with a kid of its own;
// anything else is an error, a private key most of all.
func ParseJWKS(text []byte) (*KeySet, error) {
	var set struct {
		Keys []*foreignKey `json:"keys"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil {
		return nil, fmt.Errorf("token: JWKS: %w", err)
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("token: JWKS: no keys")
	}
	ks := &KeySet{byID: map[string]*key{}, byHeader: map[string]*key{}, jwks: text}
	for i, j := range set.Keys {
		k, err := j.key()
		if err != nil {
			return nil, fmt.Errorf("token: JWKS: key %d: %w", i+1, err)
		}
		if ks.byID[k.id] != nil {
			return nil, fmt.Errorf("token: JWKS: key %d: kid %q is there twice", i+1, k.id)
		}
		ks.byID[k.id] = k
		ks.byHeader[k.header] = k
	}
	return ks, nil
}

// foreignKey is a public RSA key. Members of no use here are allowed for, so
// that a private exponent, say, is not.
type foreignKey struct {
	Algorithm string   `json:"alg"`
	Exponent  string   `json:"e"`
	ID        string   `json:"kid"`
	Type      string   `json:"kty"`
	Modulus   string   `json:"n"`
	Use       string   `json:"use"`
	Chain     []string `json:"x5c"`
	Thumb     string   `json:"x5t"`
	Thumb256  string   `json:"x5t#S256"`
}

func (j *foreignKey) key() (*key, error) {
	if j == nil || j.Type != "RSA" || j.Algorithm != "RS256" || j.Use != "sig" || j.ID == "" {
		return nil, errors.New(`want kty "RSA", alg "RS256", use "sig" and a kid`)
	}
	n, err := base64url.DecodeString(j.Modulus)
	e, err2 := base64url.DecodeString(j.Exponent)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("n and e: want base64url: %w", err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	if bits := public.N.BitLen(); bits < minRSABits {
		return nil, fmt.Errorf("modulus of %d bits: want at least %d", bits, minRSABits)
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return nil, errors.New("exponent: want an odd number from 3 to 2^31-1")
	}
	public.E = int(exponent.Int64())
	header, err := json.Marshal(struct {
		Kid string `json:"kid"`
		Alg string `json:"alg"`
	}{j.ID, "RS256"}) // as Cognito spells it
	if err != nil {
		return nil, err
	}
	return &key{
		id: j.ID, alg: "RS256", header: base64url.EncodeToString(header),
		signature: &pair{method: jwt.SigningMethodRS256, public: public},
	}, nil
}
