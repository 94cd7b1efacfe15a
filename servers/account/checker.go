package account

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// MinPassword is the shortest password that an account may be given, in
// characters. Log-in takes shorter ones, to refuse them as any wrong one.
const MinPassword = 8

// LimitedError says that too many log-ins of one name have failed.
type LimitedError struct{ RetryAfter time.Duration }

func (e *LimitedError) Error() string {
	return fmt.Sprintf("too many failed log-ins: try again in %v", e.RetryAfter.Round(time.Second))
}

// ErrChanging says that an account was changed by others, again and again,
// while it was to be changed.
var ErrChanging = errors.New("the account is being changed by somebody else")

// Checker checks passwords against the accounts of a store, and changes
// accounts.
type Checker struct {
	// Failures, if not nil, bounds the failed log-ins of one name. Set it before
	// use.
	Failures Failures

	store  Store
	hasher *Hasher
	decoy  string // to compare with where there is no account
}

// NewChecker returns a Checker.
func NewChecker(store Store, hasher *Hasher) *Checker {
	return &Checker{store: store, hasher: hasher, decoy: hasher.decoy()}
}

// Check returns the user that has this name and password. Otherwise its error
// wraps ErrBadCredentials; *LimitedError, when too many have failed; ErrBusy,
// when too many checks wait already; or it is a failure of the store. An unknown
// or disabled name costs one hash, just as a wrong password does, and counts as
// one, so that neither the time of an answer nor its text tells anything.
//
// client ends when whoever asks has left. That ends the wait for a hash and
// nothing else: a guess counts all the same, or guessing and hanging up would
// have no limit. So does one that left the queue before its hash.
func (c *Checker) Check(client context.Context, name, password string) (User, error) {
	ctx := context.WithoutCancel(client)
	if c.Failures != nil {
		wait, err := c.Failures.Wait(ctx, name)
		if err != nil {
			return User{}, fmt.Errorf("count failed log-ins: %w", err)
		}
		if wait > 0 {
			return User{}, &LimitedError{wait}
		}
	}
	u, found, err := c.store.Find(ctx, name)
	if err != nil {
		return User{}, fmt.Errorf("look up account: %w", err)
	}
	hash := u.Hash
	if !found {
		hash = c.decoy
	}
	match, err := c.hasher.Verify(client, hash, password)
	switch {
	case err == nil && found && match && !u.Disabled:
		return u, nil
	case err == nil:
		err = ErrBadCredentials
	case !errors.Is(err, client.Err()):
		return User{}, fmt.Errorf("check password: %w", err)
	}
	if c.Failures != nil {
		if err := c.Failures.Count(ctx, name); err != nil {
			return User{}, fmt.Errorf("count failed log-ins: %w", err)
		}
	}
	return User{}, err
}

// Unchanged gives ErrBadCredentials if u's account is not as Check returned it.
// Ask it once a credential has been issued: a password, role or log-out that was
// changed in between has ended the credentials that it knew of, and not this one.
func (c *Checker) Unchanged(ctx context.Context, u User) error {
	now, found, err := c.store.Find(ctx, u.Name)
	if err != nil {
		return fmt.Errorf("look up account: %w", err)
	}
	if !found || now != u {
		return ErrBadCredentials
	}
	return nil
}

// ChangePassword gives the account called name another password. Its errors
// are Check's; a wrong current password counts as a failed log-in. Once the
// current one is found right, the change goes on without the client.
func (c *Checker) ChangePassword(client context.Context, name, current, next string) error {
	u, err := c.Check(client, name, current)
	if err != nil {
		return err
	}
	ctx, changed := context.WithoutCancel(client), u
	if changed.Hash, err = c.hasher.Hash(ctx, next); err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	ok, err := c.store.Replace(ctx, u, changed)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	if !ok {
		return ErrChanging
	}
	return nil
}

// SetRole gives the account called name another role.
func (c *Checker) SetRole(ctx context.Context, name, role string) (found bool, err error) {
	return c.change(ctx, name, func(u *User) { u.Role = role })
}

// SetDisabled says whether the account called name may log in.
func (c *Checker) SetDisabled(ctx context.Context, name string, disabled bool) (found bool, err error) {
	return c.change(ctx, name, func(u *User) { u.Disabled = disabled })
}

// Exists says whether there is an account called name.
func (c *Checker) Exists(ctx context.Context, name string) (bool, error) {
	_, found, err := c.store.Find(ctx, name)
	return found, err
}

// changeTries bounds how often a change starts again because of another's.
const changeTries = 5

func (c *Checker) change(ctx context.Context, name string, edit func(*User)) (found bool, err error) {
	for range changeTries {
		u, found, err := c.store.Find(ctx, name)
		if err != nil || !found {
			return false, err
		}
		changed := u
		edit(&changed)
		if ok, err := c.store.Replace(ctx, u, changed); ok || err != nil {
			return true, err
		}
	}
	return true, ErrChanging
}

// CheckPassword says what is wrong with a password that an account is to be
// given, or nil.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return errors.New("password is not UTF-8")
	case n < MinPassword:
		return fmt.Errorf("password is shorter than %d characters", MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("password is longer than %d characters", MaxPassword)
	}
	return nil
}
