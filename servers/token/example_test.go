package token_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"authbench/servers/auth"
	"authbench/servers/token"
)

// Any replica with the same folder of keys verifies what another one signed, and
// none can end it early.
func Example() {
	dir, err := os.MkdirTemp("", "keys-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := token.GenerateKeys(dir, "ES256"); err != nil {
		panic(err)
	}
	replica := func() *token.Authenticator {
		keys, err := token.LoadKeys(dir, "ES256")
		if err != nil {
			panic(err)
		}
		a, err := token.New(keys, token.Config{Issuer: "authbench", Audience: "authbench", Lifetime: time.Hour})
		if err != nil {
			panic(err)
		}
		return a
	}
	ctx := context.Background()
	jwt, _, err := replica().Issue(ctx, auth.Principal{Subject: "alice", Role: "user"})
	if err != nil {
		panic(err)
	}
	other := replica()
	p, err := other.Authenticate(ctx, jwt)
	fmt.Println(p.Subject, p.Role, err)
	fmt.Println(errors.Is(other.Revoke(ctx, jwt), errors.ErrUnsupported))
	// Output:
	// alice user <nil>
	// true
}
