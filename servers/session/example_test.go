package session_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbench/servers/auth"
	"authbench/servers/session"
)

// A user logs in, asks and logs out.
func Example() {
	ctx := context.Background()
	a := session.New(session.NewMemory(time.Now, 1000), session.Config{Lifetime: time.Hour, Touch: session.TouchNever})
	secret, _, err := a.Issue(ctx, auth.Principal{Subject: "alice", Role: "user"})
	if err != nil {
		panic(err)
	}
	p, err := a.Authenticate(ctx, secret)
	fmt.Println(p.Subject, p.Role, err)

	if err := a.Revoke(ctx, secret); err != nil {
		panic(err)
	}
	_, err = a.Authenticate(ctx, secret)
	fmt.Println(errors.Is(err, auth.ErrUnauthenticated))
	// Output:
	// alice user <nil>
	// true
}
