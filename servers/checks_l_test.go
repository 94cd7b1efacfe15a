package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestL01_LogInBody(t *testing.T) {
	eachArm(t, "L01", func(s *site) {
		for _, body := range []string{
			strings.Repeat(" ", 4097), `{"username":"` + strings.Repeat("n", 5000) + `"}`, `{"username":"user-000001","password":"` + password +
				`"}` + strings.Repeat(" ", 5000),
		} {
			wantProblem(s.T, s.r[0].do("POST", s.r[0].Listen+"/login", body, held{}), http.StatusRequestEntityTooLarge)
		}
	})
}

// wantProblem wants an error in its form.
func wantProblem(t *testing.T, a answer, status int) {
	t.Helper()
	var p struct {
		Status        int
		Title, Detail string
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.StatusCode != status || p.Status != status ||
		p.Detail == "" || p.Title == "" ||
		a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, %s, %s; want a problem of status %d", a.StatusCode, a.Header.Get("Content-Type"), a.body, status)
	}
}

func TestL02_PasswordLength(t *testing.T) {
	eachArm(t, "L02", func(s *site) {
		wantStatus(s.T, "64 characters", s.loginAs(s.r[0], ada, strings.Repeat("ü", 64)), http.StatusUnauthorized)
		wantStatus(s.T, "128 characters", s.loginAs(s.r[0], ada, strings.Repeat("ü", 128)), http.StatusUnauthorized)
		wantProblem(s.T, s.loginAs(s.r[0], ada, strings.Repeat("p", 129)), http.StatusUnprocessableEntity)
		h := s.login(ada)
		wantProblem(s.T, s.setPassword(h, password, strings.Repeat("p", 129)), http.StatusUnprocessableEntity)
		wantProblem(s.T, s.setPassword(h, password, "short"), http.StatusUnprocessableEntity)
	})
}

func TestL03_TokenLength(t *testing.T) {
	eachArm(t, "L03", func(s *site) {
		h := s.login(ada)
		for _, n := range []int{4097, 8000} {
			for _, big := range []string{strings.Repeat("A", n), h.secret() + strings.Repeat("A", n), strings.Repeat(".", n)} {
				for _, headers := range []http.Header{{"Authorization": {"Bearer " + big}}, {"Cookie": {s.r[0].config().Cookie + "=" + big}}} {
					wantProblem(s.T, s.r[0].doWith("GET", "/me", "", held{}, headers), http.StatusUnauthorized)
				}
			}
		}
		s.wantLive("afterwards", h)
	})
}

func TestL04_CookieLength(t *testing.T) {
	eachArm(t, "L04", func(s *site) {
		for _, m := range s.r[0].mint(`{"users":1,"first":999999}`) {
			if n := len(m.Name) + 1 + len(m.Credential); n > 4096 {
				s.Errorf("a cookie of %d bytes", n)
			}
		}
	}, "-credential", "cookie")
}

func TestL05_HeaderLength(t *testing.T) {
	eachArm(t, "L05", func(s *site) {
		h, r := s.login(ada), s.r[0]
		for _, text := range []string{"GET /me HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("x", 17<<10) + "\r\n\r\n",
			"GET /" + strings.Repeat("x", 17<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"} {
			wantProblem(s.T, sendRaw(s.T, r.Listen, text), http.StatusRequestHeaderFieldsTooLarge)
		}
		wantProblem(s.T, r.doWith("GET", "/me", "", held{}, http.Header{"X-Big": {strings.Repeat("x", 21<<10)}}),
			http.StatusRequestHeaderFieldsTooLarge)
		for _, text := range []string{"GARBAGE\r\n\r\n", "GET /me HTTP/1.1\r\n\r\n", "GET /me HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
			"GET /me HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"} {
			wantProblem(s.T, sendRaw(s.T, r.Listen, text), http.StatusBadRequest)
		}
		s.wantLive("afterwards", h)
	})
}

// sendRaw sends bytes that net/http would not send.
func sendRaw(t *testing.T, address, text string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, text)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	body, _ := io.ReadAll(res.Body)
	return answer{Response: res, body: string(body)}
}

