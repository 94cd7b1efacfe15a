package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// badTexts are what a reader of JSON may take for something else, by what the
// answer must name.
var badTexts = map[string]string{"\xff\xff\xff\xff\xff\xff\xff\xff": "UTF-8", "\xed\xa0\x80": "UTF-8", `\ud800`: "surrogate",
	`x\udc00\ud800`: "surrogate"}

// TestG22_BodiesAreStrictText sends such texts in every body that is read, as a
// value and as a name.
func TestG22_BodiesAreStrictText(t *testing.T) {
	eachArm(t, "G22", func(s *site) {
		h, admin, r := s.login(ada), s.login("admin"), s.other()
		for text, want := range badTexts {
			refused := func(what string, a answer) {
				s.Helper()
				wantProblem(s.T, a, http.StatusBadRequest)
				if !strings.Contains(a.body, want) {
					s.Errorf("%q to %s: %s; want it to speak of %s", text, what, a.body, want)
				}
			}
			for route, body := range map[string]string{
				"POST /login": `{"username":"%s","password":"x"}`, "POST /login ": `{"username":"user-000001","password":"%s"}`,
				"POST /login  ":                         `{"username":"user-000001","password":"x","%s":"x"}`,
				"POST /password":                        `{"current_password":"` + password + `","new_password":"%s 12345678"}`,
				"POST /password ":                       `{"current_password":"%s","new_password":"a long new one"}`,
				"PUT /admin/users/user-000001/role":     `{"role":"%s"}`,
				"PUT /admin/users/user-000001/disabled": `{"%s":true}`,
			} {
				method, path, _ := strings.Cut(strings.TrimSpace(route), " ")
				who := h
				if strings.Contains(path, "admin") {
					who = admin
				}
				refused(route, s.send(method, path, fmt.Sprintf(body, text), who))
			}
			refused("/mint", r.do("POST", r.Private+"/mint", fmt.Sprintf(`{"users":1,"%s":1}`, text), held{}))
		}
		latin := http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}}
		wantProblem(s.T, r.doWith("POST", "/login", `{"username":"user-000001","password":"x"}`, held{}, latin), http.StatusUnsupportedMediaType)
		s.wantLive("the password is as it was", s.login(ada))
	})
}

// TestG22_OddTextIsNoFailure sends NUL, which PostgreSQL's texts cannot hold, and
// bytes that are no UTF-8 wherever a name or a credential may stand: it is
// refused as what it is, and a password is taken with all its characters.
func TestG22_OddTextIsNoFailure(t *testing.T) {
	eachArm(t, "G22", func(s *site) {
		h, admin := s.login(ada), s.login("admin")
		for _, name := range []string{`a\u0000b`, `\u0000`, `user-000001\u0000`} {
			wantProblem(s.T, s.send("POST", "/login", `{"username":"`+name+`","password":"x"}`, held{}), http.StatusUnprocessableEntity)
		}
		for _, name := range []string{"%00", "a%00b", "user-000001%00", "%FF", "%ED%A0%80", "%C0%80"} {
			wantProblem(s.T, s.send("POST", "/admin/users/"+name+"/logout", "", admin), http.StatusNotFound)
			wantProblem(s.T, s.send("PUT", "/admin/users/"+name+"/role", `{"role":"user"}`, admin), http.StatusNotFound)
			wantProblem(s.T, s.send("PUT", "/admin/users/"+name+"/disabled", `{"disabled":true}`, admin), http.StatusNotFound)
		}
		for _, odd := range []string{"\xff", h.secret() + "\xff", "\xed\xa0\x80", "ü"} {
			for _, headers := range []http.Header{{"Authorization": {"Bearer " + odd}}, {"Cookie": {s.other().config().Cookie + "=" + odd}}} {
				wantProblem(s.T, s.other().doWith("GET", "/me", "", held{}, headers), http.StatusUnauthorized)
			}
		}
		s.wantLive("afterwards", h)
		wantStatus(s.T, "a password with NUL", s.setPassword(h, password, "12345678\x00a"), http.StatusNoContent)
		for other, status := range map[string]int{"12345678": 401, "12345678\x00": 401, "12345678\x00b": 401, "12345678\x00a": 200} {
			wantStatus(s.T, fmt.Sprintf("log-in by %q", other), s.loginAs(s.r[0], ada, other), status)
		}
	})
}
