package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbench/servers/matrix"
)

// attack is a token that must be refused. The name begins with the line of the
// list of checks that it tries.
type attack struct {
	name, token string
}

// TestTokenAttacks tries each attack on each arm of tokens, in a header and in a
// cookie: it is refused, as the client's failure, nothing is fetched, and a good
// credential works after it. It takes up the cells of J01 to J10.
func TestTokenAttacks(t *testing.T) {
	var fetched atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer lure.Close()
	keys := t.TempDir()
	for _, k := range kinds() {
		if !slices.Contains(matrix.Arms(), k.name) || k.flags["auth"] != "jwt" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			flags, alg := append(flagsOf(t, k), "-keys", keys), k.flags["alg"]
			header, cookie := start(t, flags...), start(t, append(flags, "-credential", "cookie")...)
			good := header.mustLogin("user-000003")
			inCookie := cookie.mustLogin("user-000003")
			f := newForger(t, keys, alg, good.bearer)
			wantMe(t, header.me(held{bearer: f.signed(f.header, f.payload)}), "user-000003", "user", "r1") // else nothing below means anything
			all := f.attacks(t, lure.URL)
			for _, a := range all {
				t.Run(a.name, func(t *testing.T) {
					ran.Store(a.name[:3]+" "+k.name, true)
					tryAttack(t, header, "Authorization: Bearer ", a.token)
					tryAttack(t, cookie, "Cookie: __Host-token=", a.token)
					wantMe(t, header.me(good), "user-000003", "user", "r1")
					wantMe(t, cookie.me(inCookie), "user-000003", "user", "r1")
				})
			}
			checkLog(t, all, header.stderr.String()+cookie.stderr.String())
		})
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d requests went out to where tokens said that keys are", n)
	}
}

// tryAttack sends bytes as they are: net/http's client would refuse some.
func tryAttack(t *testing.T, r *replica, name, token string) {
	t.Helper()
	me := raw(t, r.Listen, "GET /me HTTP/1.1\r\nHost: x\r\n"+name+token+"\r\n\r\n")
	switch me {
	case http.StatusUnauthorized, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge:
	default:
		t.Errorf("%s: /me: status %d, want 401 (or 400 or 431)", name, me)
	}
	out := raw(t, r.Listen, "POST /logout HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"+name+token+"\r\n\r\n")
	if out != me && out != http.StatusNoContent {
		t.Errorf("%s: /logout: status %d, want 204 or what /me says, %d", name, out, me)
	}
}

// raw sends one request and returns the status of the answer.
func raw(t *testing.T, address, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	// The server may close while the rest of too long a request is under way.
	_, sent := conn.Write([]byte(request))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v (sent: %v)", err, sent)
	}
	res.Body.Close()
	return res.StatusCode
}

// checkLog checks that records are whole and hold no token.
func checkLog(t *testing.T, all []attack, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a record that is no JSON: %q", line)
		}
	}
	for _, a := range all {
		if len(a.token) > 40 && strings.Contains(log, a.token) {
			t.Errorf("%s: the token is in the log", a.name)
		}
	}
}

func (f *forger) attacks(t *testing.T, lure string) []attack {
	var all []attack
	for _, list := range [][]attack{
		f.unsigned(), f.confused(), f.broughtAlong(t, lure), f.kids(), f.extended(), f.mistyped(), f.misnamed(), f.misspelled(), f.heavy(),
	} {
		all = append(all, list...)
	}
	return all
}

// unsigned: none in any case, no signature, trivial signatures.
func (f *forger) unsigned() (all []attack) {
	alg := `"alg":"` + f.alg + `"`
	for _, none := range []string{"none", "None", "NONE", "nOnE", "nonE ", "null", ""} {
		h := encoded(f.with(f.header, alg, `"alg":"`+none+`"`))
		p := encoded(f.payload)
		all = append(all,
			attack{"J01 alg " + none, h + "." + p + "."},
			attack{"J01 alg " + none + ", two parts", h + "." + p},
			attack{"J01 alg " + none + ", signature of the honest token", h + "." + p + f.honest[strings.LastIndexByte(f.honest, '.'):]},
			attack{"J01 alg " + none + ", signed", f.inHeader(alg, `"alg":"`+none+`"`)})
	}
	stem := f.honest[:strings.LastIndexByte(f.honest, '.')]
	admin := encoded(f.header) + "." + encoded(f.with(f.payload, `"role":"user"`, `"role":"admin"`))
	return append(all,
		attack{"J01 stripped signature", stem + "."},
		attack{"J01 no third part", stem},
		attack{"J01 another payload under an honest signature", admin + f.honest[strings.LastIndexByte(f.honest, '.'):]},
		attack{"J01 signature of zeros", stem + "." + encoded(strings.Repeat("\x00", 64))},
		attack{"J01 long signature of zeros", stem + "." + encoded(strings.Repeat("\x00", 256))},
		attack{"J01 signature of one byte", stem + "." + encoded("\x00")})
}

