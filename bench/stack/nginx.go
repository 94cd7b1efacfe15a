package stack

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"text/template"

	"golang.org/x/sys/unix"

	"authbench/bench/trial"
)

//go:embed nginx.conf.tmpl
var nginxTemplate string

// nginxConfig is what the template is filled with.
type nginxConfig struct {
	Status      string // host:port of the listener that is not for clients
	Pools       []pool
	Sites       []site
	Files       uint64 // open files of the worker
	Connections int    // of the worker, both sides together
	Generation  int    // says at /generation which configuration it serves by; 0 is the first, which says nothing
}

// pool is a set of replicas that can stand in for each other.
type pool struct {
	Name     string
	Balancer trial.Balancer
	Replicas []upstream
}

// site is a listener for clients.
type site struct {
	Listen string // host:port
	Pool   pool
	Sticky bool   // by a route cookie, whatever the pool's balancer
	Answer string // of a site without a pool: every request gets it, with status 200
}

// upstream is one replica as nginx sees it.
type upstream struct {
	Name    string
	Address string // host:port
	Down    bool   // gets nothing new
}

// Pattern matches the address that nginx says it has asked, in a regular
// expression. nginx resolves names, so of a host with a name only the port is
// left: there each replica needs a port of its own.
func (u upstream) Pattern() string {
	host, port, err := net.SplitHostPort(u.Address)
	if err == nil && net.ParseIP(host) == nil {
		return ":" + port
	}
	return regexp.QuoteMeta(u.Address)
}

// StickyPools are those that a sticky site uses.
func (c nginxConfig) StickyPools() (pools []pool) {
	for _, s := range c.Sites {
		if s.Sticky {
			pools = append(pools, s.Pool)
		}
	}
	return pools
}

// Target is where a site's requests go.
func (s site) Target() string {
	if s.Sticky {
		return "$route_" + s.Pool.Name
	}
	return s.Pool.Name
}

// Tries is how many replicas one request may be sent to.
func (c nginxConfig) Tries() int {
	most := 0
	for _, p := range c.Pools {
		most = max(most, len(p.Replicas))
	}
	return min(most, 3)
}

// ClientCookie names the cookie of cookie_hash.
func (c nginxConfig) ClientCookie() string { return trial.ClientCookie }

// RouteCookie names the cookie of sticky.
func (c nginxConfig) RouteCookie() string { return trial.RouteCookie }

// newNginxConfig is one site in front of the replicas of a stack.
func newNginxConfig(listen, status string, b trial.Balancer, replicas []Replica) nginxConfig {
	p := pool{Name: "replicas", Balancer: b}
	for _, r := range replicas {
		p.Replicas = append(p.Replicas, upstream{r.Name, r.upstream, r.out})
	}
	c := bareNginxConfig(status, site{Listen: listen, Pool: p, Sticky: b == trial.Sticky})
	c.Pools = []pool{p}
	return c
}

// bareNginxConfig is a site with no replica behind it yet.
func bareNginxConfig(status string, s site) nginxConfig {
	files := openFiles()
	return nginxConfig{Status: status, Files: files, Connections: min(8192, int(files)), Sites: []site{s}}
}

// render writes the configuration.
func (c nginxConfig) render() (string, error) {
	t, err := template.New("nginx.conf").Parse(nginxTemplate)
	if err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, c); err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	return b.String(), nil
}

// write writes the configuration into a file.
func (c nginxConfig) write(file string) error {
	text, err := c.render()
	if err != nil {
		return err
	}
	// in place, for a container that has this very file; another user reads it, whatever our mask is
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chmod(file, 0o644)); err != nil {
		return fmt.Errorf("write the nginx configuration: %w", err)
	}
	return nil
}

// openFiles is as many as a worker may have without being root.
func openFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return min(limit.Max, 65536)
}
