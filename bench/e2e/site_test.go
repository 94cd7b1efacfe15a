// Package security holds tests of the servers where only real processes show
// what happens: three replicas behind the real nginx, with the configuration
// that the measurements use, restarted under load.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"authbench/bench/arm"
	"authbench/bench/stack"
	"authbench/bench/trial"
	"authbench/servers/account"
	"authbench/servers/store/storetest"
)

// binary is the real server, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "authbench-security-")
	if err == nil {
		binary = filepath.Join(dir, "server")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, "authbench/servers").CombinedOutput(); err != nil {
			err = fmt.Errorf("build the server: %w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Checks that run side by side wait for bounds and need no processor each.
	flag.Parse()
	flag.Set("test.parallel", "16")
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// site is three replicas of one arm behind nginx.
type site struct {
	*testing.T
	url      string // of nginx
	sticky   bool   // by a route cookie, for a store that is one replica's own
	replicas []*replica

	// Of one check:
	arm, cell string
	first     int // number of the first user that is its own
	keys      string
	db        stores
}

// replica is a server that can be restarted at its address.
type replica struct {
	Name, Address string
	private       string // address of its private listener
	args          []string
	cmd           *exec.Cmd
	exited        chan error
	log           bytes.Buffer
}

// Pattern matches the address, as the template wants it.
func (r *replica) Pattern() string { return regexp.QuoteMeta(r.Address) }

// Down says that nginx sends it nothing new: here it finds out by itself.
func (r *replica) Down() bool { return false }

const replicas = 3

// stores are databases that sites share.
type stores struct{ redis, postgres *storetest.Server }

func openStores(t *testing.T) stores { return stores{storetest.Redis(t), storetest.Postgres(t)} }

// flags are those of an arm of the matrix; client-side ones share keys.
func (db stores) flags(name, keys string) []string {
	flags := []string{"-keys", keys, "-redis", db.redis.URL, "-postgres", db.postgres.URL}
	for flag, level := range kindOf(name).Server {
		flags = append(flags, "-"+flag, level)
	}
	return flags
}

// kindOf is what the bench knows of an arm.
func kindOf(name string) arm.Kind { return arm.Of(trial.Arm(name)) }

func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL, Redis and nginx: make test")
	}
}

// newSite starts the replicas, and nginx in front of them.
func newSite(t *testing.T, sticky bool, flags ...string) *site {
	t.Helper()
	skipShort(t)
	s := &site{T: t, sticky: sticky}
	for i := range replicas {
		r := &replica{Name: "r" + strconv.Itoa(i+1), Address: freeAddress(t)}
		r.args = append([]string{"-listen", r.Address, "-replica", r.Name, "-seed-users", "100", "-insecure-cookies",
			"-argon2", "m=64,t=1,p=1", "-store-timeout", "5s", "-drain", "30s"}, flags...)
		if err := r.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.cmd.Process.Kill(); <-r.exited })
		s.replicas = append(s.replicas, r)
	}
	s.startNginx()
	return s
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start returns when the replica says that it serves.
func (r *replica) start() error {
	r.cmd = exec.Command(binary, r.args...)
	r.log.Reset()
	r.cmd.Stderr = &r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	exited := make(chan error, 1)
	r.exited = exited
	go func() {
		exited <- r.cmd.Wait()
		close(exited)
	}()
	if err != nil {
		<-exited
		return fmt.Errorf("replica %s does not start: %w\n%s", r.Name, err, &r.log)
	}
	var ready struct{ Private string }
	if err := json.Unmarshal(line, &ready); err != nil {
		return fmt.Errorf("replica %s: ready line %q: %w", r.Name, line, err)
	}
	r.private = ready.Private
	return nil
}

// restart is what a rolling restart does to one replica.
func (r *replica) restart() error {
	r.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-r.exited; err != nil {
		return fmt.Errorf("replica %s: %w\n%s", r.Name, err, &r.log)
	}
	return r.start()
}

