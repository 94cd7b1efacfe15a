package token

import (
	"errors"
	"fmt"
)

// Profile is what tokens look like: which header and which claims they have.
type Profile string

const (
	// Own is the profile of the tokens that this package issues: RFC 9068.
	Own Profile = ""
	// Cognito verifies access tokens in the manner of Amazon Cognito and issues
	// none: RS256 by the keys of a JWKS ([ParseJWKS]), no typ, client_id in place
	// of aud, and token_use, which says that it is no ID token. A member of the
	// group "admin" is one; everybody else is a user.
	Cognito Profile = "cognito"
	// revocable is Own with one claim more, for a [Revocable] alone.
	revocable Profile = "revocable"
)

// Profiles lists the values that Profile may have.
func Profiles() []Profile { return []Profile{Own, Cognito} }

// fits refuses keys that the profile's tokens cannot be verified by.
func (p Profile) fits(ks *KeySet) error {
	switch {
	case p != Own && p != Cognito && p != revocable:
		return fmt.Errorf("token: unknown profile %q: want %q or %q", p, Own, Cognito)
	case (p == Own || p == revocable) && (ks == nil || ks.signing == nil):
		return errors.New("token: no key to sign with: load or generate keys first")
	case p == Cognito && (ks == nil || ks.typ != ""):
		return fmt.Errorf("token: profile %s wants the keys of a JWKS: read them with ParseJWKS", Cognito)
	}
	return nil
}

func (p Profile) parse(payload []byte) (claims, error) {
	switch p {
	case Cognito:
		return parseCognito(payload)
	case revocable:
		return parseClaims(payload, seenRevocable)
	}
	return parseClaims(payload, seenOwn)
}

var errCognito = refusal("has claims that are not those of an access token of Cognito, each of its type and once")

// The claims that Cognito gives an access token, by their kind. The first seven
// must be there. The set is closed for the reason that parseClaims gives.
var cognitoClaims = []struct {
	name string
	kind kind
}{
	{"sub", aText}, {"iss", aText}, {"client_id", aText}, {"token_use", aText}, {"jti", aText},
	{"exp", aNumber}, {"iat", aNumber},
	{"auth_time", aNumber}, {"version", aNumber}, {"cognito:groups", aList},
	{"scope", aText}, {"username", aText}, {"origin_jti", aText}, {"event_id", aText}, {"device_key", aText},
}

const cognitoRequired = 1<<7 - 1

// kind is what a value is.
type kind int

const (
	aText kind = iota
	aNumber
	aList
)

func (v value) kind() kind {
	switch {
	case v.isNumber:
		return aNumber
	case v.list != nil:
		return aList
	}
	return aText
}

// parseCognito reads the payload of an access token of Cognito; aud is its
// client_id.
func parseCognito(in []byte) (claims, error) {
	c := claims{role: "user"}
	seen := 0
	o := object{in: in, lists: true}
	for o.next() {
		bit := cognitoBit(string(o.name), o.value)
		if bit == 0 || seen&bit != 0 || !c.setCognito(string(o.name), o.value) {
			return claims{}, errCognito
		}
		seen |= bit
	}
	if o.err != nil || seen&cognitoRequired != cognitoRequired {
		return claims{}, errCognito
	}
	return c, nil
}

// cognitoBit is the claim's own bit, or 0 if the name is unknown or the value is
// not of its kind.
func cognitoBit(name string, v value) int {
	for i, known := range cognitoClaims {
		if known.name == name && known.kind == v.kind() {
			return 1 << i
		}
	}
	return 0
}

// setCognito keeps what is needed of a claim of the right kind, and tells
// whether it says something, and what an access token says.
func (c *claims) setCognito(name string, v value) bool {
	switch name {
	case "sub":
		c.sub = v.text
	case "iss":
		c.iss = v.text
	case "client_id":
		c.aud = v.text
	case "jti":
		c.jti = v.text
	case "token_use":
		return string(v.text) == "access"
	case "exp":
		c.exp = v.number
	case "iat":
		c.iat = v.number
	case "cognito:groups":
		for _, group := range v.list {
			if string(group) == "admin" {
				c.role = "admin"
			}
		}
	}
	return v.kind() != aText || len(v.text) > 0
}
