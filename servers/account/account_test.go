package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

// cheap keeps tests quick; what a hash costs changes nothing else.
var cheap = account.Params{MemoryKiB: 64, Passes: 1, Threads: 1}

// TestStores is the conformance suite of Store, over both implementations.
func TestStores(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) account.Store{
		"memory": func(*testing.T) account.Store { return account.NewMemory() },
		"postgres": func(t *testing.T) account.Store {
			db, err := store.OpenPostgres(t.Context(), storetest.Postgres(t).URL, store.Options{Timeout: 5 * time.Second, Pool: 4})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Pool.Close)
			p, err := account.NewPostgres(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
	} {
		t.Run(name, func(t *testing.T) { testStore(t, open(t)) })
	}
}

func testStore(t *testing.T, s account.Store) {
	ada := account.User{Name: "ada", Role: account.RoleUser, Hash: "h1"}
	bob := account.User{Name: `b'o"b; --`, Role: account.RoleAdmin, Hash: "h2"}
	if _, found, err := s.Find(t.Context(), "ada"); found || err != nil {
		t.Errorf("unknown name: found %v, error %v", found, err)
	}
	if n, err := s.Add(t.Context(), []account.User{ada, bob}); n != 2 || err != nil {
		t.Errorf("Add of two: %d, error %v", n, err)
	}
	for _, want := range []account.User{ada, bob} {
		if got, found, err := s.Find(t.Context(), want.Name); got != want || !found || err != nil {
			t.Errorf("Find: %+v, found %v, error %v; want %+v", got, found, err, want)
		}
	}
	other := account.User{Name: "ada", Role: account.RoleAdmin, Hash: "h3"}
	carol := account.User{Name: "carol", Role: account.RoleUser, Hash: "h4"}
	if n, err := s.Add(t.Context(), []account.User{other, carol}); n != 1 || err != nil {
		t.Errorf("Add of a taken and a free name: %d, error %v; want 1", n, err)
	}
	if got, _, _ := s.Find(t.Context(), "ada"); got != ada {
		t.Errorf("a taken name was replaced: %+v", got)
	}
	for _, step := range []struct {
		old, new account.User
		ok       bool
	}{
		{ada, account.User{Name: "ada", Role: account.RoleAdmin, Hash: "h5", Disabled: true}, true},
		{ada, account.User{Name: "ada", Role: account.RoleUser, Hash: "h6"}, false}, // it is not so any more
		{account.User{Name: "ada", Role: account.RoleAdmin, Hash: "h5", Disabled: true}, ada, true},
		{ada, account.User{Name: "bob", Role: account.RoleUser, Hash: "h6"}, false},
		{account.User{Name: "nobody"}, account.User{Name: "nobody"}, false},
	} {
		if ok, err := s.Replace(t.Context(), step.old, step.new); ok != step.ok || err != nil {
			t.Errorf("Replace %+v by %+v: %v, error %v; want %v", step.old, step.new, ok, err, step.ok)
		}
		if got, _, err := s.Find(t.Context(), "ada"); step.ok && (got != step.new || err != nil) {
			t.Errorf("after Replace: %+v, error %v; want %+v", got, err, step.new)
		}
	}
	if _, found, err := s.Find(t.Context(), "Ada"); found || err != nil {
		t.Errorf("a name in other case: found %v, error %v", found, err)
	}
	if err := account.Seed(t.Context(), s, account.NewHasher(cheap, 1, 0), 10_000); err != nil {
		t.Fatal(err)
	}
	if got, found, _ := s.Find(t.Context(), "user-009999"); !found || got.Role != account.RoleUser {
		t.Errorf("last seeded account: %+v, found %v", got, found)
	}
	if got, found, _ := s.Find(t.Context(), account.SeedAdmin); !found || got.Role != account.RoleAdmin {
		t.Errorf("seeded administrator: %+v, found %v", got, found)
	}
}

