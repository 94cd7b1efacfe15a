package token

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/jsontext"
)

// ParseJWKS makes a set that only verifies of somebody else's JWKS, for a profile
// such as [Cognito]: of its public RSA keys for RS256 that have a kid of their
// own. Members that it does not know say nothing to it, and a key that does not
// fit is left out (RFC 7517, 4 and 5): skipped has a [*SkippedKey] for each. A set
// of no key that fits is an error.
func ParseJWKS(text []byte) (ks *KeySet, skipped []error, err error) {
	if err := jsontext.Check(text); err != nil {
		return nil, nil, fmt.Errorf("token: JWKS: %w", err)
	}
	var set map[string]json.RawMessage // a struct would take names in other case too
	var list []json.RawMessage
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("token: JWKS: want a JSON object: %w", err)
	}
	if err := json.Unmarshal(set["keys"], &list); err != nil {
		return nil, nil, errors.New("token: JWKS: want keys, a list")
	}
	ks = &KeySet{byID: map[string]*key{}, byHeader: map[string]*key{}, jwks: text}
	keys, count := make([]*key, len(list)), make(map[string]int)
	for i, member := range list {
		k, err := foreignKey(member)
		if err != nil {
			skipped = append(skipped, &SkippedKey{i + 1, memberOf(member, "kid"), err})
			continue
		}
		keys[i] = k
		count[k.id]++
	}
	for i, k := range keys {
		switch {
		case k == nil:
		case count[k.id] > 1: // which of them was meant cannot be known
			skipped = append(skipped, &SkippedKey{i + 1, k.id, fmt.Errorf("%d keys have this kid", count[k.id])})
		default:
			ks.byID[k.id], ks.byHeader[k.header] = k, k
		}
	}
	if len(ks.byID) == 0 {
		return nil, nil, errors.Join(append([]error{errors.New("token: JWKS: no key that can be used")}, skipped...)...)
	}
	return ks, skipped, nil
}

// SkippedKey says why a key of a JWKS is not used.
type SkippedKey struct {
	Number int    // its place in the set, from 1
	ID     string // its kid; "" if it has none
	Reason error
}

func (e *SkippedKey) Error() string {
	return fmt.Sprintf("token: JWKS: key %d, kid %.64q, is not used: %v", e.Number, e.ID, e.Reason)
}

func (e *SkippedKey) Unwrap() error { return e.Reason }

// memberOf returns a text member of a JSON object, by its exact name; "" if there
// is none.
func memberOf(object json.RawMessage, name string) (text string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) == nil {
		json.Unmarshal(members[name], &text)
	}
	return text
}

// secretMembers make up the private half of a key, or a secret one (RFC 7518, 6).
// Whoever publishes them has no secret any more.
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// foreignKey reads a public RSA key for signatures by RS256, or says why it is
// none.
func foreignKey(text json.RawMessage) (*key, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errors.New("want a JSON object")
	}
	for _, name := range secretMembers {
		if members[name] != nil {
			return nil, fmt.Errorf("member %s is secret, and everybody has read it", name)
		}
	}
	for _, m := range []struct{ name, want string }{{"kty", "RSA"}, {"alg", "RS256"}, {"use", "sig"}} {
		if got := memberOf(text, m.name); got != m.want {
			return nil, fmt.Errorf("%s %.64q: want %s", m.name, got, m.want)
		}
	}
	if raw := members["key_ops"]; raw != nil {
		var ops []string
		if json.Unmarshal(raw, &ops) != nil || !slices.Contains(ops, "verify") {
			return nil, errors.New("key_ops: want verify among them")
		}
	}
	id := memberOf(text, "kid")
	if id == "" {
		return nil, errors.New("want a kid")
	}
	public, err := rsaKey(memberOf(text, "n"), memberOf(text, "e"))
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct {
		Kid string `json:"kid"`
		Alg string `json:"alg"`
	}{id, "RS256"}) // as Cognito spells it
	if err != nil {
		return nil, err
	}
	return &key{
		id: id, alg: "RS256", header: base64url.EncodeToString(header),
		signature: &pair{method: jwt.SigningMethodRS256, public: public},
	}, nil
}

// rsaKey reads modulus and exponent.
func rsaKey(modulus, exponent string) (*rsa.PublicKey, error) {
	n, err := base64url.DecodeString(modulus)
	e, err2 := base64url.DecodeString(exponent)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("n and e: want base64url: %w", err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	if bits := public.N.BitLen(); bits < minRSABits {
		return nil, fmt.Errorf("modulus of %d bits: want at least %d", bits, minRSABits)
	}
	number := new(big.Int).SetBytes(e)
	if number.BitLen() > 31 || number.Int64() < 3 || number.Bit(0) == 0 {
		return nil, errors.New("exponent: want an odd number from 3 to 2^31-1")
	}
	public.E = int(number.Int64())
	return public, nil
}
