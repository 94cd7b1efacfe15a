package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"authbench/servers/auth"
)

// cluster is replicas that share a key folder and a clock, which starts at the
// real time since a folder's own dates are of that.
type cluster struct {
	t        *testing.T
	folder   Folder
	clock    *clock
	replicas []*Authenticator
}

func newCluster(t *testing.T, alg string, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, folder: Folder{t.TempDir(), alg}, clock: &clock{now: time.Now()}}
	if err := GenerateKeys(c.folder.Dir, alg); err != nil {
		t.Fatal(err)
	}
	for range n {
		c.replicas = append(c.replicas, c.start())
	}
	return c
}

// start is what a replica does when it starts.
func (c *cluster) start() *Authenticator {
	c.t.Helper()
	ks, err := LoadKeys(c.folder.Dir, c.folder.Alg)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := New(ks, Config{Issuer: testIssuer, Audience: testAudience, Lifetime: testLifetime, Now: c.clock.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// eachReloads lets one replica after another read the folder, and does check
// before, between and after.
func (c *cluster) eachReloads(check func()) {
	c.t.Helper()
	check()
	for _, a := range c.replicas {
		if err := a.reload(c.folder); err != nil {
			c.t.Error(err)
		}
		check()
	}
}

// everywhere checks that what any replica issues, every replica accepts, and so
// every token of before, and returns one more of them.
func (c *cluster) everywhere(before []auth.Credential) []auth.Credential {
	c.t.Helper()
	for _, a := range c.replicas {
		before = append(before, issue(c.t, a, "alice"))
	}
	for _, a := range c.replicas {
		for _, token := range before {
			accepted(c.t, a, token)
		}
	}
	return before[:len(before)-len(c.replicas)+1]
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Life and settling time of the tests; settling is seen to, not waited for.
var testTiming = Timing{Settle: 0, Life: testLifetime}

func TestJ12_RotationRefusesNoValidToken(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			c := newCluster(t, alg, 3)
			old := c.replicas[0].set().signing
			var tokens []auth.Credential
			check := func() { tokens = c.everywhere(tokens) }
			kid, err := c.folder.Stage()
			c.must(err)
			c.eachReloads(check)
			if got := c.replicas[0].set(); got.signing.id != old.id || got.byID[kid] == nil {
				t.Errorf("a staged key: signs by %s, knows it: %v", got.signing.id, got.byID[kid] != nil)
			}
			c.must(c.folder.Promote(kid, testTiming))
			c.eachReloads(check)
			c.replicas = append(c.replicas, c.start()) // one that starts now knows them all as well
			check()
			for _, a := range c.replicas {
				if got := a.set().signing; got.id != kid || got.end != 0 {
					t.Errorf("signs by %s until %d, want %s", got.id, got.end, kid)
				}
			}
			c.oldKeyEnds(old, tokens)
		})
	}
}

// oldKeyEnds checks that the old key verifies until its last token expires and
// then never, whether or not its file is still there.
func (c *cluster) oldKeyEnds(old *key, tokens []auth.Credential) {
	c.t.Helper()
	byOld := func() auth.Credential { return forge(c.t, old, goodHeader(old), goodPayload(c.clock)) }
	c.clock.Advance(testLifetime - 2*time.Second)
	accepted(c.t, c.replicas[0], tokens[0])
	accepted(c.t, c.replicas[0], byOld())
	c.clock.Advance(5 * time.Second)
	for _, a := range c.replicas {
		refused(c.t, a, tokens[0], errKey)
		refused(c.t, a, byOld(), errKey) // a thief's, which says that it is fresh
		accepted(c.t, a, issue(c.t, a, "alice"))
		c.must(a.reload(c.folder))
		refused(c.t, a, byOld(), errKey)
		accepted(c.t, a, issue(c.t, a, "alice"))
		if strings.Contains(string(a.JWKS()), old.id) {
			c.t.Errorf("the JWKS still holds the old key: %s", a.JWKS())
		}
	}
	if n, err := c.folder.Retire(c.clock.Now()); n != 1 || err != nil {
		c.t.Errorf("retired %d keys, %v; want 1", n, err)
	}
	refused(c.t, c.start(), byOld(), errKey)
}

// Replicas that read by themselves, and a rotation again and again beside them.
func TestJ12_RotationUnderTraffic(t *testing.T) {
	c := newCluster(t, "ES256", 3)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	for _, a := range c.replicas {
		go func() {
			a.Follow(ctx, c.folder, time.Millisecond, func(err error) { t.Error(err) })
			ended <- struct{}{}
		}()
	}
	// all polls until every replica has done what it must, under traffic.
	all := func(what string, done func(*KeySet) bool) {
		deadline := time.Now().Add(30 * time.Second)
		for n := 0; n < len(c.replicas); {
			c.everywhere(nil)
			n = 0
			for _, a := range c.replicas {
				if done(a.set()) {
					n++
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("not within 30 s: every replica %s", what)
			}
		}
	}
	for range 10 {
		kid, err := c.folder.Stage()
		c.must(err)
		all("knows "+kid, func(ks *KeySet) bool { return ks.byID[kid] != nil })
		c.must(c.folder.Promote(kid, testTiming))
		all("signs by "+kid, func(ks *KeySet) bool { return ks.signing.id == kid })
	}
	stop()
	for range c.replicas {
		<-ended
	}
}

// Whoever reads while keys are staged and promoted finds the key that signed
// when it began, and the one that signs when it ends.
func TestJ12_ReadingNeverMissesAKey(t *testing.T) {
	f := Folder{t.TempDir(), "HS256"}
	if err := GenerateKeys(f.Dir, f.Alg); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for range 200 {
			kid, err := f.Stage()
			if err == nil {
				err = f.Promote(kid, testTiming)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	seen := map[string]bool{}
	for last := ""; ; {
		ks, err := f.load(time.Now())
		if ks == nil || err != nil || ks.signing == nil {
			t.Fatalf("read: %v", err)
		}
		if last != "" && ks.byID[last] == nil {
			t.Fatalf("key %s signed and is not there any more", last)
		}
		last = ks.signing.id
		seen[last] = true
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d keys seen to sign", len(seen))
			return
		default:
		}
	}
}

func TestJ12_ANewKeyWaitsUntilItHasSettled(t *testing.T) {
	c := newCluster(t, "EdDSA", 1)
	kid, err := c.folder.Stage()
	c.must(err)
	early := Timing{Settle: time.Hour, Life: testLifetime}
	if err := c.folder.Promote(kid, early); err == nil || !strings.Contains(err.Error(), "1h0m0s") {
		t.Errorf("promoted at once: %v", err)
	}
	c.eachReloads(func() {
		if c.replicas[0].set().signing.id == kid {
			t.Error("signs by a key that has not settled")
		}
	})
	if err := c.folder.Promote("nobody's", testTiming); err == nil || !strings.Contains(err.Error(), "stage it first") {
		t.Errorf("promoted an unknown key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.folder.Rotate(ctx, early); !errors.Is(err, context.Canceled) {
		t.Errorf("rotate without time: %v", err)
	}
	if kid, err = c.folder.Rotate(t.Context(), Timing{Settle: 10 * time.Millisecond, Life: testLifetime}); err != nil ||
		c.start().set().signing.id != kid {
		t.Errorf("rotate: %v", err)
	}
}

// A key whose time is over cannot be made to sign again.
func TestJ12_AnEndingKeyIsNotPromoted(t *testing.T) {
	c := newCluster(t, "HS256", 1)
	old := c.replicas[0].set().signing.id
	kid, err := c.folder.Stage()
	c.must(err)
	c.must(c.folder.Promote(kid, testTiming))
	c.must(c.folder.Promote(kid, testTiming)) // again: nothing changes
	if err := c.folder.Promote(old, testTiming); err == nil {
		t.Error("the old key signs again")
	}
	ks, err := c.folder.load(time.Now())
	if err != nil || ks.signing.id != kid || ks.signing.end != 0 || ks.byID[old].end == 0 {
		t.Errorf("after promoting twice: %v", err)
	}
}

// A promotion that was cut off half way changes nothing for tokens, and can be
// taken up again.
func TestJ12_HalfAPromotionIsHarmless(t *testing.T) {
	c := newCluster(t, "ES256", 2)
	old := c.replicas[0].set().signing
	kid, err := c.folder.Stage()
	c.must(err)
	files, err := c.folder.read(time.Now())
	c.must(err)
	c.must(c.folder.limit(files, old.id, time.Now().Add(time.Minute)))
	c.eachReloads(func() { c.everywhere(nil) })
	c.clock.Advance(time.Hour)
	c.eachReloads(func() { c.everywhere(nil) })
	c.clock.Advance(-time.Hour)
	c.must(c.folder.Promote(kid, testTiming))
	c.eachReloads(func() { c.everywhere(nil) })
	if ks := c.start().set(); ks.signing.id != kid || ks.byID[old.id] == nil || ks.byID[old.id].end < time.Now().Add(testLifetime).Unix() {
		t.Error("the promotion was not taken up")
	}
}

func TestJ12_RemovalIsImmediate(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			c := newCluster(t, alg, 2)
			for _, staged := range []bool{false, true} { // whether there is a successor
				stolen := c.replicas[0].set().signing
				tokens := c.everywhere(nil)
				want := ""
				if staged {
					kid, err := c.folder.Stage()
					c.must(err)
					c.eachReloads(func() {})
					want = kid
				}
				// No broken file in the folder keeps a stolen key alive.
				broken := filepath.Join(c.folder.Dir, alg+"-broken.key")
				c.must(os.WriteFile(broken, []byte("?"), 0o600))
				c.must(c.folder.Remove(stolen.id))
				for _, a := range c.replicas {
					if err := a.reload(c.folder); err == nil || !strings.Contains(err.Error(), broken) {
						t.Errorf("a broken file: %v", err)
					}
					refused(t, a, tokens[0], errKey)
					refused(t, a, forge(t, stolen, goodHeader(stolen), goodPayload(c.clock)), errKey)
					if strings.Contains(string(a.JWKS()), stolen.id) {
						t.Error("the JWKS holds a removed key")
					}
					if staged && a.set().signing.id != want {
						t.Errorf("signs by %s, want the staged key %s", a.set().signing.id, want)
					}
				}
				c.everywhere(nil)
				c.must(os.Remove(broken))
			}
			if err := c.folder.Remove("nobody's"); err == nil {
				t.Error("removed an unknown key")
			}
			// A key that only verifies goes without a change of what signs.
			signing := c.replicas[0].set().signing.id
			kid, err := c.folder.Stage()
			c.must(err)
			c.must(c.folder.Remove(kid))
			if ks := c.start().set(); ks.signing.id != signing || len(ks.byID) != 1 {
				t.Errorf("after removing a staged key: signs by %s of %d", ks.signing.id, len(ks.byID))
			}
		})
	}
}

// What a hand in the folder can do wrong is said and does no more harm than it must.
func TestJ12_ReloadKeepsWhatIsGood(t *testing.T) {
	c := newCluster(t, "HS256", 1)
	a := c.replicas[0]
	token := issue(t, a, "alice")
	file := func(name string) string { return filepath.Join(c.folder.Dir, name) }
	for name, text := range map[string]string{"HS256-x.key": "AAAA", "HS256-x.until-tomorrow.key": "AAAA"} {
		c.must(os.WriteFile(file(name), []byte(text), 0o600))
		if err := a.reload(c.folder); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := LoadKeys(c.folder.Dir, "HS256"); err == nil {
			t.Errorf("%s: a replica starts with it", name)
		}
		accepted(t, a, token)
		accepted(t, a, issue(t, a, "alice"))
		c.must(os.Remove(file(name)))
	}
	// Without the folder nothing changes; without the signing key nothing is issued.
	if err := a.reload(Folder{file("nowhere"), "HS256"}); err == nil {
		t.Error("no folder: no error")
	}
	accepted(t, a, issue(t, a, "alice"))
	c.must(os.Rename(file("HS256.key"), file("HS256-moved.key")))
	if err := a.reload(c.folder); err == nil || !strings.Contains(err.Error(), "generate one") {
		t.Errorf("no signing key: %v", err)
	}
	accepted(t, a, token)
	if _, _, err := a.Issue(t.Context(), auth.Principal{Subject: "alice", Role: "user"}); err == nil ||
		errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("issued without a key: %v", err)
	}
	c.must(os.Rename(file("HS256-moved.key"), file("HS256.key")))
	c.must(a.reload(c.folder))
	accepted(t, a, issue(t, a, "alice"))
	same := a.set()
	c.must(a.reload(c.folder))
	if a.set() != same {
		t.Error("read the same files and made another set of them")
	}
}

