package account

import (
	"context"
	"fmt"
)

// SeedPassword is the password of every seeded account. It is public: seeded
// accounts are for measuring on loopback, never for the open network.
const SeedPassword = "correct horse battery staple"

// SeedName is the name of seeded account i: "user-000000" and so on. All names
// of up to a million accounts are equally long, so all answers are too.
func SeedName(i int) string { return fmt.Sprintf("user-%06d", i) }

// SeedAdmin is the name of the seeded administrator.
const SeedAdmin = "admin"

// Seed creates accounts 0 to n-1 with the role of a user, and an
// administrator; those that exist stay as they are. All share one hash, salt
// included: computing ten thousand would take minutes, and a log-in costs the
// same with a shared one.
func Seed(ctx context.Context, store Store, hasher *Hasher, n int) error {
	hash, err := hasher.Hash(ctx, SeedPassword)
	if err != nil {
		return fmt.Errorf("seed accounts: %w", err)
	}
	users := make([]User, 0, n+1)
	users = append(users, User{Name: SeedAdmin, Role: RoleAdmin, Hash: hash})
	for i := range n {
		users = append(users, User{Name: SeedName(i), Role: RoleUser, Hash: hash})
	}
	if _, err := store.Add(ctx, users); err != nil {
		return fmt.Errorf("seed accounts: %w", err)
	}
	return nil
}
