package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/auth"
)

var errSignature = refusal("has a signature that does not fit")

// signature makes and checks the signatures of one key by one algorithm.
type signature interface {
	sign(signed string) ([]byte, error)
	verify(signed string, sig []byte) bool
}

// key is bound to one algorithm for life: what a token says about algorithms
// is compared with it and never chooses.
type key struct {
	id     string // kid
	alg    string
	header string // the encoded header of every token that this key signs
	jwk    *jwk   // public half; nil for a shared secret
	end    int64  // Unix seconds from which it verifies nothing more; 0: no end
	signature
}

// newKey completes a key: its id comes from the key itself, so every replica
// names the same key alike.
func newKey(id, alg string, public *jwk, s signature) (*key, error) {
	text, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{alg, id, mediaType})
	if err != nil {
		return nil, fmt.Errorf("token: key %s: %w", id, err)
	}
	return &key{id: id, alg: alg, header: base64url.EncodeToString(text), jwk: public, signature: s}, nil
}

// ended tells whether k's time is over: all that it signed has expired, so
// whatever it would still verify is forged.
func (k *key) ended(now time.Time) bool { return k.end != 0 && now.Unix() >= k.end }

// seal makes a token of payload, or says that it would be too long.
func (k *key) seal(payload []byte) (auth.Credential, error) {
	signed := k.header + "." + base64url.EncodeToString(payload)
	sig, err := k.sign(signed)
	if err != nil {
		return "", fmt.Errorf("sign by %s: %w", k.alg, err)
	}
	token := signed + "." + base64url.EncodeToString(sig)
	if len(token) > maxToken {
		return "", fmt.Errorf("token of %d bytes: at most %d allowed, choose a shorter subject", len(token), maxToken)
	}
	return auth.Credential(token), nil
}

// open returns the payload of a token that k has signed, decoded into s. The
// payload is decoded only once the signature stands.
func (k *key) open(parts compact, s *scratch) ([]byte, error) {
	sig, err := decode(s.signature[:], parts.signature)
	if err != nil {
		return nil, err
	}
	if !k.verify(parts.signed, sig) {
		return nil, errSignature
	}
	return decode(s.payload[:], parts.payload)
}

// secret signs by HMAC-SHA256. Ready states are kept, since setting one up
// costs more than using it.
type secret struct {
	states sync.Pool // of *macState
}

type macState struct {
	hash hash.Hash
	in   []byte
	sum  [sha256.Size]byte
}

func newSecret(k []byte) *secret {
	return &secret{sync.Pool{New: func() any {
		return &macState{hash: hmac.New(sha256.New, k)}
	}}}
}

func (s *secret) sign(signed string) ([]byte, error) {
	m := s.states.Get().(*macState)
	defer s.states.Put(m)
	return append([]byte(nil), m.over(signed)...), nil
}

func (s *secret) verify(signed string, sig []byte) bool {
	m := s.states.Get().(*macState)
	defer s.states.Put(m)
	return hmac.Equal(m.over(signed), sig)
}

// over returns the MAC, which is good until the state is used again.
func (m *macState) over(signed string) []byte {
	m.in = append(m.in[:0], signed...)
	m.hash.Reset()
	m.hash.Write(m.in)
	return m.hash.Sum(m.sum[:0])
}

// pair signs by a private key and verifies by its public half, with
// golang-jwt's own methods: RS256, ES256 and EdDSA.
type pair struct {
	method          jwt.SigningMethod
	private, public any
}

func (p *pair) sign(signed string) ([]byte, error) { return p.method.Sign(signed, p.private) }

func (p *pair) verify(signed string, sig []byte) bool {
	return p.method.Verify(signed, sig, p.public) == nil
}
