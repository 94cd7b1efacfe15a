package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"authbench/servers/account"
	"authbench/servers/matrix"
	"authbench/servers/store/storetest"
)

func funcName(d ast.Decl) string {
	if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
		return f.Name.Name
	}
	return ""
}

// site is two replicas of one arm over shared accounts, as one cell of the
// matrix wants them.
type site struct {
	*testing.T
	arm, cell string
	flags     []string
	r         []*replica
	postgres  string // URL of a database of its own
	redis     string // URL of a Redis of its own; "" where it keeps nothing there
}

// databases numbers them.
var databases atomic.Int64

// shortLife is the lifetime where a test waits for a bound.
const shortLife = 2 * time.Second

// eachCell runs a check over every arm whose cell in the matrix says that it
// holds there.
func eachCell(t *testing.T, id string, check func(t *testing.T, arm, cell string)) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "Test"+id+"_") {
		t.Fatalf("%s tests %s: its name must say so", t.Name(), id)
	}
	for _, r := range readMatrix(t) {
		for _, arm := range matrix.Arms() {
			if r.ID == id && r.Holds(arm) {
				t.Run(arm, func(t *testing.T) {
					ran.Store(id+" "+arm, true)
					check(t, arm, r.Cells[arm])
				})
			}
		}
	}
}

// eachArm runs a check over every such arm's replicas side by side, with the flags
// given besides. Where it is bounded credentials live for shortLife.
func eachArm(t *testing.T, id string, check func(s *site), flags ...string) {
	t.Helper()
	eachCell(t, id, func(t *testing.T, arm, cell string) {
		t.Parallel()
		check(newSite(t, arm, cell, flags...))
	})
}

func kindNamed(t *testing.T, arm string) kind {
	t.Helper()
	for _, k := range kinds() {
		if k.name == arm {
			return k
		}
	}
	t.Fatalf("no arm %s in arms.go", arm)
	return kind{}
}

// flagsOf choose an arm, and name a Redis of its own where it has one.
func flagsOf(t *testing.T, k kind) []string {
	t.Helper()
	if !slices.Contains(k.stores, "redis") {
		return k.args()
	}
	return append(k.args(), "-redis", storetest.Redis(t).URL, "-store-timeout", "10s")
}

// alg is the algorithm that an arm signs by.
func alg(t *testing.T, arm string) string { return kindNamed(t, arm).flags["alg"] }

// keepsIn says whether the arm's credentials are kept in a store.
func (s *site) keepsIn(store string) bool {
	return slices.Contains(kindNamed(s.T, s.arm).stores, store)
}

// newSite starts the replicas.
func newSite(t *testing.T, arm, cell string, flags ...string) *site {
	t.Helper()
	skipShort(t)
	s := &site{T: t, arm: arm, cell: cell}
	s.postgres = sharedPostgres().Database(fmt.Sprintf("site_%d", databases.Add(1)))
	k := kindNamed(t, arm)
	s.flags = append(k.args(), "-keys", t.TempDir(), "-store-timeout", "10s", "-accounts", "postgres", "-postgres", s.postgres, "-pool", "4")
	if s.keepsIn("redis") {
		s.redis = storetest.Redis(t).URL
		s.flags = append(s.flags, "-redis", s.redis)
	}
	if cell == bounded {
		s.flags = append(s.flags, "-lifetime", shortLife.String())
	}
	s.flags = append(s.flags, flags...)
	for i := range 2 {
		if i == 0 || cell != oneReplica && k.scope != oneKnows {
			s.r = append(s.r, start(t, append(slices.Clone(s.flags), "-replica", fmt.Sprint("r", i+1))...))
		}
	}
	return s
}

func (s *site) redisClient() *redis.Client {
	s.Helper()
	options, err := redis.ParseURL(s.redis)
	if err != nil {
		s.Fatal(err)
	}
	client := redis.NewClient(options)
	s.Cleanup(func() { client.Close() })
	return client
}

// other is a replica that did not issue the credential, where there is one that
// could know it.
func (s *site) other() *replica { return s.r[len(s.r)-1] }

func (s *site) login(user string) held { s.Helper(); return s.r[0].mustLogin(user) }

// wantLive wants a credential good on every replica.
func (s *site) wantLive(what string, h held) {
	s.Helper()
	for _, r := range s.r {
		wantStatus(s.T, what, r.me(h), http.StatusOK)
	}
}

// wantEnded wants a credential refused on every replica: at once, or after the
// bound that the answer a and /config declare.
func (s *site) wantEnded(what string, a answer, h held) {
	s.Helper()
	if a.StatusCode != http.StatusNoContent && a.StatusCode != http.StatusOK {
		s.Fatalf("%s: status %d, %s", what, a.StatusCode, a.body)
	}
	if s.cell != bounded {
		if a.Header.Get("X-Revocation-Bound") != "" {
			s.Errorf("%s: X-Revocation-Bound %q where credentials end at once", what, a.Header.Get("X-Revocation-Bound"))
		}
		for _, r := range s.r {
			wantStatus(s.T, what, r.me(h), http.StatusUnauthorized)
		}
		return
	}
	if a.StatusCode == http.StatusNoContent { // a log-in has no bound to declare
		if n, err := strconv.Atoi(a.Header.Get("X-Revocation-Bound")); err != nil || n < 0 || n > int(shortLife/time.Second) {
			s.Errorf("%s: X-Revocation-Bound %q, want seconds up to %v", what, a.Header.Get("X-Revocation-Bound"), shortLife)
		}
	}
	if c := s.r[0].config(); c.RevocationBound != shortLife.String() || c.RevocationScope != "none" {
		s.Errorf("/config: bound %q, scope %q; want %v, none", c.RevocationBound, c.RevocationScope, shortLife)
	}
	for _, r := range s.r {
		eventually(s.T, what+": refused after the bound", func() bool { return r.me(h).StatusCode == http.StatusUnauthorized })
	}
}

// send sends a JSON body to the last replica.
func (s *site) send(method, path, body string, h held) answer {
	s.Helper()
	r := s.other()
	return r.do(method, r.Listen+path, body, h)
}

// loginAs logs in with a password of the test's own.
func (s *site) loginAs(r *replica, user, password string) answer {
	s.Helper()
	body, _ := json.Marshal(map[string]string{"username": user, "password": password})
	return r.do("POST", r.Listen+"/login", string(body), held{})
}

// setPassword changes a password, and returns the answer.
func (s *site) setPassword(h held, current, next string) answer {
	s.Helper()
	body, _ := json.Marshal(map[string]string{"current_password": current, "new_password": next})
	return s.send("POST", "/password", string(body), h)
}

const (
	ada      = "user-000001"
	bob      = "user-000002"
	password = account.SeedPassword
)