// stranger fetches a JWKS and verifies by golang-jwt and by nothing else that
// this package knows.
func stranger(t *testing.T, url, token string) error {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	number := func(s string) *big.Int {
		b, err := jwt.NewParser().DecodeSegment(s)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	_, err = jwt.Parse(token, func(tok *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k["kid"] != tok.Header["kid"] || k["alg"] != tok.Method.Alg() {
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
		return nil, fmt.Errorf("no such key among %d", len(set.Keys))
	}, jwt.WithIssuer(testIssuer), jwt.WithAudience(testAudience), jwt.WithExpirationRequired())
	return err
}

func TestJ12_AStrangerVerifiesByTheJWKS(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			c := newCluster(t, alg, 2)
			one, two := c.replicas[0], c.replicas[1]
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(two.JWKS()) }))
			defer srv.Close()
			if alg == "HS256" {
				if string(two.JWKS()) != `{"keys":[]}` {
					t.Errorf("a secret's JWKS: %s", two.JWKS())
				}
				return
			}
			before := string(issue(t, one, "alice"))
			kid, err := c.folder.Stage()
			c.must(err)
			c.must(two.reload(c.folder))
			c.must(c.folder.Promote(kid, testTiming))
			c.must(one.reload(c.folder))
			after := string(issue(t, one, "alice"))
			for what, token := range map[string]string{"before": before, "after": after} {
				if err := stranger(t, srv.URL, token); err != nil {
					t.Errorf("a token of %s the rotation: %v", what, err)
				}
				if err := stranger(t, srv.URL, token[:len(token)-4]+"AAAA"); err == nil {
					t.Error("a forged token passes: this stranger checks nothing")
				}
			}
			c.must(c.folder.Remove(one.set().signing.id))
			c.must(two.reload(c.folder))
			if err := stranger(t, srv.URL, after); err == nil {
				t.Error("a removed key verifies")
			}
		})
	}
}
