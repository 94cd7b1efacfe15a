package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"authbench/servers/store/storetest"
)

func TestG01_PasswordsAreArgon2idHashes(t *testing.T) {
	eachArm(t, "G01", func(s *site) {
		const marker = "marker-password-1"
		wantStatus(t, "change", s.setPassword(s.login(ada), password, marker), http.StatusNoContent)
		conn, err := pgx.Connect(s.Context(), s.postgres)
		if err != nil {
			s.Fatal(err)
		}
		defer conn.Close(s.Context())
		var hash, dump string
		if err := conn.QueryRow(s.Context(), `SELECT hash, (SELECT string_agg(a::text, ' ') FROM accounts a) FROM accounts WHERE name = $1`,
			ada).Scan(&hash, &dump); err != nil {
			s.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$") || strings.Contains(dump, marker) || strings.Contains(dump, password) {
			s.Errorf("hash %q; want argon2id, and no password in the table", hash)
		}
	})
}

func TestG02_LongPasswords(t *testing.T) {
	eachArm(t, "G02", func(s *site) {
		long := strings.Repeat("ü7 x", 16) // 64 characters, 80 bytes
		wantStatus(t, "change", s.setPassword(s.login(ada), password, long), http.StatusNoContent)
		wantStatus(t, "all 64 characters", s.loginAs(s.other(), ada, long), http.StatusOK)
		wantStatus(t, "without the last", s.loginAs(s.other(), ada, long[:len(long)-1]), http.StatusUnauthorized)
		wantStatus(t, "and one more", s.loginAs(s.other(), ada, long+"y"), http.StatusUnauthorized)
	})
}

func TestG03_UnknownUserIsAsWrongPassword(t *testing.T) {
	eachArm(t, "G03", func(s *site) {
		wrong, unknown := s.loginAs(s.r[0], ada, "wrong"), s.loginAs(s.r[0], "user-999999", "wrong")
		wantStatus(t, "wrong password", wrong, http.StatusUnauthorized)
		wrong.Header.Del("Date")
		unknown.Header.Del("Date")
		if wrong.body != unknown.body || fmt.Sprint(wrong.Header) != fmt.Sprint(unknown.Header) || wrong.StatusCode != unknown.StatusCode {
			s.Errorf("told apart:\n%v %s\n%v %s", wrong.Header, wrong.body, unknown.Header, unknown.body)
		}
	})
}

func TestG04_LogInEndsThePresentedCredential(t *testing.T) {
	eachArm(t, "G04", func(s *site) {
		old := s.login(ada)
		a := s.r[0].do("POST", s.r[0].Listen+"/login", `{"username":"user-000001","password":"`+password+`"}`, old)
		if strings.Contains(a.body+strings.Join(a.Header["Set-Cookie"], ""), old.secret()) {
			s.Error("the presented credential was issued again")
		}
		s.wantEnded("the presented credential", a, old)
	})
}

func TestG05_LogOutHoldsEverywhere(t *testing.T) {
	eachArm(t, "G05", func(s *site) {
		h := s.login(ada)
		s.wantLive("before", h)
		s.wantEnded("after log-out", s.other().logout(h), h)
	})
}

func TestG06_LogOutTwice(t *testing.T) {
	eachArm(t, "G06", func(s *site) {
		h := s.login(ada)
		for _, who := range []held{h, h, {}} {
			wantStatus(t, "log-out", s.r[0].logout(who), http.StatusNoContent)
		}
		s.login(ada)
	})
}

func TestG07_AdministratorEndsCredentials(t *testing.T) {
	eachArm(t, "G07", func(s *site) {
		h, other := s.login(ada), s.login(bob)
		s.wantEnded("one user's", s.send("POST", "/admin/users/user-000001/logout", "", s.login("admin")), h)
		if s.cell != bounded {
			s.wantLive("another user's", other)
		}
		again, admin := s.login(ada), s.login("admin")
		a := s.send("POST", "/admin/logout-all", "", admin)
		for _, h := range []held{other, again, admin} {
			s.wantEnded("everybody's", a, h)
		}
		s.wantLive("after a new log-in", s.login(ada))
	})
}

// TestG07_AdministratorEndsLongUsedSessions ends a session that has been in use
// for longer than a session may idle: a store must still know whose it is.
func TestG07_AdministratorEndsLongUsedSessions(t *testing.T) {
	eachCell(t, "G07", func(t *testing.T, arm, cell string) {
		if cell == bounded || kindNamed(t, arm).flags["auth"] != "session" { // nothing idles where no use is recorded
			return
		}
		t.Parallel()
		s := newSite(t, arm, cell, "-touch", "always", "-idle-timeout", "1500ms")
		used := s.login(ada)
		s.login(ada)
		eventually(t, "another one of the same age ends idly", func() bool {
			wantStatus(t, "the used one", s.other().me(used), http.StatusOK)
			return len(s.sessions(used)) <= 1
		})
		s.wantEnded("the used one", s.send("POST", "/admin/users/user-000001/logout", "", s.login("admin")), used)
	})
}

