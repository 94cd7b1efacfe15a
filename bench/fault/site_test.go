package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authbench/bench/stack"
	"authbench/bench/trial"
)

var serverBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "authbench-fault-test-")
	if err == nil {
		serverBinary = filepath.Join(dir, "server")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", serverBinary, "authbench/servers").CombinedOutput(); err != nil {
			err = fmt.Errorf("build the server: %w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// open makes a runtime whose folder is the test's own.
func open(t *testing.T, kind string) *stack.Runtime {
	t.Helper()
	if testing.Short() {
		t.Skip("starts nginx, Redis and PostgreSQL: make test")
	}
	dir, err := os.MkdirTemp("", "fault-test-") // t.TempDir is not open to the stores' user
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	rt, err := stack.Open(t.Context(), kind, stack.Options{ServerBinary: serverBinary, Project: "../..", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// site is a stack that is started anew when its credentials have been lost.
type site struct {
	*stack.Stack
	rt   *stack.Runtime
	spec trial.CellSpec
}

func (s *site) up(t *testing.T) {
	t.Helper()
	if s.Stack != nil {
		if err := s.Down(t.Context()); err != nil {
			t.Errorf("a fault left something: %v", err)
		}
	}
	next, err := s.rt.Up(t.Context(), s.spec)
	if err != nil {
		t.Fatal(err) // the last stack stays, for the test's end to look at
	}
	s.Stack = next
}

// answer is what a user of the site gets.
type answer struct {
	status     int // 0: none came
	retryAfter string
	sub        string
	replica    string // that answered
	took       time.Duration
}

// me is what tells who a credential speaks for.
const me = "/me"

// ask sends a GET with one of the credentials to a replica or the balancer.
func ask(t *testing.T, url string, c trial.Credential) (a answer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Header != "" {
		req.Header.Set("Authorization", c.Header)
	}
	for name, value := range c.Cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	a.took = time.Since(began)
	if err != nil {
		return a
	}
	defer resp.Body.Close()
	var said struct{ Sub, Replica string }
	json.NewDecoder(resp.Body).Decode(&said)
	a.status, a.retryAfter, a.sub = resp.StatusCode, resp.Header.Get("Retry-After"), said.Sub
	a.replica = said.Replica
	return a
}

// serves waits until the site answers as it should.
func serves(t *testing.T, url string, c trial.Credential, status int) {
	t.Helper()
	var a answer
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if a = ask(t, url, c); a.status == status && (status != http.StatusOK || !strings.HasSuffix(url, me) || a.sub == c.User) {
			return
		}
	}
	t.Errorf("10 s after the fault had ended: %+v; want %d of %s", a, status, c.User)
}

func component(t *testing.T, s *site, target string) *stack.Component {
	t.Helper()
	c, err := s.Component(target)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// usage is the CPU time of a component, if it is one.
func usage(t *testing.T, c *stack.Component) float64 {
	t.Helper()
	if c == nil {
		return 0
	}
	used, err := c.CPU()
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func newSite(t *testing.T, rt *stack.Runtime, arm trial.Arm) *site {
	t.Helper()
	s := &site{rt: rt,
		spec: trial.CellSpec{Cell: trial.NewCell("arm", arm), System: trial.System{Arm: arm, Replicas: 1, Balancer: trial.RoundRobin,
			Server: map[string]string{trial.SettingLifetime: "1h0m0s", trial.SettingArgon2: "m=64,t=1,p=1", trial.SettingPool: "4"},
			Users:  20, Proxied: rt.Capabilities().Lacks(stack.CanProxy) == ""}}}
	s.up(t)
	return s
}
