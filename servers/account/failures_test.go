package account_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"authbench/servers/account"
	"authbench/servers/store"
	"authbench/servers/store/storetest"
)

// TestFailures is the conformance suite of Failures, over all implementations.
func TestFailures(t *testing.T) {
	limits := store.Options{Timeout: 5 * time.Second, Pool: 4}
	limit := account.Limit{Failures: 3, Window: time.Hour}
	for name, open := range map[string]func(t *testing.T) account.Failures{
		"memory": func(*testing.T) account.Failures { return account.NewMemoryFailures(limit, time.Now) },
		"redis": func(t *testing.T) account.Failures {
			client, err := store.OpenRedis(storetest.Redis(t).URL, limits)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			return account.NewRedisFailures(client, limits.Timeout, limit)
		},
		"postgres": func(t *testing.T) account.Failures {
			db, err := store.OpenPostgres(t.Context(), storetest.Postgres(t).URL, limits)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Pool.Close)
			postgres, err := account.NewPostgresFailures(t.Context(), db, limit)
			if err != nil {
				t.Fatal(err)
			}
			return postgres
		},
	} {
		t.Run(name, func(t *testing.T) { testFailures(t, open(t)) })
	}
}

func testFailures(t *testing.T, f account.Failures) {
	wait := func(name string) time.Duration {
		d, err := f.Wait(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for i := range 3 {
		if d := wait("ada"); d != 0 {
			t.Errorf("after %d of 3 failures: wait %v", i, d)
		}
		if err := f.Count(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if d := wait("ada"); d <= 59*time.Minute || d > time.Hour {
		t.Errorf("after 3 of 3 failures: wait %v, want the hour that they opened", d)
	}
	if d := wait("eve"); d != 0 {
		t.Errorf("somebody else: wait %v", d)
	}
	var all sync.WaitGroup
	for range 3 { // at once: none is lost
		all.Go(func() {
			if err := f.Count(t.Context(), "bob\x00'\"\xff"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d := wait("bob\x00'\"\xff"); d == 0 {
		t.Error("three failures at once: one was lost")
	}
}

func TestFailuresWindowEnds(t *testing.T) {
	now := time.Unix(1e9, 0)
	f := account.NewMemoryFailures(account.Limit{Failures: 1, Window: time.Minute}, func() time.Time { return now })
	f.Count(t.Context(), "ada")
	now = now.Add(time.Minute)
	if d, _ := f.Wait(t.Context(), "ada"); d != 0 {
		t.Errorf("after the window: wait %v", d)
	}
	f.Count(t.Context(), "ada")
	if d, _ := f.Wait(t.Context(), "ada"); d != time.Minute {
		t.Errorf("in a new window: wait %v", d)
	}
}

func TestChecker(t *testing.T) {
	hasher := account.NewHasher(cheap, 2, 8)
	s := account.NewMemory()
	if err := account.Seed(t.Context(), s, hasher, 1); err != nil {
		t.Fatal(err)
	}
	c := account.NewChecker(s, hasher)
	const name, next = "user-000000", "another long password"
	u, err := c.Check(t.Context(), name, account.SeedPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Unchanged(t.Context(), u); err != nil {
		t.Errorf("Unchanged: %v", err)
	}
	if err := c.ChangePassword(t.Context(), name, "wrong", next); !errors.Is(err, account.ErrBadCredentials) {
		t.Errorf("ChangePassword with a wrong one: %v", err)
	}
	if err := c.ChangePassword(t.Context(), name, account.SeedPassword, next); err != nil {
		t.Errorf("ChangePassword: %v", err)
	}
	if err := c.Unchanged(t.Context(), u); !errors.Is(err, account.ErrBadCredentials) {
		t.Errorf("Unchanged after a change: %v", err)
	}
	if _, err := c.Check(t.Context(), name, account.SeedPassword); !errors.Is(err, account.ErrBadCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if found, err := c.SetDisabled(t.Context(), name, true); !found || err != nil {
		t.Errorf("SetDisabled: found %v, error %v", found, err)
	}
	if _, err := c.Check(t.Context(), name, next); !errors.Is(err, account.ErrBadCredentials) {
		t.Errorf("a disabled account: %v", err)
	}
	c.SetDisabled(t.Context(), name, false)
	c.SetRole(t.Context(), name, account.RoleAdmin)
	if u, err := c.Check(t.Context(), name, next); err != nil || u.Role != account.RoleAdmin {
		t.Errorf("enabled again and promoted: %+v, error %v", u, err)
	}
	if found, err := c.SetRole(t.Context(), "nobody", account.RoleAdmin); found || err != nil {
		t.Errorf("SetRole of nobody: found %v, error %v", found, err)
	}
	c.Failures = account.NewMemoryFailures(account.Limit{Failures: 2, Window: time.Hour}, time.Now)
	var limited *account.LimitedError
	for _, name := range []string{name, "nobody"} {
		for range 2 {
			c.Check(t.Context(), name, "wrong")
		}
		if _, err := c.Check(t.Context(), name, next); !errors.As(err, &limited) || limited.RetryAfter <= 0 {
			t.Errorf("%s after two failures: error %v, want *LimitedError", name, err)
		}
	}
}