func TestG08_RoleChange(t *testing.T) {
	eachArm(t, "G08", func(s *site) {
		h := s.login(ada)
		s.wantEnded("promoted", s.send("PUT", "/admin/users/user-000001/role", `{"role":"admin"}`, s.login("admin")), h)
		h = s.login(ada)
		wantMe(t, s.other().me(h), ada, "admin", s.other().config().Replica)
		s.wantEnded("demoted", s.send("PUT", "/admin/users/user-000001/role", `{"role":"user"}`, s.login("admin")), h)
		wantStatus(t, "an administrator no more", s.send("POST", "/admin/logout-all", "", s.login(ada)), http.StatusForbidden)
	})
}

func TestG09_DisabledUser(t *testing.T) {
	eachArm(t, "G09", func(s *site) {
		h, admin := s.login(ada), s.login("admin")
		a := s.send("PUT", "/admin/users/user-000001/disabled", `{"disabled":true}`, admin)
		refused, unknown := s.loginAs(s.r[0], ada, password), s.loginAs(s.r[0], "user-999999", password)
		wantStatus(t, "log-in", refused, http.StatusUnauthorized)
		if refused.body != unknown.body {
			s.Errorf("a disabled user is told from an unknown one: %s", refused.body)
		}
		s.wantEnded("disabled", a, h)
		wantStatus(t, "enable", s.send("PUT", "/admin/users/user-000001/disabled", `{"disabled":false}`, s.login("admin")), http.StatusNoContent)
		s.wantLive("enabled", s.login(ada))
	})
}

func TestG10_PasswordChangeEndsTheOthers(t *testing.T) {
	eachArm(t, "G10", func(s *site) {
		h, thief := s.login(ada), s.login(ada)
		wantStatus(t, "with a wrong current one", s.setPassword(h, "wrong", "another long one"), http.StatusForbidden)
		s.wantLive("the others meanwhile", thief)
		a := s.setPassword(h, password, "another long one")
		if s.cell != bounded {
			s.wantLive("the one that changed it", h)
		}
		s.wantEnded("another", a, thief)
		wantStatus(t, "the old password", s.loginAs(s.r[0], ada, password), http.StatusUnauthorized)
		wantStatus(t, "the new password", s.loginAs(s.other(), ada, "another long one"), http.StatusOK)
	})
}

func TestG11_IdleTimeout(t *testing.T) {
	for _, touch := range []string{"always", "throttled"} {
		t.Run(touch, func(t *testing.T) {
			eachArm(t, "G11", checkIdle, "-touch", touch, "-touch-every", "100ms", "-idle-timeout", "1500ms")
		})
	}
}

func checkIdle(s *site) {
	busy, idle := s.login(ada), s.login(ada)
	eventually(s.T, "the idle one ends while the busy one lives", func() bool {
		wantStatus(s.T, "busy", s.other().me(busy), http.StatusOK)
		return len(s.sessions(busy)) == 1
	})
	wantStatus(s.T, "idle", s.other().me(idle), http.StatusUnauthorized)
}

func TestG12_AbsoluteTimeout(t *testing.T) {
	eachArm(t, "G12", func(s *site) {
		h := s.login(ada)
		s.wantLive("at first", h)
		eventually(s.T, "it ends in spite of use", func() bool { return s.other().me(h).StatusCode == http.StatusUnauthorized })
	}, "-lifetime", "2s")
}

func TestG13_CredentialInTheURL(t *testing.T) {
	eachArm(t, "G13", func(s *site) {
		secret := s.login(ada).secret()
		for _, name := range []string{"access_token", "token", "session", "__Host-session", "Authorization"} {
			a := s.r[0].do("GET", s.r[0].Listen+"/me?"+name+"="+secret, "", held{})
			wantStatus(t, name+" in the URL", a, http.StatusUnauthorized)
		}
	})
}