// TestL06_SlowRequests holds connections open: each is closed within its
// limit, and others are served meanwhile. The arms wait side by side.
func TestL06_SlowRequests(t *testing.T) {
	eachCell(t, "L06", func(t *testing.T, arm, cell string) {
		t.Parallel()
		s := newSite(t, arm, cell)
		var all sync.WaitGroup
		for what, text := range map[string]string{
			"no byte": "", "half a request line": "GET /me HT", "half the headers": "GET /me HTTP/1.1\r\nHost: x\r\n",
			"half a body": "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		} {
			all.Go(func() {
				conn, err := net.Dial("tcp", s.r[0].Listen)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, text)
				conn.SetReadDeadline(time.Now().Add(readTimeout + 20*time.Second))
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Errorf("%s: the connection stays open: %v", what, err)
				}
			})
		}
		s.wantLive("meanwhile", s.login(ada))
		all.Wait()
	})
}

func TestL07_SessionsPerUser(t *testing.T) {
	eachArm(t, "L07", func(s *site) {
		oldest, second, third := s.login(ada), s.login(ada), s.login(ada)
		other := s.login(bob)
		fourth := s.login(ada)
		for _, r := range s.r {
			wantStatus(s.T, "the oldest of four", r.me(oldest), http.StatusUnauthorized)
		}
		for _, h := range []held{second, third, fourth, other} {
			s.wantLive("the others", h)
		}
		s.r[0].logout(second)
		s.login(ada)
		s.wantLive("after a log-out there is room", third)
	}, "-sessions-per-user", "3")
}

func TestL08_MemoryIsCappedAndSwept(t *testing.T) {
	eachArm(t, "L08", func(s *site) {
		for range 3 {
			s.login(ada)
		}
		wantProblem(s.T, s.r[0].login(ada), http.StatusServiceUnavailable)
		eventually(s.T, "what expired makes room", func() bool { return s.r[0].login(ada).StatusCode == http.StatusOK })
	}, "-memory-max", "3", "-lifetime", "1s", "-sweep", "1s")
}

// TestL09_HashesAreBounded sends more log-ins at once than may be computed and
// wait: each is answered, by 200 or by 503 with Retry-After, and at no moment
// are there more hashes than processors.
func TestL09_HashesAreBounded(t *testing.T) {
	eachCell(t, "L09", func(t *testing.T, arm, cell string) { // one after the other: it counts the hashes of this process
		s := newSite(t, arm, cell, "-login-queue", "0", "-argon2", "m=19456,t=8,p=1")
		cfg := s.r[0].config()
		if cfg.LoginPermits != cfg.GOMAXPROCS {
			s.Errorf("/config: login_permits %d with %d processors, want as many", cfg.LoginPermits, cfg.GOMAXPROCS)
		}
		clients := 4*cfg.GOMAXPROCS + 32
		var mu sync.Mutex
		answers := make(map[int]int)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				a := s.r[0].login(ada)
				if a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
					s.Error("503 without Retry-After")
				}
				mu.Lock()
				answers[a.StatusCode]++
				mu.Unlock()
			})
		}
		if n := mostHashes(&all); n < 1 || n > cfg.GOMAXPROCS {
			s.Errorf("%d hashes at once with %d processors", n, cfg.GOMAXPROCS)
		}
		if answers[http.StatusOK] < 1 || answers[http.StatusServiceUnavailable] < 1 ||
			answers[http.StatusOK]+answers[http.StatusServiceUnavailable] != clients {
			s.Errorf("answers by status: %v; want some 200, some 503 and nothing else", answers)
		}
	})
}

// mostHashes waits for all and returns how many password hashes it has seen at
// once meanwhile, in this process: by the stacks of its goroutines.
func mostHashes(all *sync.WaitGroup) (most int) {
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	stacks := make([]byte, 8<<20)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case <-done:
			return most
		case <-tick.C:
			most = max(most, bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("argon2.IDKey(")))
		}
	}
}

