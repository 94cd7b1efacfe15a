package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/auth"
)

// FuzzObject holds the reader to encoding/json: whatever it accepts is valid
// JSON and says the same there.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":"b","n":0}`, " {\t\"a\" :\r\n\"\" , \"b\":12 } ", `{"a":"\u00e9\ud834\udd1e\n\/\\\""}`,
		`{"a":"é𝄞"}`, `{"a":01}`, `{"a":1.5}`, `{"a":-1}`, `{"a":1e3}`, `{"a":999999999999}`, `{"a":"\ud834"}`,
		`{"a":{}}`, `{"a":null}`, `{"a":"b",}`, `{,}`, `{"a"}`, `{"a":"b"}x`, `{"\u0061":"b"}`, `[1]`, `{"a":"` + "\x00" + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		got := map[string]any{}
		members := 0
		o := object{in: in}
		for o.next() {
			members++
			if o.value.isNumber {
				got[string(o.name)] = json.Number(fmt.Sprint(o.value.number))
			} else {
				got[string(o.name)] = string(o.value.text)
			}
		}
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(before))
		d.UseNumber()
		err := d.Decode(&want)
		if err == nil && !json.Valid(before) { // something after the object
			err = errJSON
		}
		if o.err != nil {
			if err == nil && simple(before, want) {
				t.Fatalf("refused %q", before)
			}
			return
		}
		if err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", before, err)
		}
		// Duplicates are for the caller to refuse; both keep the last.
		if len(got) != len(want) || members < len(got) {
			t.Fatalf("%q: got %v, want %v", before, got, want)
		}
		for name, v := range want {
			if got[name] != v {
				t.Fatalf("%q: %s is %v, want %v", before, name, got[name], v)
			}
		}
	})
}

// simple tells whether the reader has no ground to refuse in, which holds
// want: then it must not.
func simple(in []byte, want map[string]any) bool {
	if want == nil || bytes.ContainsAny(in, "\\\ufffd") || !bytes.Equal(in, bytes.ToValidUTF8(in, nil)) {
		return false
	}
	for name, v := range want {
		if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
			return false
		}
		switch v := v.(type) {
		case string:
		case json.Number:
			if len(v) > maxDigits || strings.ContainsAny(string(v), "-+.eE") {
				return false
			}
		default:
			return false
		}
	}
	// A duplicate that was overwritten may have been anything.
	return bytes.Count(in, []byte(`":`)) <= len(want) && !bytes.Contains(in, []byte(`" `))
}