// confused: another algorithm or a secret that everybody knows.
func (f *forger) confused() (all []attack) {
	known := map[string][]byte{
		"blank": {}, "word": []byte("secret"), "zeros": make([]byte, 32), "its own name": []byte(f.kid()), "the header": []byte(f.header),
	}
	if f.alg != "HS256" {
		der, err := x509.MarshalPKIXPublicKey(f.public)
		if err != nil {
			f.t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		known["public key, DER"], known["public key, PEM"], known["public key, PEM without its last line end"] = der, text, text[:len(text)-1]
		if k, ok := f.public.(*rsa.PublicKey); ok {
			known["PKCS #1"] = x509.MarshalPKCS1PublicKey(k)
			known["modulus"] = k.N.Bytes()
		}
	}
	for what, secret := range known {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			h := f.with(f.header, `"`+f.alg+`"`, `"`+alg+`"`)
			all = append(all, attack{"J02 " + alg + " by secret: " + what, f.signedBy(alg, secret, encoded(h)+"."+encoded(f.payload))})
		}
		all = append(all,
			attack{"J02 header as it is, HMAC by secret: " + what, f.signedBy("HS256", secret, encoded(f.header)+"."+encoded(f.payload))})
	}
	for _, other := range []string{"HS384", "RS384", "PS256", "ES384", "ES256K", "Ed25519", "EdDSA ", "hs256", "rs256", "dir"} {
		all = append(all, attack{"J01 alg " + other + ", its own key", f.inHeader(`"`+f.alg+`"`, `"`+other+`"`)})
	}
	if f.alg == "HS256" {
		for _, other := range []string{"HS384", "HS512"} {
			h := f.with(f.header, `"HS256"`, `"`+other+`"`)
			all = append(all, attack{"J01 its own secret by " + other, f.signedBy(other, f.private, encoded(h)+"."+encoded(f.payload))})
		}
	}
	return all
}

func (f *forger) kid() string {
	var h struct{ Kid string }
	if err := json.Unmarshal([]byte(f.header), &h); err != nil {
		f.t.Fatal(err)
	}
	return h.Kid
}

// broughtAlong: the attacker's own key in the token, or where it says it is.
func (f *forger) broughtAlong(t *testing.T, lure string) (all []attack) {
	own, jwk := attackersKey(t, f.alg)
	for _, member := range []string{
		`"jwk":` + jwk,
		`"jku":"` + lure + `/jwks.json"`,
		`"x5u":"` + lure + `/cert.pem"`,
		`"x5c":["` + base64.StdEncoding.EncodeToString([]byte("certificate")) + `"]`,
		`"x5t":"AAAA"`, `"x5t#S256":"AAAA"`, `"JWK":` + jwk, `"jwks":{"keys":[` + jwk + `]}`, `"iss":"` + lure + `"`,
		`"kid":"` + lure + `/key","jku":"` + lure + `"`,
	} {
		h := f.with(f.header, `"kid"`, member+`,"kid"`)
		all = append(all,
			attack{"J03 own key beside " + member[:6], f.signedBy(f.alg, own, encoded(h)+"."+encoded(f.payload))},
			attack{"J03 honest key beside " + member[:6], f.signed(h, f.payload)})
	}
	named := f.with(f.header, f.kid(), lure+"/jwks.json")
	return append(all,
		attack{"J03 own key under the honest name", f.signedBy(f.alg, own, encoded(f.header)+"."+encoded(f.payload))},
		attack{"J04 kid is a URL", f.signedBy(f.alg, own, encoded(named)+"."+encoded(f.payload))},
		attack{"J07 issuer is a URL of the attacker's", f.inPayload(`"iss":"authbench"`, `"iss":"`+lure+`"`)})
}

// attackersKey makes a key for alg that no replica knows, and its public JWK.
func attackersKey(t *testing.T, alg string) (private any, jwk string) {
	t.Helper()
	switch alg {
	case "HS256":
		return []byte(strings.Repeat("k", 32)), `{"kty":"oct","k":"` + encoded(strings.Repeat("k", 32)) + `"}`
	case "RS256":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return k, `{"kty":"RSA","e":"AQAB","n":"AQAB"}`
	case "ES256":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k, `{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`
	}
	public, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k, `{"kty":"OKP","crv":"Ed25519","x":"` + encoded(string(public)) + `"}`
}

