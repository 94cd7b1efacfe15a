package token

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// KeySet holds the keys that verify tokens, by their kid, and the one among
// them that signs. It never changes once made.
type KeySet struct {
	signing  *key // nil in a set that only verifies
	typ      string
	byID     map[string]*key
	byHeader map[string]*key // by the encoded header that each key's own tokens have
	jwks     []byte
	source   [sha256.Size]byte // of the files that it was read from; zero if not known
}

// newKeySet makes a set of signing, if it is not nil, and of keys that only
// verify. Of keys with one kid the first counts.
func newKeySet(signing *key, others ...*key) (*KeySet, error) {
	ks := &KeySet{signing: signing, typ: mediaType, byID: map[string]*key{}, byHeader: map[string]*key{}}
	if signing != nil {
		others = append([]*key{signing}, others...)
	}
	public := []*jwk{} // not nil: no keys is [] in JSON, not null
	for _, k := range others {
		if ks.byID[k.id] != nil {
			continue
		}
		ks.byID[k.id] = k
		ks.byHeader[k.header] = k
		if k.jwk != nil {
			j := *k.jwk
			j.ID, j.Algorithm, j.Use = k.id, k.alg, "sig"
			public = append(public, &j)
		}
	}
	var err error
	ks.jwks, err = json.Marshal(map[string][]*jwk{"keys": public})
	if err != nil {
		return nil, fmt.Errorf("token: public keys: %w", err)
	}
	return ks, nil
}

// JWKS returns the public keys as a JWK set (RFC 7517). A shared secret has no
// public half: the set is empty for HS256. The caller must not change it.
func (ks *KeySet) JWKS() []byte { return ks.jwks }

// find returns the key that an encoded header names. This program's own
// headers are constant strings, found as they stand; any other spelling of
// the same three members is decoded and judged, to the same verdict.
func (ks *KeySet) find(encoded string) (*key, error) {
	if k := ks.byHeader[encoded]; k != nil {
		return k, nil
	}
	return ks.judge(encoded)
}

// judge decodes a header and returns the key that it names.
func (ks *KeySet) judge(encoded string) (*key, error) {
	text, err := decode(make([]byte, len(encoded)), encoded)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(text, ks.typ != "")
	if err != nil {
		return nil, err
	}
	k := ks.byID[h.kid]
	switch {
	case h.typ != ks.typ:
		return nil, errType
	case k == nil:
		return nil, errKey
	case k.alg != h.alg:
		return nil, errAlgorithm
	}
	return k, nil
}
