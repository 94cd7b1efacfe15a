package token

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"authbench/servers/auth"
)

// forge signs any header and payload with a key of ours: what only this
// program could make, so that the check behind the signature is what refuses.
func forge(t testing.TB, k *key, header, payload string) auth.Credential {
	t.Helper()
	signed := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(payload))
	sig, err := k.sign(signed)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Credential(signed + "." + base64url.EncodeToString(sig))
}

// goodHeader and goodPayload are a valid token's, at the test clock's start.
func goodHeader(k *key) string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, k.alg, k.id)
}

func goodPayload(c *clock) string {
	iat := c.Now().Unix()
	return fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","role":"user","iat":%d,"exp":%d,"jti":"1"}`,
		testIssuer, testAudience, iat, iat+int64(testLifetime/time.Second))
}

// variant is a change of one text in a good token's header or payload.
type variant struct {
	old, new string
	why      error // nil: still good
}

// tryHeaders and tryPayloads make each variant by each algorithm's own key.
func tryHeaders(t *testing.T, variants []variant) { try(t, variants, true) }

func tryPayloads(t *testing.T, variants []variant) { try(t, variants, false) }

func try(t *testing.T, variants []variant, inHeader bool) {
	t.Helper()
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		for _, v := range variants {
			h, p := goodHeader(k), goodPayload(clock)
			in := &p
			if inHeader {
				in = &h
			}
			if !strings.Contains(*in, v.old) {
				t.Fatalf("%q is not in %s", v.old, *in)
			}
			*in = strings.Replace(*in, v.old, v.new, 1)
			t.Run(alg+"/"+v.new, func(t *testing.T) {
				c := forge(t, k, h, p)
				if v.why == nil {
					accepted(t, a, c)
				} else {
					refused(t, a, c, v.why)
				}
			})
		}
	}
}

func TestJ01_NoneIsRefusedInAnyCase(t *testing.T) {
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", "", "null"} {
			h := strings.Replace(goodHeader(k), alg, none, 1)
			why := errAlgorithm
			if none == "" {
				why = errHeader
			}
			unsigned := base64url.EncodeToString([]byte(h)) + "." + base64url.EncodeToString([]byte(goodPayload(clock)))
			refused(t, a, auth.Credential(unsigned+"."), why)
			refused(t, a, auth.Credential(unsigned), errParts)
			refused(t, a, forge(t, k, h, goodPayload(clock)), why)
		}
		// The right header without a signature is no better.
		c := string(forge(t, k, goodHeader(k), goodPayload(clock)))
		refused(t, a, auth.Credential(c[:strings.LastIndexByte(c, '.')+1]), errEncoding)
	}
}

func TestJ01_OneAlgorithmPerKey(t *testing.T) {
	all := append(Algorithms(), "HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES256K", "Ed25519", "hs256", "EDDSA", "RSA-OAEP", "dir")
	for _, alg := range Algorithms() {
		var variants []variant
		for _, other := range all {
			if other != alg {
				variants = append(variants, variant{`"alg":"` + alg, `"alg":"` + other, errAlgorithm})
			}
		}
		a, clock := open(t, alg, nil)
		for _, v := range variants {
			h := strings.Replace(goodHeader(a.set().signing), v.old, v.new, 1)
			refused(t, a, forge(t, a.set().signing, h, goodPayload(clock)), v.why)
		}
	}
}

// J2: the public key, which everyone has, used as an HMAC secret.
func TestJ02_PublicKeyAsSecretIsRefused(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		der, err := x509.MarshalPKIXPublicKey(k.signature.(*pair).public)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for _, known := range [][]byte{der, text, text[:len(text)-1], a.JWKS(), []byte(k.id), {}} {
			liar, err := newKey(k.id, "HS256", nil, newSecret(known))
			if err != nil {
				t.Fatal(err)
			}
			refused(t, a, forge(t, liar, goodHeader(liar), goodPayload(clock)), errAlgorithm)
			refused(t, a, forge(t, liar, goodHeader(k), goodPayload(clock)), errSignature)
		}
	}
}