func TestCheck(t *testing.T) {
	hasher := account.NewHasher(cheap, 2, 8)
	long := strings.Repeat("pass word ü ", 5) + "1234" // 64 characters, 69 bytes
	hash, err := hasher.Hash(t.Context(), long)
	if err != nil {
		t.Fatal(err)
	}
	s := account.NewMemory()
	s.Add(t.Context(), []account.User{{Name: "ada", Role: account.RoleUser, Hash: hash}})
	c := account.NewChecker(s, hasher)
	if u, err := c.Check(t.Context(), "ada", long); err != nil || u.Name != "ada" || u.Role != account.RoleUser {
		t.Errorf("the right password: %+v, error %v", u, err)
	}
	for _, bad := range [][2]string{{"ada", long[:len(long)-1]}, {"ada", long + "x"}, {"ada", ""}, {"eve", long},
		{"eve", "nobody has this password"}} {
		if u, err := c.Check(t.Context(), bad[0], bad[1]); !errors.Is(err, account.ErrBadCredentials) || u != (account.User{}) {
			t.Errorf("Check(%q, %q): %+v, error %v; want ErrBadCredentials", bad[0], bad[1], u, err)
		}
	}
}

func TestCheckForm(t *testing.T) {
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"ada", strings.Repeat("p", 64), true},
		{"ada", strings.Repeat("ü", 128), true},
		{"ada", strings.Repeat("p", 129), false},
		{"", "p", false},
		{"ada", "", false},
		{strings.Repeat("n", 65), "p", false},
		{"a\x00da", "p", false},
		{"a\r\nda", "p", false},
		{"a\xffda", "p", false},
	} {
		if err := account.CheckForm(c.name, c.password); (err == nil) != c.ok {
			t.Errorf("CheckForm(%.20q, %d bytes): %v", c.name, len(c.password), err)
		}
	}
}

func TestHashes(t *testing.T) {
	h := account.NewHasher(cheap, 1, 0)
	a, err := h.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := h.Hash(t.Context(), "secret")
	if a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(a, "secret") {
		t.Errorf("hashes %q and %q: want two salts, the parameters, and no password", a, b)
	}
	// The parameters of a hash count, not those of the hasher that checks it.
	other := account.NewHasher(account.Params{MemoryKiB: 128, Passes: 2, Threads: 1}, 1, 0)
	if ok, err := other.Verify(t.Context(), a, "secret"); !ok || err != nil {
		t.Errorf("a hash of other parameters: %v, error %v", ok, err)
	}
	// A hash that the reference implementation of argon2 prints for "password"
	// with the salt "somesalt".
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := h.Verify(t.Context(), known, "password"); !ok || err != nil {
		t.Errorf("a known hash: %v, error %v", ok, err)
	}
	for _, bad := range []string{
		"", "secret", "$argon2i" + strings.TrimPrefix(a, "$argon2id"), strings.Replace(a, "v=19", "v=16", 1),
		strings.Replace(a, "m=64", "m=4294967295", 1), strings.Replace(a, "t=1", "t=0", 1), a + "$", a[:len(a)-40],
	} {
		if ok, err := h.Verify(t.Context(), bad, "secret"); ok || err == nil {
			t.Errorf("Verify(%q): %v, error %v; want an error", bad, ok, err)
		}
	}
}

// TestHasherIsBounded fills the one permit and the queue of one with hashes
// that take long enough to be seen there.
func TestHasherIsBounded(t *testing.T) {
	h := account.NewHasher(account.Params{MemoryKiB: 64 << 10, Passes: 20, Threads: 1}, 1, 1)
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, err := h.Hash(context.WithoutCancel(t.Context()), "secret")
			results <- err
		}()
	}
	busy := 0
	for range cap(results) {
		switch err := <-results; {
		case errors.Is(err, account.ErrBusy):
			busy++
		case err != nil:
			t.Error(err)
		}
	}
	if busy < 1 || busy > cap(results)-2 {
		t.Errorf("%d of %d refused; want some, and at least a permit's and a place's worth served", busy, cap(results))
	}
}
