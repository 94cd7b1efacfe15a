package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"authbench/servers/account"
)

// replica is a server started by a test, in this process, as main starts it.
type replica struct {
	t               *testing.T
	Listen, Private string
	stop            context.CancelFunc
	ended           chan error
	stderr          *lockedBuffer
	client          *http.Client
}

// start runs a replica with these flags on free ports, and waits until it says
// that it serves.
func start(t *testing.T, args ...string) *replica {
	t.Helper()
	return startOff(t, 0, args...)
}

// startOff starts a replica whose clock is off by so much.
func startOff(t *testing.T, off time.Duration, args ...string) *replica {
	t.Helper()
	args = append([]string{"-listen", "127.0.0.1:0", "-seed-users", "20", "-mint", "-argon2", "m=64,t=1,p=1"}, args...)
	cfg, err := parseConfig(args, func(string) (string, bool) { return "", false }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Now = func() time.Time { return time.Now().Add(off) }
	ctx, stop := context.WithCancel(context.Background())
	stdout, stdoutEnd := io.Pipe()
	r := &replica{t: t, stop: stop, ended: make(chan error, 1), stderr: &lockedBuffer{}, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		Timeout:   30 * time.Second,
	}}
	go func() {
		err := run(ctx, cfg, stdoutEnd, r.stderr)
		stdoutEnd.CloseWithError(io.EOF)
		r.ended <- err
	}()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		stop()
		t.Fatalf("replica %v did not start: %v\n%s", args, <-r.ended, r.stderr)
	}
	if err := json.Unmarshal(line, r); err != nil {
		t.Fatalf("ready line %q: %v", line, err)
	}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		stop()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Errorf("replica %v: %v", args, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("replica %v did not stop", args)
		}
	})
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
	took time.Duration
}

// held is what a client keeps after a log-in: at most one of the two is set.
type held struct{ bearer, cookie string }

func (h held) secret() string {
	_, value, _ := strings.Cut(h.cookie, "=")
	return h.bearer + value
}

// dress gives a request the headers of this client.
func (h held) dress(req *http.Request) {
	req.Header.Set("Content-Type", "application/json")
	if h.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+h.bearer)
	}
	if h.cookie != "" {
		req.Header.Set("Cookie", h.cookie)
	}
}

func (r *replica) do(method, url, body string, h held) answer {
	r.t.Helper()
	return r.ask(method, url, body, h, nil)
}

// doWith sends a request to the public listener with more headers.
func (r *replica) doWith(method, path, body string, h held, headers http.Header) answer {
	r.t.Helper()
	return r.ask(method, r.Listen+path, body, h, headers)
}

// decode reads JSON.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func (r *replica) ask(method, url, body string, h held, headers http.Header) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	h.dress(req)
	maps.Copy(req.Header, headers)
	req.Host = headers.Get("Host") // none: the URL's
	start := time.Now()
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res, string(b), time.Since(start)}
}

func (r *replica) login(user string) answer {
	r.t.Helper()
	body, _ := json.Marshal(map[string]string{"username": user, "password": account.SeedPassword})
	return r.do("POST", r.Listen+"/login", string(body), held{})
}

// mustLogin logs in and returns what a client would keep.
func (r *replica) mustLogin(user string) held {
	r.t.Helper()
	a := r.login(user)
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != http.StatusOK {
		r.t.Fatalf("log-in: status %d, %s", a.StatusCode, a.body)
	}
	h := held{bearer: got.AccessToken}
	for _, c := range a.Cookies() {
		h.cookie = c.Name + "=" + c.Value
	}
	return h
}

func (r *replica) me(h held) answer { r.t.Helper(); return r.do("GET", r.Listen+"/me", "", h) }

func (r *replica) logout(h held) answer { r.t.Helper(); return r.do("POST", r.Listen+"/logout", "", h) }

// config reads /config.
func (r *replica) config() (s settings) {
	r.t.Helper()
	a := r.do("GET", r.Private+"/config", "", held{})
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		r.t.Fatalf("/config: %v in %s", err, a.body)
	}
	return s
}

// minted is one line of /mint.
type minted struct{ User, Credential, Kind, Name string }

func (m minted) held() held {
	switch m.Kind {
	case "bearer":
		return held{bearer: m.Credential}
	case "cookie":
		return held{cookie: m.Name + "=" + m.Credential}
	}
	return held{}
}

func (r *replica) mint(body string) (lines []minted) {
	r.t.Helper()
	a := r.do("POST", r.Private+"/mint", body, held{})
	if a.StatusCode != http.StatusOK {
		r.t.Fatalf("mint: status %d, %s", a.StatusCode, a.body)
	}
	dec := json.NewDecoder(strings.NewReader(a.body))
	for dec.More() {
		var m minted
		if err := dec.Decode(&m); err != nil {
			r.t.Fatal(err)
		}
		lines = append(lines, m)
	}
	return lines
}

// eventually polls for a condition that must come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