func TestL10_FailedLogInsAreLimited(t *testing.T) {
	eachArm(t, "L10", func(s *site) {
		for range 10 { // successes are not throttled
			s.login(ada)
		}
		for _, user := range []string{ada, "user-999999"} {
			for i := range 3 {
				wantStatus(s.T, "a failure", s.loginAs(s.r[i%len(s.r)], user, "wrong"), http.StatusUnauthorized)
			}
			for _, r := range s.r {
				a := s.loginAs(r, user, password)
				wantProblem(s.T, a, http.StatusTooManyRequests)
				if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 || n > 600 {
					s.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
				}
			}
		}
		s.login(bob)
		h := s.r[0].login(bob)
		wantStatus(s.T, "another user", h, http.StatusOK)
	}, "-login-failures", "3")
	t.Run("memory counts for itself", func(t *testing.T) {
		r := start(t, "-auth", "session", "-login-failures", "1", "-login-window", "2s")
		if got := r.config().FailuresAt; got != "memory" {
			t.Errorf("/config: failed log-ins are counted at %q", got)
		}
		r.do("POST", r.Listen+"/login", `{"username":"user-000001","password":"wrong"}`, held{})
		wantStatus(t, "at once", r.login(ada), http.StatusTooManyRequests)
		eventually(t, "after the window", func() bool { return r.login(ada).StatusCode == http.StatusOK })
	})
}

func TestL11_LeewayIsBounded(t *testing.T) {
	eachCell(t, "L11", func(t *testing.T, arm, _ string) {
		for _, leeway := range []string{"61s", "-1s", "24h"} {
			if _, err := parse(nil, append(kindNamed(t, arm).args(), "-keys", "d", "-leeway", leeway)...); err == nil ||
				!strings.Contains(err.Error(), "-leeway") {
				t.Errorf("-leeway %s: error %v; want one that names it", leeway, err)
			}
		}
	})
}

func TestL12_PublicPasswordsStayLocal(t *testing.T) {
	eachCell(t, "L12", func(t *testing.T, arm, _ string) {
		flags := append(kindNamed(t, arm).args(), "-keys", "d", "-redis", "redis://x", "-postgres", "postgres://x")
		if _, err := parse(nil, append(flags, "-mint")...); err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"-mint", "-seed-users=1", "-extra-work=1us", "-clock-shift=1s"} {
			for _, where := range []string{"-listen", "-private"} {
				if _, err := parse(nil, append(flags, flag, where, "0.0.0.0:0")...); err == nil {
					t.Errorf("%s %s 0.0.0.0:0: accepted", flag, where)
				}
			}
		}
	})
}

// TestL14_OneRecordALine sends line ends and escape codes wherever a client
// may: each line of the log stays one JSON record, without control characters.
func TestL14_OneRecordALine(t *testing.T) {
	eachArm(t, "L14", func(s *site) {
		const evil = "x\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\x1b[31m"
		quoted, _ := json.Marshal(evil)
		r := s.r[0]
		r.do("POST", r.Listen+"/login", fmt.Sprintf(`{"username":%s,"password":%s}`, quoted, quoted), held{})
		sendRaw(s.T, r.Listen, "GET /me HTTP/1.1\r\nHost: x\r\nUser-Agent: x\x1b[31mforged\r\nConnection: close\r\n\r\n")
		r.doWith("GET", "/me", "", held{bearer: "eyJraWQiOiJ4XHJcbiJ9.e30.x"}, nil)
		admin := s.login("admin")
		r.doWith("POST", "/admin/users/x%0d%0aforged%1b/logout", "", admin, nil)
		sendRaw(s.T, r.Listen, "GET /\r\nX: \x1b[31mforged\r\n\r\n")
		for line := range strings.Lines(r.stderr.String()) {
			if !json.Valid([]byte(line)) || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x1b") ||
				strings.Contains(line, `"msg":"forged"`) {
				s.Errorf("log: %q", line)
			}
		}
	})
}
