package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"authbench/servers/auth"
)

// pool is an issuer in the manner of Cognito: it has the private key, the
// authenticator under test only its JWKS.
type pool struct {
	key   *key
	kid   string
	clock *clock
}

func newPool(t testing.TB) (*Authenticator, *pool) {
	t.Helper()
	p := &pool{key: testKey()["RS256"], kid: "1234example=", clock: newClock()}
	ks, _, err := ParseJWKS(p.jwks(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ks, Config{Profile: Cognito, Issuer: testIssuer, Audience: "client-1", Lifetime: time.Hour, Now: p.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

// jwks is the pool's document, with members changed; "" takes one away.
func (p *pool) jwks(t testing.TB, change map[string]string) []byte {
	t.Helper()
	members := map[string]string{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": p.kid, "n": p.key.jwk.Modulus, "e": p.key.jwk.Exponent}
	for name, value := range change {
		members[name] = value
		if value == "" {
			delete(members, name)
		}
	}
	text, err := json.Marshal(map[string]any{"keys": []any{members}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (p *pool) header() string { return fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, p.kid) }

func (p *pool) payload() string {
	iat := p.clock.Now().Unix()
	return fmt.Sprintf(`{"sub":"aaaa-bbbb","cognito:groups":["staff","readers"],"iss":%q,"version":2,"client_id":"client-1",`+
		`"origin_jti":"o","token_use":"access","scope":"openid profile","auth_time":%d,"exp":%d,"iat":%d,"jti":"j","username":"alice"}`,
		testIssuer, iat, iat+3600, iat)
}

func TestCognitoProfile(t *testing.T) {
	a, p := newPool(t)
	h, claims := p.header(), p.payload()
	token := forge(t, p.key, h, claims)
	got := accepted(t, a, token)
	if got.Subject != "aaaa-bbbb" || got.Role != "user" || !got.Expiry.Equal(p.clock.Now().Add(time.Hour)) {
		t.Errorf("got %+v", got)
	}
	accepted(t, a, forge(t, p.key, fmt.Sprintf(`{"alg":"RS256", "kid":%q}`, p.kid), claims))
	admin := accepted(t, a, forge(t, p.key, h, strings.Replace(claims, "readers", "admin", 1)))
	if admin.Role != "admin" {
		t.Errorf("the group admin gives role %q", admin.Role)
	}
	if _, _, err := a.Issue(t.Context(), auth.Principal{Subject: "alice", Role: "user"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("issue: %v, want ErrUnsupported", err)
	}
	if err := a.Revoke(t.Context(), token); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("revoke: %v, want ErrUnsupported", err)
	}
	p.clock.Advance(time.Hour)
	refused(t, a, token, errExpired)
}

func TestCognitoProfileRefuses(t *testing.T) {
	a, p := newPool(t)
	h, claims := p.header(), p.payload()
	change := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q is not in %s", old, s)
		}
		return strings.Replace(s, old, new, 1)
	}
	for name, c := range map[string]struct {
		header, payload string
		why             error
	}{
		"an ID token":          {h, change(change(claims, `"access"`, `"id"`), `"client_id"`, `"aud"`), errCognito},
		"token_use id":         {h, change(claims, `"access"`, `"id"`), errCognito},
		"no token_use":         {h, change(claims, `"token_use":"access",`, ``), errCognito},
		"token_use twice":      {h, change(claims, `"token_use"`, `"token_use":"access","token_use"`), errCognito},
		"token_use in case":    {h, change(claims, `"token_use"`, `"Token_use"`), errCognito},
		"no client_id":         {h, change(claims, `"client_id":"client-1",`, ``), errCognito},
		"another client":       {h, change(claims, `client-1`, `client-2`), errAudience},
		"client_id in a list":  {h, change(claims, `"client-1"`, `["client-1"]`), errCognito},
		"another pool":         {h, change(claims, testIssuer, testIssuer+"2"), errIssuer},
		"no sub":               {h, change(claims, `"sub":"aaaa-bbbb",`, ``), errCognito},
		"empty sub":            {h, change(claims, `aaaa-bbbb`, ``), errCognito},
		"exp as text":          {h, change(claims, `"exp":`, `"exp":"1","x":`), errCognito},
		"groups as text":       {h, change(claims, `["staff","readers"]`, `"admin"`), errCognito},
		"groups nested":        {h, change(claims, `["staff","readers"]`, `[["admin"]]`), errCognito},
		"groups of numbers":    {h, change(claims, `["staff","readers"]`, `[1]`), errCognito},
		"groups unended":       {h, change(claims, `["staff","readers"]`, `["staff",]`), errCognito},
		"groups twice":         {h, change(claims, `"version"`, `"cognito:groups":["admin"],"version"`), errCognito},
		"a role of our own":    {h, change(claims, `"version"`, `"role":"admin","version"`), errCognito},
		"an unknown claim":     {h, change(claims, `"version"`, `"x":"y","version"`), errCognito},
		"nested":               {h, change(claims, `"version":2`, `"version":{}`), errCognito},
		"longer than an hour":  {h, change(claims, `"exp":1`, `"exp":2`), errLifetime},
		"our typ":              {change(h, `}`, `,"typ":"at+jwt"}`), claims, errHeader},
		"typ JWT":              {change(h, `}`, `,"typ":"JWT"}`), claims, errHeader},
		"none":                 {change(h, `RS256`, `none`), claims, errAlgorithm},
		"crit":                 {change(h, `}`, `,"crit":["exp"]}`), claims, errHeader},
		"jku":                  {change(h, `}`, `,"jku":"https://evil.test"}`), claims, errHeader},
		"unknown kid":          {change(h, p.kid, "other"), claims, errKey},
		"a token of our own":   {goodHeader(p.key), goodPayload(p.clock), errHeader},
		"our claims, its head": {h, goodPayload(p.clock), errCognito},
	} {
		t.Run(name, func(t *testing.T) { refused(t, a, forge(t, p.key, c.header, c.payload), c.why) })
	}
	// The public modulus as a secret, and a key of another pool.
	liar, err := newKey(p.kid, "HS256", nil, newSecret([]byte(p.key.jwk.Modulus)))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, a, forge(t, liar, change(h, "RS256", "HS256"), claims), errAlgorithm)
	refused(t, a, forge(t, liar, h, claims), errSignature)
	refused(t, a, forge(t, freshKey("RS256"), h, claims), errSignature)
	accepted(t, a, forge(t, p.key, h, claims))
}

func TestForeignKeysAreRefused(t *testing.T) {
	_, p := newPool(t)
	for name, text := range map[string][]byte{
		"nothing":         nil,
		"no keys":         []byte(`{"keys":[]}`),
		"null":            []byte(`{"keys":[null]}`),
		"private":         p.jwks(t, map[string]string{"d": "AQAB"}),
		"a secret":        p.jwks(t, map[string]string{"kty": "oct", "k": "AQAB"}),
		"HS256":           p.jwks(t, map[string]string{"alg": "HS256"}),
		"no alg":          p.jwks(t, map[string]string{"alg": ""}),
		"for encryption":  p.jwks(t, map[string]string{"use": "enc"}),
		"no kid":          p.jwks(t, map[string]string{"kid": ""}),
		"1024 bits":       p.jwks(t, map[string]string{"n": strings.Repeat("_", 170)}),
		"exponent 1":      p.jwks(t, map[string]string{"e": "AQ"}),
		"exponent even":   p.jwks(t, map[string]string{"e": "Ag"}),
		"exponent long":   p.jwks(t, map[string]string{"e": "__________8"}),
		"padded":          p.jwks(t, map[string]string{"e": "AQAB="}),
		"keys null":       []byte(`{"keys":null}`),
		"another case":    []byte(strings.Replace(string(p.jwks(t, nil)), `"kty"`, `"Kty"`, 1)),
		"keys in case":    []byte(strings.Replace(string(p.jwks(t, nil)), `"keys"`, `"Keys"`, 1)),
		"not to verify":   p.jwks(t, map[string]string{"key_ops": "verify"}), // text, not a list
		"no UTF-8":        []byte(strings.Replace(string(p.jwks(t, nil)), p.kid, "\xff", 1)),
		"half a pair":     []byte(strings.Replace(string(p.jwks(t, nil)), p.kid, `\ud800`, 1)),
		"trailing":        append(p.jwks(t, nil), '{', '}'),
		"the same kid":    []byte(strings.Replace(string(p.jwks(t, nil)), `]`, `,`+strings.TrimPrefix(string(p.jwks(t, nil)), `{"keys":[`), 1)),
		"not a JWKS":      []byte(`[]`),
		"unknown members": []byte(`{"keys":[],"x":1}`),
	} {
		if _, _, err := ParseJWKS(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	own, err := newKeySet(p.key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Profile: Cognito, Issuer: "i", Audience: "a", Lifetime: time.Minute}
	if _, err := New(own, cfg); err == nil {
		t.Error("Cognito with keys of our own: accepted")
	}
	foreign, _, err := ParseJWKS(p.jwks(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Profile = Own
	if _, err := New(foreign, cfg); err == nil {
		t.Error("our own profile with foreign keys: accepted")
	}
	cfg.Profile = "auth0"
	if _, err := New(foreign, cfg); err == nil {
		t.Error("unknown profile: accepted")
	}
}

// FuzzCognito takes any payload for a signed one: nothing is accepted that
// encoding/json does not read as an access token for this client.
func FuzzCognito(f *testing.F) {
	a, p := newPool(f)
	f.Add(p.payload())
	f.Add(strings.Replace(p.payload(), `["staff","readers"]`, `[]`, 1))
	f.Add(strings.Replace(p.payload(), `readers`, `\u0061dmin`, 1))
	f.Add(strings.Replace(p.payload(), `"version":2,`, ``, 1))
	f.Fuzz(func(t *testing.T, payload string) {
		// Without a signature, which would slow the fuzzer down a thousandfold.
		got, err := a.cfg.Profile.parse([]byte(payload))
		if err == nil {
			err = got.check(&a.cfg, p.clock.Now())
		}
		if err != nil {
			if !errors.Is(err, auth.ErrUnauthenticated) {
				t.Fatal(err)
			}
			return
		}
		var c struct {
			Sub      string
			Iss      string
			ClientID string   `json:"client_id"`
			Use      string   `json:"token_use"`
			Groups   []string `json:"cognito:groups"`
			Exp, Iat int64
		}
		if err := json.Unmarshal([]byte(payload), &c); err != nil {
			t.Fatalf("accepted %q: %v", payload, err)
		}
		admin := false
		for _, g := range c.Groups {
			admin = admin || g == "admin"
		}
		if c.Sub != string(got.sub) || c.Iss != testIssuer || c.ClientID != "client-1" || c.Use != "access" ||
			c.Exp != got.exp || c.Exp-c.Iat > 3600 || admin != (got.role == "admin") {
			t.Fatalf("%q: got %+v", payload, got)
		}
	})
}

// FuzzCognitoHeader holds the fast way to a foreign key to the slow one, and the
// slow one to encoding/json.
func FuzzCognitoHeader(f *testing.F) {
	a, p := newPool(f)
	f.Add(p.header())
	f.Add(fmt.Sprintf(` {"alg":"RS256", "kid":%q}`, p.kid))
	f.Add(strings.Replace(p.header(), `}`, `,"typ":"JWT"}`, 1))
	f.Add(strings.Replace(p.header(), `RS256`, `none`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		for _, header := range []string{text, base64url.EncodeToString([]byte(text))} {
			fast, fastErr := a.set().find(header)
			slow, slowErr := a.set().judge(header)
			if fast != slow || !errors.Is(fastErr, slowErr) || (fast == nil) == (fastErr == nil) {
				t.Fatalf("%q: found %v (%v), judged %v (%v)", header, fast, fastErr, slow, slowErr)
			}
			if fast == nil {
				continue
			}
			plain, err := base64url.DecodeString(header)
			if err != nil {
				t.Fatal(err)
			}
			var h map[string]any
			if err := json.Unmarshal(plain, &h); err != nil || len(h) != 2 || h["alg"] != "RS256" || h["kid"] != p.kid {
				t.Fatalf("%q: accepted as key %s (%v)", plain, fast.id, err)
			}
		}
	})
}