// FuzzHeader holds the fast way to a key to the slow one, and the slow one to
// encoding/json.
func FuzzHeader(f *testing.F) {
	// The fuzzer works in processes of its own, each of which makes its own
	// random keys: only the fixed secret's name means the same in all of them.
	a, k, _ := fuzzed(f)
	ks := a.set()
	for _, k := range []*key{k, ks.byID[testKey()["ES256"].id]} {
		f.Add(goodHeader(k))
		f.Add(strings.Replace(goodHeader(k), k.alg, "none", 1))
		f.Add(fmt.Sprintf(`{"typ":"at+jwt", "kid":%q, "alg":%q}`, k.id, k.alg))
		f.Add(strings.Replace(goodHeader(k), `"kid"`, `"KID"`, 1))
		f.Add(strings.Replace(goodHeader(k), `}`, `,"crit":["exp"]}`, 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, encoded := range []string{text, base64url.EncodeToString([]byte(text))} {
			fast, fastErr := ks.find(encoded)
			slow, slowErr := ks.judge(encoded)
			if fast != slow || !errors.Is(fastErr, slowErr) || (fast == nil) == (fastErr == nil) {
				t.Fatalf("%q: found %v (%v), judged %v (%v)", encoded, fast, fastErr, slow, slowErr)
			}
			if fast == nil {
				continue
			}
			plain, err := base64url.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			var h map[string]any
			if err := json.Unmarshal(plain, &h); err != nil {
				t.Fatal(err)
			}
			if len(h) != 3 || h["alg"] != fast.alg || h["kid"] != fast.id || h["typ"] != mediaType {
				t.Fatalf("%q: accepted as key %s of %s", plain, fast.id, fast.alg)
			}
		}
	})
}

// everyKey is a set that holds a key of each algorithm.
func everyKey(t testing.TB) *KeySet {
	var keys []*key
	for _, alg := range Algorithms() {
		keys = append(keys, testKey()[alg])
	}
	ks, err := newKeySet(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

// The constant header of each key takes the fast way, and judging it by hand
// gives the same key: a header that missed would cost time unseen.
func TestOwnHeadersTakeTheFastWay(t *testing.T) {
	ks := everyKey(t)
	for _, k := range ks.byID {
		a, _ := open(t, k.alg, nil)
		parts, err := cut(string(issue(t, a, "alice")))
		if err != nil {
			t.Fatal(err)
		}
		if ks.byHeader[parts.header] != k {
			t.Errorf("%s: its own header is not known", k.alg)
		}
		if got, err := ks.judge(parts.header); got != k || err != nil {
			t.Errorf("%s: judged %v, %v", k.alg, got, err)
		}
		// Members in another order: the slow way, and the same verdict.
		c := forge(t, k, fmt.Sprintf(` {"typ":"at+jwt","kid":%q,"alg":%q}`, k.id, k.alg), goodPayload(newClock()))
		accepted(t, a, c)
	}
}

// library verifies by golang-jwt with every strict option that it has.
func library(ks *KeySet, c *clock, token string) (jwt.MapClaims, error) {
	parser := jwt.NewParser(jwt.WithValidMethods(Algorithms()), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithIssuer(testIssuer), jwt.WithAudience(testAudience), jwt.WithTimeFunc(c.Now),
		jwt.WithStrictDecoding(), jwt.WithJSONNumber())
	out := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(token, out, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		k := ks.byID[kid]
		if k == nil || k.alg != t.Method.Alg() {
			return nil, fmt.Errorf("no key %q for %s", kid, t.Method.Alg())
		}
		switch s := k.signature.(type) {
		case *pair:
			return s.public, nil
		default:
			return fuzzSecret, nil
		}
	})
	return out, err
}

var fuzzSecret = bytes.Repeat([]byte("fuzz"), 8)

// fuzzed returns an authenticator whose HS256 key golang-jwt can be given too.
func fuzzed(t testing.TB) (*Authenticator, *key, *clock) {
	k, err := newKey(secretID(fuzzSecret), "HS256", nil, newSecret(fuzzSecret))
	if err != nil {
		t.Fatal(err)
	}
	a, c := open(t, "HS256", nil)
	ks, err := newKeySet(k, testKey()["RS256"], testKey()["ES256"], testKey()["EdDSA"])
	if err != nil {
		t.Fatal(err)
	}
	a.keys.Store(ks)
	return a, k, c
}

// agree checks that what we accept, golang-jwt accepts with the same claims.
func agree(t *testing.T, a *Authenticator, clock *clock, c auth.Credential) (ok bool) {
	t.Helper()
	p, err := a.Authenticate(context.Background(), c)
	if err != nil {
		return false
	}
	out, err := library(a.set(), clock, string(c))
	if err != nil {
		t.Fatalf("accepted %q, which golang-jwt refuses: %v", c, err)
	}
	if out["sub"] != p.Subject || out["role"] != p.Role || fmt.Sprint(out["exp"]) != fmt.Sprint(p.Expiry.Unix()) || len(out) != 7 {
		t.Fatalf("%q: got %v, golang-jwt %v", c, p, out)
	}
	return true
}

// FuzzAgainstLibrary signs any header and payload, so that the fuzzer gets
// past the signature to what is behind it.
func FuzzAgainstLibrary(f *testing.F) {
	a, k, clock := fuzzed(f)
	f.Add(goodHeader(k), goodPayload(clock))
	f.Add(goodHeader(k), strings.Replace(goodPayload(clock), `alice`, `\u0061\ud834\udd1e`, 1))
	f.Add(fmt.Sprintf(`{"typ":"at+jwt","kid":%q,"alg":"HS256"}`, k.id), " "+goodPayload(clock)+"\n")
	f.Add(goodHeader(k), strings.Replace(goodPayload(clock), `"sub"`, `"Sub":"bob","sub"`, 1))
	f.Add(goodHeader(k), strings.Replace(goodPayload(clock), `"exp":`, `"exp":1`, 1))
	f.Add(goodHeader(k), "\xef\xbb\xbf"+goodPayload(clock))
	f.Fuzz(func(t *testing.T, header, payload string) {
		agree(t, a, clock, forge(t, k, header, payload))
	})
}

// FuzzToken takes any text for a token: nothing but the issued ones is good.
func FuzzToken(f *testing.F) {
	a, k, clock := fuzzed(f)
	good := map[string]bool{}
	for _, k := range []*key{k, testKey()["RS256"], testKey()["EdDSA"]} {
		c := string(forge(f, k, goodHeader(k), goodPayload(clock)))
		good[c] = true
		f.Add(c)
		f.Add(c + "\n")
		f.Add(c[:len(c)-1])
		f.Add(strings.Replace(c, ".", "..", 1))
	}
	f.Add("")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if agree(t, a, clock, auth.Credential(token)) && !good[token] {
			t.Fatalf("accepted %q, which nobody issued", token)
		}
	})
}

