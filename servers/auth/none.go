package auth

import (
	"context"
	"time"
)

// None is the control: the arm that authenticates nobody. It gets no
// credential and answers every request with one constant principal, so that
// what remains of a request's cost is everything but authentication.
//
// It breaks the contract on purpose - it has no credential to refuse, expire
// or revoke - so the conformance suite does not apply to it. Never put it in
// front of anything that needs protection.
type None struct{}

var _ Authenticator = None{}

// control is whom None takes everyone for. The name is as long as a seeded
// account's, so that answers are equally long in every arm.
var control = Principal{Subject: "control-arm", Role: "user"}

// Issue returns the empty credential, which has no expiry (the zero time).
func (None) Issue(context.Context, Principal) (Credential, time.Time, error) {
	return "", time.Time{}, nil
}

// Authenticate returns subject "control-arm" with role "user", whatever c is.
func (None) Authenticate(context.Context, Credential) (Principal, error) { return control, nil }

// Revoke does nothing: there is nothing to end.
func (None) Revoke(context.Context, Credential) error { return nil }
