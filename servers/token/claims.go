package token

import (
	"time"

	"authbench/servers/auth"
)

// mediaType is the header's typ: an access token (RFC 9068), so that no other
// kind of token that the same key may come to sign passes for one.
const mediaType = "at+jwt"

var (
	errHeader    = refusal("has a header that is not alg, kid and typ alone, each a string and once")
	errType      = refusal("is not of type at+jwt")
	errKey       = refusal("names no known key")
	errAlgorithm = refusal("names another algorithm than its key's")
	errClaims    = refusal("has claims that are not iss, aud, sub, role, iat, exp and jti alone (and gen, where they are counted), " +
		"each of its type and once")
	errIssuer   = refusal("is from another issuer")
	errAudience = refusal("is for another audience")
	errExpired  = refusal("is expired")
	errFuture   = refusal("is issued in the future")
	errLifetime = refusal("lives longer than tokens may, or not at all")
)

// header is a token's header: exactly these three members. The closed set is
// what refuses crit, b64, and every way to bring a key along (jwk, jku, x5u,
// x5c): they are never read, let alone fetched.
type header struct {
	alg, kid, typ string
}

// parseHeader reads decoded header bytes, which it may overwrite. Tokens that
// are not typed have no typ at all.
func parseHeader(in []byte, typed bool) (header, error) {
	var h header
	o := object{in: in}
	for o.next() {
		var to *string
		switch string(o.name) {
		case "alg":
			to = &h.alg
		case "kid":
			to = &h.kid
		case "typ":
			to = &h.typ
		}
		// An empty value is as good as none, so a member that is already
		// filled is a duplicate and one that ends empty is missing.
		if to == nil || *to != "" || len(o.value.text) == 0 {
			return header{}, errHeader
		}
		*to = string(o.value.text)
	}
	if o.err != nil || h.alg == "" || h.kid == "" || typed != (h.typ != "") {
		return header{}, errHeader
	}
	return h, nil
}

// claims is a token's payload: exactly these claims. Times are whole seconds
// since 1970 (NumericDate). The texts alias the decoded payload.
type claims struct {
	iss, aud, sub, jti []byte
	role               string
	iat, exp           int64
	gen                int64 // of a revocable token: the generation that it was issued in
}

// One bit for each claim, to see that each comes exactly once.
const (
	seenIss = 1 << iota
	seenAud
	seenSub
	seenRole
	seenIat
	seenExp
	seenJti
	seenGen
	seenOwn       = seenGen - 1
	seenRevocable = seenOwn | seenGen
)

// parseClaims reads decoded payload bytes, which it may overwrite, and wants the
// claims whose bits are in all. Others are refused rather than ignored: the issuer
// is this same program, so an unknown name is an error or an attack (a claim in
// other case, say), and an nbf must not be silently passed over.
func parseClaims(in []byte, all int) (claims, error) {
	var c claims
	seen := 0
	o := object{in: in}
	for o.next() {
		bit := c.set(string(o.name), o.value)
		if bit&all == 0 || seen&bit != 0 {
			return claims{}, errClaims
		}
		seen |= bit
	}
	if o.err != nil || seen != all {
		return claims{}, errClaims
	}
	return c, nil
}

// set keeps one claim and returns its bit, or 0 if the name is unknown or the
// value is of the wrong type.
func (c *claims) set(name string, v value) (bit int) {
	switch name {
	case "iat":
		c.iat = v.number
		return when(v.isNumber, seenIat)
	case "exp":
		c.exp = v.number
		return when(v.isNumber, seenExp)
	case "gen":
		c.gen = v.number
		return when(v.isNumber, seenGen)
	}
	if len(v.text) == 0 { // a number, or text that says nothing
		return 0
	}
	switch name {
	case "iss":
		c.iss = v.text
		return seenIss
	case "aud":
		c.aud = v.text
		return seenAud
	case "sub":
		c.sub = v.text
		return seenSub
	case "jti":
		c.jti = v.text
		return seenJti
	case "role":
		c.role = knownRole(string(v.text))
		return when(c.role != "", seenRole)
	}
	return 0
}

func when(ok bool, bit int) int {
	if ok {
		return bit
	}
	return 0
}

// knownRole returns the role's own constant, which costs no memory, or "" for
// a role that does not exist.
func knownRole(role string) string {
	switch role {
	case "user":
		return "user"
	case "admin":
		return "admin"
	}
	return ""
}

// principal is who the claims speak for.
func (c *claims) principal() auth.Principal {
	return auth.Principal{Subject: string(c.sub), Role: c.role, Expiry: time.Unix(c.exp, 0)}
}

// check judges claims against the configuration at the time now. A token is
// refused from exp on, to the full precision of the clock.
func (c *claims) check(cfg *Config, now time.Time) error {
	switch {
	case string(c.iss) != cfg.Issuer:
		return errIssuer
	case string(c.aud) != cfg.Audience:
		return errAudience
	case c.exp <= c.iat || c.exp-c.iat > int64(cfg.Lifetime/time.Second):
		return errLifetime
	case time.Unix(c.iat, 0).After(now.Add(cfg.Leeway)):
		return errFuture
	case !now.Before(time.Unix(c.exp, 0).Add(cfg.Leeway)):
		return errExpired
	}
	return nil
}
