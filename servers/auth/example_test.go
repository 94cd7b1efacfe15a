package auth_test

import (
	"context"
	"errors"
	"fmt"

	"authbench/servers/auth"
)

// A refusal is the client's fault and answered 401; any other error is the
// system's, and answered 503.
func ExampleAuthenticator() {
	status := func(a auth.Authenticator, c auth.Credential) int {
		switch _, err := a.Authenticate(context.Background(), c); {
		case err == nil:
			return 200
		case errors.Is(err, auth.ErrUnauthenticated):
			return 401
		}
		return 503
	}
	fmt.Println(status(auth.None{}, ""))
	// Output: 200
}
