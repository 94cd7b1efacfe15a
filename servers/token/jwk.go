package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
)

// jwk is a public key in JSON (RFC 7517, 7518 and 8037). The order of the
// fields is the one that thumbprints need: by name.
type jwk struct {
	Curve     string `json:"crv,omitempty"`
	Exponent  string `json:"e,omitempty"`
	Type      string `json:"kty"`
	Modulus   string `json:"n,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	ID        string `json:"kid,omitempty"`
	Use       string `json:"use,omitempty"`
}

// newJWK returns the members that make up a public key, and nothing else.
func newJWK(public any) (*jwk, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return &jwk{
			Type:     "RSA",
			Exponent: base64url.EncodeToString(big.NewInt(int64(k.E)).Bytes()),
			Modulus:  base64url.EncodeToString(k.N.Bytes()),
		}, nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y; x and y of full length
		if err != nil {
			return nil, fmt.Errorf("token: public key: %w", err)
		}
		half := (len(point) - 1) / 2
		return &jwk{
			Type:  "EC",
			Curve: k.Params().Name,
			X:     base64url.EncodeToString(point[1 : 1+half]),
			Y:     base64url.EncodeToString(point[1+half:]),
		}, nil
	case ed25519.PublicKey:
		return &jwk{Type: "OKP", Curve: "Ed25519", X: base64url.EncodeToString(k)}, nil
	}
	return nil, fmt.Errorf("token: public key of type %T: want RSA, P-256 or Ed25519", public)
}

// thumbprint is the key's identity by RFC 7638: SHA-256 over its required
// members in order of name. Call it before anything else is filled in.
func (j *jwk) thumbprint() (string, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("token: thumbprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return base64url.EncodeToString(sum[:]), nil
}

// secretID names a shared secret without revealing it. A plain hash, as RFC
// 7638 would have it, is avoided; the label has no dot, so that it can never
// be what a token is signed over.
func secretID(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("authbench key id"))
	return base64url.EncodeToString(mac.Sum(nil)[:16])
}