// J3: a key that comes with the token is refused unread; nobody is asked.
func TestJ03_KeysInTheHeaderAreRefusedAndNotFetched(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	var variants []variant
	for _, member := range []string{
		`"jku":"` + srv.URL + `"`,
		`"x5u":"` + srv.URL + `"`,
		`"jwk":{"kty":"oct","k":"AAAA"}`,
		`"jwk":"AAAA"`,
		`"x5c":["AAAA"]`,
		`"x5t":"AAAA"`,
		`"x5t#S256":"AAAA"`,
		`"jwks":{"keys":[]}`,
		`"k":"AAAA"`,
	} {
		variants = append(variants, variant{`"kid"`, member + `,"kid"`, errHeader})
	}
	tryHeaders(t, variants)
	srv.Close()
	if asked != 0 {
		t.Errorf("%d outbound requests", asked)
	}
}

func TestJ04_KidIsLookedUpExactly(t *testing.T) {
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		for _, kid := range []string{
			"x", k.id + " ", " " + k.id, strings.ToLower(k.id), k.id[:len(k.id)-1], k.id + "A",
			"../../dev/null", "/dev/null", "' OR 1=1 --", "*", "0", "null",
			"line\\nend", "\\u0000", "\\u001b[31m", strings.Repeat("k", 2000),
		} {
			h := strings.Replace(goodHeader(k), k.id, kid, 1)
			refused(t, a, forge(t, k, h, goodPayload(clock)), errKey)
		}
		for _, kid := range []string{`1`, `null`, `true`, `[]`, `{}`, `""`} {
			h := strings.Replace(goodHeader(k), `"`+k.id+`"`, kid, 1)
			refused(t, a, forge(t, k, h, goodPayload(clock)), errHeader)
		}
		// A key that the set does not hold, under its own name and under ours.
		stranger := freshKey(alg)
		refused(t, a, forge(t, stranger, goodHeader(stranger), goodPayload(clock)), errKey)
		refused(t, a, forge(t, stranger, goodHeader(k), goodPayload(clock)), errSignature)
		// The same name in other letters of JSON is the same name.
		escaped := fmt.Sprintf(`\u%04x`, k.id[0]) + k.id[1:]
		accepted(t, a, forge(t, k, strings.Replace(goodHeader(k), k.id, escaped, 1), goodPayload(clock)))
	}
}

// Two keys of a set each verify their own tokens and not the other's.
func TestJ04_KeysOfASetAreKeptApart(t *testing.T) {
	old := freshKey("ES256")
	k := testKey()["ES256"]
	ks, err := newKeySet(k, old)
	if err != nil {
		t.Fatal(err)
	}
	a, clock := open(t, "ES256", nil)
	a.keys.Store(ks)
	accepted(t, a, forge(t, old, goodHeader(old), goodPayload(clock)))
	accepted(t, a, forge(t, k, goodHeader(k), goodPayload(clock)))
	refused(t, a, forge(t, old, goodHeader(k), goodPayload(clock)), errSignature)
	refused(t, a, forge(t, k, goodHeader(old), goodPayload(clock)), errSignature)
	if !strings.HasPrefix(string(issue(t, a, "alice")), k.header+".") {
		t.Error("not signed by the signing key")
	}
}

func TestJ05_AnyCritIsRefused(t *testing.T) {
	var variants []variant
	for _, crit := range []string{
		`"crit":["exp"]`, `"crit":["b64"],"b64":false`, `"crit":["x"],"x":1`, `"crit":[]`, `"crit":"exp"`,
		`"crit":null`, `"crit":["alg"]`, `"b64":false`, `"b64":true`, `"Crit":["x"]`, `"zip":"DEF"`, `"cty":"JWT"`,
	} {
		variants = append(variants,
			variant{`"kid"`, crit + `,"kid"`, errHeader},
			variant{`"at+jwt"}`, `"at+jwt",` + crit + `}`, errHeader})
	}
	tryHeaders(t, variants)
}