// kids: names that mean something to a file system, a database or a terminal.
func (f *forger) kids() (all []attack) {
	for _, kid := range []string{
		"../../../../dev/null", "/dev/null", f.alg + ".key", "file:///etc/passwd", "' OR '1'='1", "x'; DROP TABLE accounts; --",
		`\u0000`, f.kid() + `\u0000`, `\u0000` + f.kid(), `\n{\"level\":\"forged\"}`, `\u001b[2J`, `\r\nSet-Cookie: x=y`, "*", "${jndi:ldap://x}",
		strings.ToLower(f.kid()), strings.ToUpper(f.kid()), f.kid()[:len(f.kid())-1], f.kid() + "=", " " + f.kid(), strings.Repeat("k", 2500),
		"𝄞", `\ud834`,
	} {
		if kid != f.kid() {
			all = append(all, attack{fmt.Sprintf("J04 kid %.20q", kid), f.inHeader(f.kid(), kid)})
		}
	}
	for _, value := range []string{`1`, `null`, `true`, `[]`, `{}`, `""`, `["` + f.kid() + `"]`} {
		all = append(all, attack{"J04 kid of another type: " + value, f.inHeader(`"`+f.kid()+`"`, value)})
	}
	return all
}

// extended: extensions that a library may pass over, and tokens of other types.
func (f *forger) extended() (all []attack) {
	for _, member := range []string{
		`"crit":["exp"]`, `"crit":["b64"],"b64":false`, `"crit":["x"],"x":1`, `"crit":[]`, `"crit":null`, `"crit":"exp"`,
		`"b64":false`, `"b64":true`, `"zip":"DEF"`, `"cty":"JWT"`, `"enc":"A256GCM"`, `"Crit":["x"]`,
	} {
		all = append(all, attack{"J05 " + member, f.signed(f.with(f.header, `"kid"`, member+`,"kid"`), f.payload)})
	}
	// RFC 7797: the payload is signed as it stands, without base64.
	plain := f.with(f.header, `"kid"`, `"crit":["b64"],"b64":false,"kid"`)
	all = append(all, attack{"J05 unencoded payload", f.signedBy(f.alg, f.private, encoded(plain)+"."+f.payload)})
	for _, typ := range []string{"JWT", "jwt", "at+JWT", "AT+JWT", "application/at+jwt", "rt+jwt", "refresh", "id_token", "at+jwt ", ""} {
		all = append(all, attack{"J06 typ " + typ, f.inHeader(`"at+jwt"`, `"`+typ+`"`)})
	}
	return append(all, attack{"J06 no typ", f.inHeader(`,"typ":"at+jwt"`, ``)})
}

// claims are those of an honest token.
func (f *forger) claims() (claims map[string]json.RawMessage) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(f.payload), &claims); err != nil {
		f.t.Fatal(err)
	}
	return claims
}

// mistyped: claims that are missing, of the wrong type or out of bounds.
func (f *forger) mistyped() (all []attack) {
	claims := f.claims()
	for name, value := range claims {
		member := `"` + name + `":` + string(value)
		for _, wrong := range []string{`null`, `true`, `[]`, `{}`, `""`, `[` + string(value) + `]`, `{"x":` + string(value) + `}`,
			`-1`, `1e99`, `0.5`} {
			all = append(all, attack{"J07 " + name + " is " + wrong, f.inPayload(member, `"`+name+`":`+wrong)})
		}
		all = append(all, attack{"J07 no " + name, f.inPayload(member, `"x":1`)})
	}
	number := func(name string) string { return `"` + name + `":` + string(claims[name]) }
	now := time.Now().Unix()
	for what, times := range map[string][2]int64{
		"expired": {now - 7200, now - 3600}, "of the future": {now + 600, now + 1200}, "of 1970": {0, now + 60},
		"of ten years": {now, now + 10*365*86400}, "ends before it begins": {now, now - 1}, "of no time": {now, now},
	} {
		p := f.with(f.payload, number("iat"), fmt.Sprintf(`"iat":%d`, times[0]))
		all = append(all, attack{"J08 " + what, f.signed(f.header, f.with(p, number("exp"), fmt.Sprintf(`"exp":%d`, times[1])))})
	}
	for what, exp := range map[string]string{
		"text": `"9999999999"`, "exponent": `1e10`, "fraction": string(claims["exp"]) + ".0", "huge": strings.Repeat("9", 400),
		"hex": `0xffffffff`,
	} {
		all = append(all, attack{"J07 exp as " + what, f.inPayload(number("exp"), `"exp":`+exp)})
	}
	return append(all,
		attack{"J07 another issuer", f.inPayload(`"iss":"authbench"`, `"iss":"authbench2"`)},
		attack{"J07 another audience", f.inPayload(`"aud":"authbench"`, `"aud":"other"`)},
		attack{"J07 several audiences", f.inPayload(`"aud":"authbench"`, `"aud":["authbench","other"]`)},
		attack{"J07 unknown role", f.inPayload(`"role":"user"`, `"role":"root"`)},
		attack{"J07 not before the year 5000", f.inPayload(`"sub"`, `"nbf":95617584000,"sub"`)})
}