// startNginx runs it as an ordinary user, by the configuration that the stack
// of the measurements has.
func (s *site) startNginx() {
	dir, err := os.MkdirTemp("", "authbench-security-nginx-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if u, err := user.Lookup("nobody"); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		os.Chown(dir, uid, gid)
	}
	text, err := os.ReadFile("../stack/nginx.conf.tmpl")
	if err != nil {
		s.Fatal(err)
	}
	var conf bytes.Buffer
	listen := freeAddress(s.T)
	type fields map[string]any
	pool := fields{"Name": "replicas", "Balancer": trial.RoundRobin, "Replicas": s.replicas}
	front, sticky := fields{"Listen": listen, "Pool": pool, "Target": "replicas", "Sticky": s.sticky}, []fields(nil)
	if s.sticky {
		front["Target"], sticky = "$route_replicas", []fields{pool}
	}
	if err := template.Must(template.New("nginx").Parse(string(text))).Execute(&conf, fields{
		"Status": freeAddress(s.T), "Pools": []fields{pool}, "Sites": []fields{front}, "StickyPools": sticky,
		"Files": 4096, "Connections": 2048, "Tries": replicas, "ClientCookie": trial.ClientCookie, "RouteCookie": trial.RouteCookie,
	}); err != nil {
		s.Fatal(err)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, conf.Bytes(), 0o644); err != nil {
		s.Fatal(err)
	}
	nginx := stack.FindProgram("nginx")
	if nginx == "" {
		s.Fatal("nginx is not installed: apt-get install nginx")
	}
	cmd := exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", file)
	var log bytes.Buffer
	cmd.Stderr, cmd.SysProcAttr = &log, attr
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if s.Failed() {
			s.Logf("nginx:\n%s", &log)
		}
	})
	s.url = "http://" + listen
	for deadline := time.Now().Add(20 * time.Second); ; {
		res, err := http.Get(s.url + "/healthz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.Fatalf("nginx does not serve: %v\n%s", err, &log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// client is one user behind nginx, with a connection of their own.
type client struct {
	http       *http.Client
	url        string
	user       string
	authHeader string
	cookie     string
	route      string // to the replica that answered, where nginx is sticky
}

func (s *site) client(user int) *client {
	c := &client{http: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}, url: s.url, user: fmt.Sprintf("user-%06d", user)}
	s.Cleanup(c.http.CloseIdleConnections)
	return c
}

// answer is what a client got; err is a broken connection.
type answer struct {
	status  int
	body    string
	replica string
	header  http.Header
	err     error
}

// do sends a request with the client's credential, and more headers if there
// are any.
func (c *client) do(method, path, body string, headers ...http.Header) answer {
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if body == "" {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.Header.Set("Content-Type", "application/json")
	if c.authHeader != "" {
		req.Header.Set("Authorization", c.authHeader)
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	for _, h := range headers {
		maps.Copy(req.Header, h)
	}
	if c.route != "" {
		req.AddCookie(&http.Cookie{Name: trial.RouteCookie, Value: c.route})
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	for _, k := range res.Cookies() {
		if k.Name == trial.RouteCookie {
			c.route = k.Value
		}
	}
	if path == "/login" && res.StatusCode == http.StatusOK {
		c.keep(res, b)
	}
	return answer{res.StatusCode, string(b), res.Header.Get("X-Replica"), res.Header, err}
}

// keep keeps what a log-in gave.
func (c *client) keep(res *http.Response, body []byte) {
	var got struct {
		Token string `json:"access_token"`
	}
	json.Unmarshal(body, &got)
	if got.Token != "" {
		c.authHeader = "Bearer " + got.Token
	}
	if i := slices.IndexFunc(res.Cookies(), func(k *http.Cookie) bool { return k.MaxAge > 0 }); i >= 0 {
		c.cookie = res.Cookies()[i].Name + "=" + res.Cookies()[i].Value
	}
}

func (c *client) login() answer { return c.loginBy(account.SeedPassword) }

func (c *client) loginBy(password string) answer {
	return c.do("POST", "/login", fmt.Sprintf(`{"username":%q,"password":%q}`, c.user, password))
}
