package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/token"
)

// keyIDs are the kids that a replica's JWKS holds.
func (r *replica) keyIDs() (ids []string) {
	for _, k := range r.jwks() {
		ids = append(ids, k["kid"])
	}
	return ids
}

func (r *replica) jwks() []map[string]string {
	r.t.Helper()
	var set struct{ Keys []map[string]string }
	a := r.do("GET", r.Listen+"/.well-known/jwks.json", "", held{})
	if err := json.Unmarshal([]byte(a.body), &set); err != nil {
		r.t.Fatalf("JWKS: %v in %s", err, a.body)
	}
	return set.Keys
}

// signsBy is the kid of a token that the replica issues now.
func (r *replica) signsBy() string {
	r.t.Helper()
	return kidOf(r.t, r.mustLogin("user-000001"))
}

func kidOf(t *testing.T, h held) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(h.bearer, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	kid, _ := parsed.Header["kid"].(string)
	return kid
}

// TestJ12_RotationBehindTraffic rotates keys under three replicas that serve all
// the while: no valid token is refused by any of them, the old key ends with its
// last token, and a removed one at the next reading of the folder.
func TestJ12_RotationBehindTraffic(t *testing.T) {
	eachCell(t, "J12", func(t *testing.T, arm, _ string) { rotate(t, arm) })
}

func rotate(t *testing.T, arm string) {
	t.Parallel() // it waits
	keys, alg := t.TempDir(), alg(t, arm)
	flags := append(flagsOf(t, kindNamed(t, arm)), "-keys", keys)
	const life = 6 * time.Second
	var replicas []*replica
	for _, name := range []string{"r1", "r2", "r3"} {
		replicas = append(replicas, start(t, append(flags, "-keys-poll", "20ms", "-lifetime", life.String(), "-replica", name)...))
	}
	if got := replicas[0].config().KeysPoll; got != "20ms" {
		t.Errorf("/config says keys_poll %q", got)
	}
	every := func(what string, ok func(*replica) bool) {
		t.Helper()
		for _, r := range replicas {
			eventually(t, what, func() bool { return ok(r) })
		}
	}
	f := token.Folder{Dir: keys, Alg: alg}
	timing := token.Timing{Life: life}
	old := newForger(t, keys, alg, replicas[0].mustLogin("user-000002").bearer)

	stop := traffic(t, replicas)
	last := old.kid()
	for range 3 {
		kid, err := f.Stage()
		if err != nil {
			t.Fatal(err)
		}
		staged := old.by(kid, filepath.Join(keys, alg+"-"+kid+".key"))
		every("verifies by the staged key", func(r *replica) bool { return r.me(held{bearer: staged.fresh()}).StatusCode == http.StatusOK })
		if listed := strings.Contains(fmt.Sprint(replicas[0].keyIDs()), kid); listed != (alg != "HS256") {
			t.Errorf("the staged key is in the JWKS: %v", listed)
		}
		if err := f.Promote(kid, timing); err != nil {
			t.Fatal(err)
		}
		every("signs by the new key", func(r *replica) bool { return r.signsBy() == kid })
		last = kid
	}
	stop()

	// The old key ends, also for one who has kept it.
	every("the first key is gone", func(r *replica) bool {
		return !strings.Contains(fmt.Sprint(r.keyIDs()), old.kid()) && r.me(held{bearer: old.fresh()}).StatusCode == http.StatusUnauthorized
	})
	// A removed key ends at once, and another signs.
	leaked := newForger(t, keys, alg, replicas[0].mustLogin("user-000003").bearer)
	wantStatus(t, "before the removal", replicas[1].me(held{bearer: leaked.fresh()}), http.StatusOK)
	if err := f.Remove(last); err != nil {
		t.Fatal(err)
	}
	every("the removed key is gone", func(r *replica) bool {
		return r.me(held{bearer: leaked.fresh()}).StatusCode == http.StatusUnauthorized
	})
	every("another key signs", func(r *replica) bool { return r.signsBy() != last })
	wantStatus(t, "after the removal", replicas[2].me(replicas[0].mustLogin("user-000003")), http.StatusOK)
}

