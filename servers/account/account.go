// Package account knows who may log in: names, roles and password hashes.
//
// In come a name and a password; out goes the [User] they belong to, or
// [ErrBadCredentials], which says neither whether the name exists nor which of
// the two was wrong. It is asked at log-in and by the routes that change an
// account: any other authenticated request is answered from its principal alone,
// in every arm. A [Failures] bounds how often somebody may guess.
package account

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrBadCredentials says that no account has this name and password.
var ErrBadCredentials = errors.New("unknown user or wrong password")

// MaxPassword is the longest password accepted, in characters. NIST 800-63B
// asks for at least 64; the bound keeps hashing cheap for whoever sends more.
const MaxPassword = 128

// MaxName is the longest account name accepted, in bytes.
const MaxName = 64

// The two roles.
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// User is one account.
type User struct {
	Name     string
	Role     string
	Hash     string // of the password, as a PHC string
	Disabled bool   // may not log in
}

// Store keeps accounts. Methods are safe for concurrent use and end within the
// store's own time limit. Every error is a failure of the system.
type Store interface {
	// Find returns the account called name. Unknown: found is false, err nil.
	Find(ctx context.Context, name string) (u User, found bool, err error)

	// Add creates those of the users whose names are free, leaves the others
	// as they are, and says how many it created.
	Add(ctx context.Context, users []User) (int, error)

	// Replace puts new in the place of old, which has the same name. If the
	// account is not as old has it, since somebody else changed it meanwhile, ok
	// is false and nothing changes.
	Replace(ctx context.Context, old, new User) (ok bool, err error)
}

// CheckForm says what is wrong with a name and password before anything is
// looked up, or nil. It judges their form alone.
func CheckForm(name, password string) error {
	switch {
	case name == "" || password == "":
		return errors.New("username and password are both required")
	case len(name) > MaxName:
		return fmt.Errorf("username is longer than %d bytes", MaxName)
	case !utf8.ValidString(name) || !utf8.ValidString(password):
		return errors.New("username or password is not UTF-8")
	case utf8.RuneCountInString(password) > MaxPassword:
		return fmt.Errorf("password is longer than %d characters", MaxPassword)
	}
	// PostgreSQL's text cannot hold a zero byte, and no name has control
	// characters: refuse them here instead of failing there.
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return errors.New("username has control characters")
		}
	}
	return nil
}