// misnamed: two readers see two users.
func (f *forger) misnamed() (all []attack) {
	for name := range f.claims() {
		quoted := `"` + name + `"`
		for _, value := range []string{`"admin"`, `9999999999`} {
			all = append(all,
				attack{"J09 " + name + " twice, first " + value, f.inPayload(quoted, quoted+":"+value+","+quoted)},
				attack{"J09 " + name + " twice, last " + value, f.inPayload(`}`, `,`+quoted+`:`+value+`}`)},
				attack{"J09 " + name + " in other case, " + value, f.inPayload(`}`, `,`+strings.ToUpper(quoted)+`:`+value+`}`)})
		}
		all = append(all,
			attack{"J09 " + name + " miscased", f.inPayload(quoted, `"`+strings.ToUpper(name[:1])+name[1:]+`"`)},
			attack{"J09 " + name + " escaped", f.inPayload(quoted, fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:]))})
	}
	for _, name := range []string{"alg", "kid", "typ"} {
		quoted := `"` + name + `"`
		all = append(all,
			attack{"J09 " + name + " twice", f.inHeader(quoted, quoted+`:"none",`+quoted)},
			attack{"J09 " + name + " twice, last", f.inHeader(`}`, `,`+quoted+`:"none"}`)},
			attack{"J09 " + name + " miscased", f.inHeader(quoted, strings.ToUpper(quoted))})
	}
	return append(all,
		attack{"J09 proto", f.inPayload(`"sub"`, `"__proto__":{"role":"admin"},"sub"`)},
		attack{"J09 two objects", f.signed(f.header, f.payload+f.payload)},
		attack{"J09 object and text", f.signed(f.header, f.payload+"x")},
		attack{"J09 byte order mark", f.signed(f.header, "\ufeff"+f.payload)},
		attack{"J09 comment", f.inPayload(`{`, `{/**/`)},
		attack{"J09 trailing comma", f.inPayload(`}`, `,}`)},
		attack{"J09 invalid UTF-8", f.inPayload(`"sub":"`, "\"sub\":\"\xff")})
}

// misspelled: other spellings of an honest token.
func (f *forger) misspelled() (all []attack) {
	parts := strings.Split(f.honest, ".")
	for what, token := range map[string]string{
		"four parts": f.honest + "." + parts[2], "five parts": f.honest + "..", "one part": parts[0], "dots": "..",
		"many dots": strings.Repeat(".", 500),
		"padding":   f.honest + "=", "padding twice": f.honest + "==", "space inside": parts[0] + " ." + parts[1] + "." + parts[2],
		"tab inside": parts[0] + ".\t" + parts[1] + "." + parts[2], "NUL at the end": f.honest + "\x00", "plus": "+" + f.honest,
		"percent": f.honest + "%00",
		"quoted":  `"` + f.honest + `"`, "twice": f.honest + f.honest, "list": f.honest + "," + f.honest, "scheme twice": "Bearer " + f.honest,
		"JSON":           `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"no-break space": f.honest + "\u00a0", "null": "null", "undefined": "undefined", "brackets": "[object Object]",
	} {
		all = append(all, attack{"J10 " + what, token})
	}
	return all
}

// heavy: what costs a reader more than it costs the sender.
func (f *forger) heavy() []attack {
	deep := strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)
	lists := strings.Repeat("[", 1200)
	return []attack{
		{"limits: deep payload", f.signed(f.header, deep)},
		{"limits: deep claim", f.inPayload(`"sub"`, `"a":`+deep[:800]+`,"sub"`)},
		{"limits: unended lists", f.signed(f.header, lists)},
		{"limits: deep header", f.signed(deep, f.payload)},
		{"limits: many claims", f.signed(f.header, "{"+strings.Repeat(`"sub":"a",`, 200)+f.payload[1:])},
		{"limits: long number", f.inPayload(`"iat":`, `"iat":`+strings.Repeat("1", 1500))},
		{"limits: over 4 KiB, else good", f.signed(f.header, f.payload+strings.Repeat(" ", 4096))},
		{"limits: 12 KiB", f.inPayload(`"sub":"`, `"sub":"`+strings.Repeat("a", 8000))},
		{"limits: 64 KiB", strings.Repeat("A", 64<<10)},
		{"limits: 12 KiB of dots", strings.Repeat(".", 12<<10)},
	}
}