// TestJ12_KeysAreFollowedWhileDraining removes the key that signs while a replica
// waits for its last request: that one's token is by the key of then, else the
// user would be refused by every replica that stays.
func TestJ12_KeysAreFollowedWhileDraining(t *testing.T) {
	keys := t.TempDir()
	flags := []string{"-auth", "jwt", "-alg", "ES256", "-keys", keys, "-keys-poll", "20ms", "-drain", "30s"}
	leaving, staying := start(t, flags...), start(t, flags...)
	removed := leaving.signsBy()
	finish := beginLogIn(t, leaving)
	leaving.stop()
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", leaving.Listen)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if err := (token.Folder{Dir: keys, Alg: "ES256"}).Remove(removed); err != nil {
		t.Fatal(err)
	}
	// The private listener stays until the end, so there a draining replica can
	// still be asked for a token.
	eventually(t, "the draining replica signs by another key", func() bool {
		return kidOf(t, leaving.mint(`{"users":1}`)[0].held()) != removed
	})
	eventually(t, "the other replica refuses the removed key", func() bool { return staying.signsBy() != removed })
	var got struct {
		AccessToken string `json:"access_token"`
	}
	decode(t, finish().body, &got)
	wantMe(t, staying.me(held{bearer: got.AccessToken}), "user-000001", "user", "r1")
}

// fresh is an honest token as of now.
func (f *forger) fresh() string {
	var c struct{ Iat, Exp int64 }
	if err := json.Unmarshal([]byte(f.payload), &c); err != nil {
		f.t.Fatal(err)
	}
	now := time.Now().Unix()
	p := f.with(f.payload, fmt.Sprintf(`"iat":%d`, c.Iat), fmt.Sprintf(`"iat":%d`, now))
	return f.signed(f.header, f.with(p, fmt.Sprintf(`"exp":%d`, c.Exp), fmt.Sprintf(`"exp":%d`, now+c.Exp-c.Iat)))
}

// traffic logs in at one replica after another and shows each token to all of
// them, until stop, which waits for it to end and wants some to have been shown.
func traffic(t *testing.T, replicas []*replica) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var shown atomic.Int64
	for i := range replicas {
		all.Go(func() {
			for ctx.Err() == nil {
				h := replicas[i].mustLogin("user-000001")
				for _, r := range replicas {
					wantStatus(t, "a token just issued", r.me(h), http.StatusOK)
					shown.Add(1)
				}
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
		if shown.Load() == 0 {
			t.Error("no traffic")
		}
		t.Logf("%d requests", shown.Load())
	}
}

// TestJ12_AStrangerVerifiesByTheJWKS: golang-jwt, and public keys fetched over
// HTTP from another replica, verify what a replica issues.
func TestJ12_AStrangerVerifiesByTheJWKS(t *testing.T) {
	keys := t.TempDir()
	for _, alg := range token.Algorithms() {
		r1 := start(t, "-auth", "jwt", "-keys", keys, "-alg", alg)
		r2 := start(t, "-auth", "jwt", "-keys", keys, "-alg", alg)
		bearer := r1.mustLogin("user-000001").bearer
		fetched := r2.jwks()
		if alg == "HS256" {
			if len(fetched) != 0 {
				t.Errorf("HS256 publishes %d keys", len(fetched))
			}
			continue
		}
		var c struct {
			jwt.RegisteredClaims
			Role string `json:"role"`
		}
		_, err := jwt.ParseWithClaims(bearer, &c, func(tok *jwt.Token) (any, error) { return publicKey(t, fetched, tok) },
			jwt.WithValidMethods([]string{alg}), jwt.WithIssuer("authbench"), jwt.WithAudience("authbench"), jwt.WithExpirationRequired())
		if err != nil || c.Subject != "user-000001" || c.Role != "user" {
			t.Errorf("%s: %v, %+v", alg, err, c)
		}
		for _, k := range fetched {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				if k[private] != "" {
					t.Errorf("%s: the JWKS holds %s", alg, private)
				}
			}
		}
	}
}

// publicKey is the key that a token names, among those of a JWKS.
func publicKey(t *testing.T, set []map[string]string, tok *jwt.Token) (any, error) {
	t.Helper()
	number := func(s string) *big.Int {
		b, err := jwt.NewParser().DecodeSegment(s)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	for _, k := range set {
		if k["kid"] != tok.Header["kid"] || k["alg"] != tok.Method.Alg() || k["use"] != "sig" {
			continue
		}
		switch k["kty"] {
		case "RSA":
			return &rsa.PublicKey{N: number(k["n"]), E: int(number(k["e"]).Int64())}, nil
		case "EC":
			point := make([]byte, 65)
			point[0] = 4 // uncompressed
			number(k["x"]).FillBytes(point[1:33])
			number(k["y"]).FillBytes(point[33:])
			return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		case "OKP":
			return ed25519.PublicKey(number(k["x"]).FillBytes(make([]byte, 32))), nil
		}
	}
	return nil, fmt.Errorf("no such key among %d", len(set))
}