// The library accepts what we issue, by every algorithm and for odd subjects.
func TestLibraryAgrees(t *testing.T) {
	a, k, clock := fuzzed(t)
	for _, k := range []*key{k, testKey()["RS256"], testKey()["ES256"], testKey()["EdDSA"]} {
		a.set().signing = k
		for _, subject := range []string{"alice", `"<&>\`, "Zoë 𝄞", "a\x00b\n", "\u2028"} {
			c, _, err := a.Issue(context.Background(), auth.Principal{Subject: subject, Role: "admin", Expiry: clock.Now().Add(time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			if !agree(t, a, clock, c) {
				t.Errorf("%s, %q: refused", k.alg, subject)
			}
		}
	}
}

// What golang-jwt lets through with every strict option on, and we do not. If
// one of these fails, the library has changed: look whether it now does work
// that this package need not.
func TestStricterThanTheLibrary(t *testing.T) {
	a, k, clock := fuzzed(t)
	h, p := goodHeader(k), goodPayload(clock)
	change := func(s, old, new string) string { return strings.Replace(s, old, new, 1) }
	for name, c := range map[string]struct{ header, payload string }{
		"unknown crit":     {change(h, `}`, `,"crit":["x"],"x":1}`), p},
		"b64 false":        {change(h, `}`, `,"b64":false}`), p},
		"no typ":           {change(h, `,"typ":"at+jwt"`, ``), p},
		"another typ":      {change(h, `at+jwt`, `rt+jwt`), p},
		"no sub":           {h, change(p, `"sub":"alice",`, ``)},
		"100 years":        {h, change(p, fmt.Sprintf(`"exp":%d`, clock.Now().Add(testLifetime).Unix()), `"exp":4925000000`)},
		"duplicate sub":    {h, change(p, `"sub"`, `"sub":"bob","sub"`)},
		"duplicate alg":    {change(h, `"alg"`, `"alg":"none","alg"`), p},
		"audience in list": {h, change(p, `"`+testAudience+`"`, `["`+testAudience+`","other"]`)},
		"jwk in header":    {change(h, `}`, `,"jwk":{}}`), p},
		"6 KiB":            {h, change(p, `alice`, strings.Repeat("a", 4500))},
	} {
		token := forge(t, k, c.header, c.payload)
		if _, err := library(a.set(), clock, string(token)); err != nil {
			t.Errorf("%s: golang-jwt refuses it by now: %v", name, err)
		}
		if _, err := a.Authenticate(context.Background(), token); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