func TestJ06_TypeIsExact(t *testing.T) {
	typ := `"typ":"at+jwt"`
	var variants []variant
	for _, other := range []string{
		"JWT", "jwt", "at+JWT", "AT+JWT", "application/at+jwt", "at+jwt ", " at+jwt", "at jwt", "rt+jwt", "refresh",
		"id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt",
	} {
		variants = append(variants, variant{typ, `"typ":"` + other + `"`, errType})
	}
	for _, other := range []string{`"typ":""`, `"typ":null`, `"typ":1`, `"typ":["at+jwt"]`, `"Typ":"at+jwt"`, typ + "," + typ} {
		variants = append(variants, variant{typ, other, errHeader})
	}
	variants = append(variants, variant{"," + typ, "", errHeader})
	tryHeaders(t, variants)
}

func TestJ07_ClaimsAreRequiredAndTyped(t *testing.T) {
	_, clock := open(t, "HS256", nil)
	payload := goodPayload(clock)
	iat := clock.Now().Unix()
	exp := iat + int64(testLifetime/time.Second)
	members := map[string]string{
		"iss":  fmt.Sprintf("%q", testIssuer),
		"aud":  fmt.Sprintf("%q", testAudience),
		"sub":  `"alice"`,
		"role": `"user"`,
		"iat":  fmt.Sprint(iat),
		"exp":  fmt.Sprint(exp),
		"jti":  `"1"`,
	}
	var variants []variant
	for name, value := range members {
		member := fmt.Sprintf("%q:%s", name, value)
		without := member + ","
		if !strings.Contains(payload, without) {
			without = "," + member
		}
		variants = append(variants, variant{without, "", errClaims})
		for _, wrong := range []string{`null`, `true`, `""`, `[]`, `{}`, `[` + value + `]`, `{"a":` + value + `}`} {
			variants = append(variants, variant{member, fmt.Sprintf("%q:%s", name, wrong), errClaims})
		}
		if name == "iat" || name == "exp" {
			for _, wrong := range []string{
				`"` + value + `"`, value + ".0", value + ".5", value + "e0", "-" + value, "0" + value, "+" + value,
				"0x10", "1e10", "9999999999999999", "99999999999999999999", "NaN", "Infinity", "-1", "-0", "1_0",
			} {
				variants = append(variants, variant{member, fmt.Sprintf("%q:%s", name, wrong), errClaims})
			}
		} else {
			variants = append(variants, variant{member, fmt.Sprintf("%q:1", name), errClaims})
		}
	}
	variants = append(variants,
		variant{testIssuer, testIssuer + "/", errIssuer},
		variant{testIssuer, "HTTPS://issuer.test", errIssuer},
		variant{testIssuer, testAudience, errIssuer},
		variant{testAudience, testAudience + "/", errAudience},
		variant{testAudience, testIssuer, errAudience},
		variant{`"role":"user"`, `"role":"User"`, errClaims},
		variant{`"role":"user"`, `"role":"root"`, errClaims},
		variant{`"role":"user"`, `"role":"admin"`, nil},
		variant{payload, `{}`, errClaims},
		variant{payload, `null`, errClaims},
		variant{payload, `[]`, errClaims},
		variant{payload, `"alice"`, errClaims},
		variant{payload, ``, errEncoding},
	)
	tryPayloads(t, variants)
}

func TestJ08_LifeIsBounded(t *testing.T) {
	for _, leeway := range []time.Duration{0, time.Minute} {
		a, clock := open(t, "HS256", func(cfg *Config) { cfg.Leeway = leeway })
		k := a.set().signing
		now := clock.Now().Unix()
		life := int64(testLifetime / time.Second)
		slack := int64(leeway / time.Second)
		for _, c := range []struct {
			iat, exp int64
			why      error
		}{
			{now, now + life, nil},
			{now, now + 1, nil},
			{now, now + life + 1, errLifetime},
			{now, now + 100*365*86400, errLifetime},
			{0, now + life, errLifetime},
			{now, now, errLifetime},
			{now, now - 1, errLifetime},
			{now - slack - 10, now - slack + 1, nil},
			{now - slack - 10, now - slack, errExpired},
			{now - 2*life, now - life, errExpired},
			{now + slack, now + slack + life, nil},
			{now + slack + 1, now + slack + life, errFuture},
			{now + life, now + 2*life, errFuture},
			{999999999998, 999999999999, errFuture},
		} {
			p := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","role":"user","iat":%d,"exp":%d,"jti":"1"}`,
				testIssuer, testAudience, c.iat, c.exp)
			token := forge(t, k, goodHeader(k), p)
			if c.why == nil {
				accepted(t, a, token)
			} else {
				refused(t, a, token, c.why)
			}
		}
	}
}

