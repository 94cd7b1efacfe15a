package auth_test

import (
	"context"
	"testing"

	"authbench/servers/auth"
)

func TestNoneTakesEveryoneForOne(t *testing.T) {
	var a auth.Authenticator = auth.None{}
	c, expiry, err := a.Issue(context.Background(), auth.Principal{Subject: "alice", Role: "admin"})
	if c != "" || !expiry.IsZero() || err != nil {
		t.Errorf("Issue = %q, %v, %v", c, expiry, err)
	}
	for _, c := range []auth.Credential{"", "anything"} {
		p, err := a.Authenticate(context.Background(), c)
		if want := (auth.Principal{Subject: "control-arm", Role: "user"}); p != want || err != nil {
			t.Errorf("Authenticate(%q) = %v, %v; want %v", c, p, err, want)
		}
		if err := a.Revoke(context.Background(), c); err != nil {
			t.Errorf("Revoke(%q) = %v", c, err)
		}
	}
}