func TestG14_NoCredentialIsLogged(t *testing.T) {
	eachArm(t, "G14", func(s *site) {
		h := s.login(ada)
		secret := h.secret()
		var said strings.Builder
		for _, a := range []answer{
			s.r[0].me(held{bearer: secret + "x"}), s.r[0].me(held{cookie: "__Host-session=" + secret + "x"}),
			s.r[0].do("GET", s.r[0].Listen+"/"+secret, "", h),
			s.r[0].do("POST", s.r[0].Listen+"/login", `{"password":"marker-password","x":"`+secret+`"`, h),
			s.loginAs(s.r[0], ada, "marker-password"), s.setPassword(h, "marker-password", "marker-password-2"), s.r[0].logout(h),
		} {
			said.WriteString(a.body)
		}
		const next = "the next right password"
		wantStatus(s.T, "change", s.setPassword(s.login(ada), password, next), http.StatusNoContent)
		wantStatus(s.T, "the next password", s.loginAs(s.other(), ada, next), http.StatusOK)
		for _, r := range s.r {
			said.WriteString(r.stderr.String())
		}
		for what, text := range map[string]string{
			"a credential": secret, "a wrong password": "marker-password", "the right password": password, "the next password": next,
		} {
			if strings.Contains(said.String(), text) {
				s.Errorf("an answer or a log holds %s", what)
			}
		}
	})
}

// TestG14_NoCredentialIsLoggedInAnOutage asks with credentials everywhere while
// the store is down, when each route has something to log.
func TestG14_NoCredentialIsLoggedInAnOutage(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *storetest.Server{"redis": storetest.Redis, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits
			server := open(t)
			r := start(t, "-auth", "session", "-store", name, "-"+name, server.URL)
			h := r.mustLogin(ada)
			server.Stop()
			for route, logged := range map[string]string{
				"GET /me": "authenticate", "GET /sessions": "authenticate", "POST /logout": "log out", "POST /login": "log in",
				"POST /password": "authenticate", "POST /admin/logout-all": "authenticate",
			} {
				method, path, _ := strings.Cut(route, " ")
				body := `{"username":"user-000001","password":"marker-password"}`
				before := len(r.stderr.String())
				eventually(t, route+" is logged", func() bool { // one record a second
					a := r.doWith(method, path+"?access_token="+h.secret(), body, h, http.Header{"User-Agent": {h.secret()}})
					wantStatus(t, route, a, http.StatusServiceUnavailable)
					if strings.Contains(a.body, h.secret()) {
						t.Errorf("%s: the answer holds the credential", route)
					}
					return strings.Contains(r.stderr.String()[before:], `"msg":"`+logged)
				})
			}
			if log := r.stderr.String(); strings.Contains(log, h.secret()) || strings.Contains(log, "marker-password") {
				t.Error("the log holds a credential")
			}
		})
	}
}

func TestG15_Cookies(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		t.Run(fmt.Sprint("insecure=", insecure), func(t *testing.T) {
			eachArm(t, "G15", func(s *site) { checkCookie(s, insecure) }, "-credential", "cookie", fmt.Sprint("-insecure-cookies=", insecure))
		})
	}
}

func checkCookie(s *site, insecure bool) {
	r := s.r[0]
	login := r.login(ada)
	for _, cookie := range login.Cookies() {
		checkSetCookie(s, "log-in", login, insecure, false)
		// Browsers drop a __Host- cookie without Secure, and so keep the old one.
		checkSetCookie(s, "log-out", r.logout(held{cookie: cookie.Name + "=" + cookie.Value}), insecure, true)
	}
	if len(login.Cookies()) != 1 {
		s.Errorf("log-in sets %d cookies", len(login.Cookies()))
	}
	if warned := strings.Contains(r.stderr.String(), "-insecure-cookies"); warned != insecure {
		s.Errorf("a warning at start: %v", warned)
	}
}

// checkSetCookie wants one cookie, or its end, with every attribute.
func checkSetCookie(s *site, what string, a answer, insecure, ends bool) {
	s.Helper()
	line := a.Header.Get("Set-Cookie")
	c, err := http.ParseSetCookie(line)
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
	if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || len(line) > 4096 ||
		c.Secure == insecure || strings.HasPrefix(c.Name, "__Host-") == insecure {
		s.Errorf("%s: Set-Cookie: %s", what, line)
	}
	if c.MaxAge < 0 != ends || c.Value == "" != ends {
		s.Errorf("%s: Set-Cookie: %s; want it to end the cookie: %v", what, line, ends)
	}
}

func TestG16_CrossSiteChangesAreRefused(t *testing.T) {
	eachArm(t, "G16", func(s *site) {
		h, r := s.login(ada), s.r[0]
		for _, route := range changes {
			method, path, _ := strings.Cut(route, " ")
			for _, headers := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}},
				{"Origin": {"https://evil.example"}}, {"Origin": {"null"}}} {
				wantStatus(s.T, fmt.Sprint(route, headers), r.doWith(method, path, `{}`, h, headers), http.StatusForbidden)
			}
		}
		own := http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://" + r.Listen}}
		wantStatus(s.T, "from the own site", r.doWith("POST", "/logout", "", h, own), http.StatusNoContent)
	})
}