func TestJ09_DuplicateAndMiscasedNamesAreRefused(t *testing.T) {
	_, clock := open(t, "HS256", nil)
	payload := goodPayload(clock)
	claims := []variant{
		// Escapes, other letters that look alike or fold alike, and spaces.
		{`"sub"`, `"\u0073ub"`, errClaims},
		{`"sub"`, `"ſub"`, errClaims},
		{`"sub"`, `"sub "`, errClaims},
		{`"sub"`, `"sub\u0000"`, errClaims},
		{`"sub"`, `""`, errClaims},
		// What this issuer never says is not passed over, least of all nbf.
		{`"sub"`, `"nbf":1,"sub"`, errClaims},
		{`"sub"`, `"x":1,"sub"`, errClaims},
		{`"sub"`, `"__proto__":"x","sub"`, errClaims},
		{`"alice"`, `"\ud834"`, errClaims},
		{`"alice"`, `"\ud834\u0041"`, errClaims},
		{`"alice"`, `"\udd1e\ud834"`, errClaims},
		{`"alice"`, "\"\xff\"", errClaims},
		{`"alice"`, "\"\x00\"", errClaims},
		{`"alice"`, `"\ud834\udd1e"`, nil},
		{payload, payload + `{}`, errClaims},
		{payload, payload + `x`, errClaims},
		{payload, payload + "\x00", errClaims},
		{payload, "\ufeff" + payload, errClaims},
		{payload, payload[:len(payload)-1], errClaims},
		{payload, payload[:len(payload)-1] + ",}", errClaims},
		{payload, " " + payload + "\r\n", nil}, // white space of JSON is not white space of the token
	}
	for _, name := range []string{"iss", "aud", "sub", "role", "iat", "exp", "jti"} {
		quoted := `"` + name + `"`
		for _, miscased := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			claims = append(claims,
				variant{quoted, `"` + miscased + `"`, errClaims},
				variant{quoted, `"` + miscased + `":"x",` + quoted, errClaims})
		}
		claims = append(claims,
			variant{quoted, quoted + `:"x",` + quoted, errClaims},
			variant{quoted, quoted + `:1,` + quoted, errClaims},
			variant{payload[:len(payload)-1], payload[:len(payload)-1] + `,` + quoted + `:"x"`, errClaims},
			variant{payload[:len(payload)-1], payload[:len(payload)-1] + `,` + quoted + `:1`, errClaims})
	}
	tryPayloads(t, claims)

	var headers []variant
	for _, name := range []string{"alg", "kid", "typ"} {
		quoted := `"` + name + `"`
		headers = append(headers,
			variant{quoted, `"` + strings.ToUpper(name) + `"`, errHeader},
			variant{quoted, `"` + strings.ToUpper(name) + `":"x",` + quoted, errHeader},
			variant{quoted, quoted + `:"x",` + quoted, errHeader},
			variant{quoted, quoted + `:"",` + quoted, errHeader},
			variant{quoted, quoted + `:1,` + quoted, errHeader},
			variant{`"at+jwt"}`, `"at+jwt",` + quoted + `:"x"}`, errHeader},
			variant{quoted, fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:]), errHeader})
	}
	tryHeaders(t, headers)
}

