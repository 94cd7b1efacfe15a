package load

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/bench/trial"
)

// A forged token differs from the honest one in its signature alone, whose
// spelling is right, and does not verify.
func TestForgedTokens(t *testing.T) {
	secret := make([]byte, 32)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct {
		method    jwt.SigningMethod
		sign, try any
	}{{jwt.SigningMethodHS256, secret, secret}, {jwt.SigningMethodES256, private, &private.PublicKey}} {
		for range 200 {
			honest, err := jwt.NewWithClaims(key.method, jwt.MapClaims{"sub": "a", "jti": rand.Text()}).SignedString(key.sign)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []trial.Credential{{User: "a", Header: "Bearer " + honest},
				{User: "a", Cookies: map[string]string{"token": honest, trial.RouteCookie: "r1"}}} {
				forged, err := Forge(c)
				if err != nil {
					t.Fatal(err)
				}
				token := strings.TrimPrefix(forged.Header, "Bearer ") + forged.Cookies["token"]
				if token == honest || len(token) != len(honest) || token[:strings.LastIndex(token, ".")] != honest[:strings.LastIndex(honest, ".")] {
					t.Fatalf("%s was forged to %s", honest, token)
				}
				if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key.try, nil }); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
					t.Fatalf("%s: %v; want a well-formed token whose signature is wrong", token, err)
				}
				if forged.Cookies[trial.RouteCookie] != c.Cookies[trial.RouteCookie] || c.Cookies["token"] != "" && c.Cookies["token"] != honest {
					t.Fatalf("%v was forged to %v", c, forged)
				}
			}
		}
	}
}

func TestForgedIDs(t *testing.T) {
	seen := map[string]bool{}
	for n := 8; n < 300; n++ {
		id := make([]byte, n)
		rand.Read(id)
		honest := base64.RawURLEncoding.EncodeToString(id)
		forged, err := Forge(trial.Credential{Cookies: map[string]string{"session": honest, trial.ClientCookie: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		value := forged.Cookies["session"]
		b, err := base64.RawURLEncoding.Strict().DecodeString(value)
		if err != nil || len(b) != n || value == honest || seen[value] || forged.Cookies[trial.ClientCookie] != "x" {
			t.Fatalf("%q was forged to %q: %v", honest, value, err)
		}
		seen[value] = true
	}
	for _, bad := range []string{"", "short", "not base64 at all!!!", strings.Repeat("A", 10) + "B"} { // the last has bits to spare
		if _, err := Forge(trial.Credential{Header: "Bearer " + bad}); err == nil {
			t.Errorf("%q was forged", bad)
		}
	}
	if _, err := Forge(trial.Credential{Header: "AAAAAAAAAAAAAAAA"}); err == nil {
		t.Error("a header without a scheme was forged")
	}
}

// loggedIn is a site with one replica and users who have logged in there.
func loggedIn(t *testing.T, jwtLife time.Duration) trial.Target {
	t.Helper()
	s := newSite(t, 1)
	s.jwtLife = jwtLife
	target := trial.Target{URL: s.URL, CheckUser: true}
	for _, c := range credentials(5) {
		resp, err := http.Post(s.URL+"/login", "application/json",
			strings.NewReader(fmt.Sprintf(`{"username":%q,"password":"correct horse battery staple"}`, c.User)))
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Token string `json:"access_token"`
		}
		json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		got := trial.Credential{User: c.User, Cookies: map[string]string{}}
		if body.Token != "" {
			got.Header = "Bearer " + body.Token
		}
		for _, k := range resp.Cookies() {
			got.Cookies[k.Name] = k.Value
		}
		target.Credentials = append(target.Credentials, got)
	}
	return target
}

func TestPreparedCredentials(t *testing.T) {
	for _, c := range []struct {
		name    string
		jwtLife time.Duration // 0: sessions
		present trial.Present
		want    string
	}{
		{"a session", 0, trial.Valid, trial.Success},
		{"no session", 0, trial.Nobody, trial.Refused},
		{"a session after log-out", 0, trial.Revoked, trial.Refused},
		{"a token after log-out", time.Hour, trial.Revoked, trial.UnauthorizedSuccess},
		{"a token past its end", 2 * time.Second, trial.Expired, trial.Refused},
		{"no token", time.Hour, trial.Nobody, trial.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, err := Prepare(t.Context(), loggedIn(t, c.jwtLife), c.present, 20*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			stream := open("it", "GET /me", 100, 2)
			stream.Present = c.present
			r := runStep(t, generator(t), Step{Seconds: 0.1, Streams: map[string]Aim{"it": {target, stream}}})["it"]
			if r.Outcomes[c.want] != 10 || r.Completed != 10 {
				t.Errorf("outcomes %v, want 10 x %s; notes %q", r.Outcomes, c.want, r.Notes)
			}
			if _, err := Prepare(t.Context(), target, trial.Nobody, 0); (err == nil) != (c.present == trial.Valid) {
				t.Errorf("%s credentials turned into none: %v", c.present, err)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	lasting := loggedIn(t, 0)
	nobody := trial.Target{URL: lasting.URL,
		Credentials: []trial.Credential{{User: "control-arm", Cookies: map[string]string{trial.RouteCookie: "0"}}}}
	for _, c := range []struct {
		target      trial.Target
		present     trial.Present
		want        string
		unsupported bool
	}{
		{lasting, trial.Expired, "still works", true},
		{nobody, trial.Revoked, "presents nothing", true},
		{nobody, trial.Expired, "presents nothing", true},
		{nobody, trial.Forged, "presents nothing", true},
		{lasting, "stale", "unknown kind", false},
		{trial.Target{URL: "http://192.0.2.1"}, trial.Revoked, "not on this machine", false},
		{trial.Target{URL: "http://" + freeAddress(t), Credentials: credentials(1)}, trial.Revoked, "refused", false},
	} {
		_, err := Prepare(t.Context(), c.target, c.present, 100*time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, errors.ErrUnsupported) != c.unsupported {
			t.Errorf("%s: %v; want an error with %q", c.present, err, c.want)
		}
	}
}