// changes are the routes that change something.
var changes = []string{"POST /login", "POST /logout", "POST /password", "DELETE /sessions", "DELETE /sessions/x",
	"POST /admin/users/x/logout", "POST /admin/logout-all", "PUT /admin/users/x/role", "PUT /admin/users/x/disabled"}

func TestG17_TwoCredentialsAreRefused(t *testing.T) {
	eachArm(t, "G17", func(s *site) {
		h, thief := s.login(ada), s.login(bob)
		r, name := s.r[0], s.r[0].config().Cookie
		if name == "" {
			name = "__Host-token"
		}
		for what, headers := range map[string]http.Header{
			"two cookies":         {"Cookie": {name + "=" + h.secret() + "; " + name + "=" + thief.secret()}},
			"two cookie headers":  {"Cookie": {name + "=" + h.secret(), name + "=" + thief.secret()}},
			"cookie and header":   {"Cookie": {name + "=" + h.secret()}, "Authorization": {"Bearer " + thief.secret()}},
			"two headers":         {"Authorization": {"Bearer " + h.secret(), "Bearer " + thief.secret()}},
			"the same one, twice": {"Cookie": {name + "=" + h.secret() + "; " + name + "=" + h.secret()}},
		} {
			for _, route := range append([]string{"GET /me", "GET /sessions"}, "POST /logout") {
				method, path, _ := strings.Cut(route, " ")
				wantStatus(s.T, what+" to "+route, r.doWith(method, path, "", held{}, headers), http.StatusBadRequest)
			}
		}
		s.wantLive("afterwards", h)
		s.wantLive("afterwards", thief)
	})
}

func TestG18_NothingIsCached(t *testing.T) {
	eachArm(t, "G18", func(s *site) {
		h := s.login(ada)
		for _, route := range append([]string{"GET /me", "GET /sessions", "GET /readyz", "GET /healthz", "GET /nowhere", "GET /login"},
			changes...) {
			method, path, _ := strings.Cut(route, " ")
			for _, who := range []held{{}, h} {
				if a := s.r[0].doWith(method, path, `{}`, who, nil); a.Header.Get("Cache-Control") != "no-store" {
					s.Errorf("%s: status %d, Cache-Control %q", route, a.StatusCode, a.Header.Get("Cache-Control"))
				}
			}
			h = s.login(ada)
		}
	})
}

func TestG19_AdministratorsOnly(t *testing.T) {
	eachArm(t, "G19", func(s *site) {
		h := s.login(ada)
		for route, body := range map[string]string{
			"POST /admin/users/user-000002/logout": "", "POST /admin/logout-all": "",
			"PUT /admin/users/user-000001/role": `{"role":"admin"}`, "PUT /admin/users/user-000002/disabled": `{"disabled":true}`,
		} {
			method, path, _ := strings.Cut(route, " ")
			wantStatus(s.T, route+" by a user", s.send(method, path, body, h), http.StatusForbidden)
			wantStatus(s.T, route+" by nobody", s.send(method, path, body, held{}), http.StatusUnauthorized)
		}
		wantMe(s.T, s.r[0].me(h), ada, "user", "r1")
		s.login(bob)
	})
}

// TestG20_StoreDownIsNever401 takes the stores away: what needs them is 503,
// what does not goes on, and nobody who has logged in is told otherwise.
func TestG20_StoreDownIsNever401(t *testing.T) {
	eachCell(t, "G20", func(t *testing.T, arm, cell string) {
		t.Parallel()
		server, me := storetest.Postgres(t), http.StatusOK
		s := newSite(t, arm, cell, "-postgres", server.URL, "-store-timeout", "500ms")
		if s.keepsIn("redis") {
			cache := storetest.Redis(t)
			s = newSite(t, arm, cell, "-postgres", server.URL, "-redis", cache.URL, "-store-timeout", "500ms")
			defer cache.Stop()
			h := s.login(ada)
			cache.Stop()
			wantStatus(t, "me without Redis", s.other().me(h), http.StatusServiceUnavailable)
			cache.Start()
		}
		h, admin := s.login(ada), s.login("admin")
		server.Stop()
		if s.keepsIn("postgres") {
			me = http.StatusServiceUnavailable
		}
		wantStatus(t, "me", s.other().me(h), me)
		wantStatus(t, "log-in", s.other().login(ada), http.StatusServiceUnavailable)
		wantStatus(t, "role change", s.send("PUT", "/admin/users/user-000001/role", `{"role":"admin"}`, admin), http.StatusServiceUnavailable)
		wantStatus(t, "nobody", s.other().me(held{}), http.StatusUnauthorized)
	})
}