func TestJ10_SerialisationIsStrict(t *testing.T) {
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		good := string(forge(t, k, goodHeader(k), goodPayload(clock)))
		accepted(t, a, auth.Credential(good))
		parts := strings.Split(good, ".")
		header, payload, sig := parts[0], parts[1], parts[2]

		for _, bad := range []string{
			header, header + "." + payload, good + ".", "." + good, good + "." + sig, ".." + sig, "..", "....",
			header + "..." + payload + "." + sig,
			good + good,
			`{"protected":"` + header + `","payload":"` + payload + `","signature":"` + sig + `"}`,
		} {
			if n := strings.Count(bad, "."); n != 2 {
				refused(t, a, auth.Credential(bad), errParts)
			} else {
				refused(t, a, auth.Credential(bad), errEncoding)
			}
		}
		// White space and padding, anywhere; a line end is skipped by the
		// standard library's decoder, and the signature would not notice.
		for _, extra := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "==", "\x00", "\v", "\u00a0", "+", "/", "%2e"} {
			refused(t, a, auth.Credential(extra+good), errEncoding)
			refused(t, a, auth.Credential(good+extra), errEncoding)
			refused(t, a, auth.Credential(header+"."+payload+"."+sig[:5]+extra+sig[5:]), errEncoding)
			refused(t, a, auth.Credential(header+extra+"."+payload+"."+sig), errEncoding)
		}
		refused(t, a, auth.Credential("Bearer "+good), errEncoding)

		// A payload that is signed as it stands but spelled loosely.
		for _, spelled := range []string{
			payload + "\n", "\n" + payload, payload[:4] + "\r\n" + payload[4:],
			payload + "=", payload + "==", payload + "A===", "!" + payload[1:], "+" + payload[1:], "",
		} {
			s, err := k.sign(header + "." + spelled)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, a, auth.Credential(header+"."+spelled+"."+base64url.EncodeToString(s)), errEncoding)
		}
	}
}

// J10: the bits that the last letter has to spare are zero, or one signature
// would have several spellings.
func TestJ10_TrailingBitsAreZero(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		good := string(forge(t, k, goodHeader(k), goodPayload(clock)))
		last := good[len(good)-1]
		others := 0
		for _, b := range []byte(alphabet) {
			loose, err := base64.RawURLEncoding.DecodeString(good[strings.LastIndexByte(good, '.')+1:len(good)-1] + string(b))
			if err != nil {
				t.Fatal(err)
			}
			if b != last && k.verify(good[:strings.LastIndexByte(good, '.')], loose) {
				others++
				refused(t, a, auth.Credential(good[:len(good)-1]+string(b)), errEncoding)
			}
		}
		if others == 0 {
			t.Errorf("%s: no other spelling tried", alg)
		}
	}
}

// A signature of another length or of trivial numbers is no signature.
func TestSignaturesOfOddShapeAreRefused(t *testing.T) {
	for _, alg := range Algorithms() {
		a, clock := open(t, alg, nil)
		k := a.set().signing
		good := string(forge(t, k, goodHeader(k), goodPayload(clock)))
		cut := strings.LastIndexByte(good, '.') + 1
		sig, err := base64url.DecodeString(good[cut:])
		if err != nil {
			t.Fatal(err)
		}
		order, err := hex.DecodeString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
		if err != nil {
			t.Fatal(err)
		}
		for _, odd := range [][]byte{
			sig[:len(sig)-1], append([]byte{0}, sig...), append(append([]byte{}, sig...), 0), sig[:1],
			make([]byte, len(sig)), make([]byte, 64), append(order, order...), append(sig, sig...),
		} {
			refused(t, a, auth.Credential(good[:cut]+base64url.EncodeToString(odd)), errSignature)
		}
	}
}

func TestLimit_SizeIsCheckedFirst(t *testing.T) {
	a, clock := open(t, "HS256", nil)
	k := a.set().signing
	// A token that is good but for its size: the subject fills it.
	good := func(size int) auth.Credential {
		for n := 2000; n < 3200; n++ {
			p := strings.Replace(goodPayload(clock), "alice", strings.Repeat("a", n), 1)
			if c := forge(t, k, goodHeader(k), p); len(c) >= size {
				return c
			}
		}
		t.Fatal("no such size")
		return ""
	}
	accepted(t, a, good(maxToken-2))
	refused(t, a, good(maxToken+1), errTooLong)
	refused(t, a, auth.Credential(strings.Repeat(".", maxToken+1)), errTooLong)
	refused(t, a, auth.Credential(strings.Repeat("A", 1<<20)), errTooLong)
	refused(t, a, "", errEmpty)
}
