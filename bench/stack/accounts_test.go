package stack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"authbench/bench/trial"
)

// Accounts in PostgreSQL are the same for every replica, whatever the arm's own
// store, and a script finds those of the trial before as they were made.
func checkAccountsInPostgresAreShared(t *testing.T, n *Runtime) {
	for _, a := range []trial.Arm{"jwt/HS256", "session/postgres+header"} {
		spec := cell(a, 2, trial.RoundRobin)
		spec.System.Server[trial.SettingAccounts] = "postgres"
		spec.Steps = []trial.Step{{Name: "journey", Script: &trial.Script{File: "role-change.js"}}}
		for range 2 {
			s := up(t, n, spec)
			if role := roleOf(t, s.Replicas[1], "user-000000"); role != "user" {
				t.Errorf("%s: a user begins as %s", a, role)
			}
			token, _ := loggedIn(t, s.Replicas[0], "admin")
			send(t, http.MethodPut, s.Replicas[0].URL+"/admin/users/user-000000/role", token, `{"role":"admin"}`)
			if role := roleOf(t, s.Replicas[1], "user-000000"); role != "admin" {
				t.Errorf("%s: made an administrator at r1, and at r2 %s", a, role)
			}
			if err := s.Down(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// roleOf is the role in a credential that a user is given now.
func roleOf(t *testing.T, r Replica, user string) string {
	t.Helper()
	_, role := loggedIn(t, r, user)
	return role
}

func loggedIn(t *testing.T, r Replica, user string) (authorization, role string) {
	t.Helper()
	var given struct {
		Token string `json:"access_token"`
	}
	body := send(t, http.MethodPost, r.URL+"/login", "", fmt.Sprintf(`{"username":%q,"password":"correct horse battery staple"}`, user))
	if err := json.Unmarshal(body, &given); err != nil || given.Token == "" {
		t.Fatalf("log-in of %s: %v: %s", user, err, body)
	}
	authorization = "Bearer " + given.Token
	var me struct{ Role string }
	if err := json.Unmarshal(send(t, http.MethodGet, r.URL+"/me", authorization, ""), &me); err != nil {
		t.Fatal(err)
	}
	return authorization, me.Role
}

// send asks for something that must succeed, and returns the answer's body.
func send(t *testing.T, method, url, authorization, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a replica that is told to end waits for connections that others keep
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %v: %s", method, url, resp.Status, err, answer)
	}
	return answer
}
