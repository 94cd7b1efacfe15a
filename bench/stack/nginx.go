package stack

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"text/template"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/process"
	"authbench/bench/trial"
)

//go:embed nginx.conf.tmpl
var nginxTemplate string

// nginxConfig is what the template is filled with.
type nginxConfig struct {
	Dir            string // for its files; must be writable by nginx' user
	Listen, Status string // host:port
	Balancer       trial.Balancer
	Replicas       []upstream
	Files          uint64 // open files of the worker
	Connections    int    // of the worker, both sides together
}

// upstream is one replica as nginx sees it.
type upstream struct {
	Name    string
	Address string // host:port
}

// Pattern matches the address in a regular expression.
func (u upstream) Pattern() string { return regexp.QuoteMeta(u.Address) }

// Tries is how many replicas one request may be sent to.
func (c nginxConfig) Tries() int { return min(len(c.Replicas), 3) }

// ClientCookie names the cookie of cookie_hash.
func (c nginxConfig) ClientCookie() string { return trial.ClientCookie }

// RouteCookie names the cookie of sticky.
func (c nginxConfig) RouteCookie() string { return trial.RouteCookie }

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

// startNginx starts nginx before the replicas. What is wrong with the
// configuration stands in the error.
func (n *Native) startNginx(ctx context.Context, s *Stack, spec trial.Spec) error {
	dir, err := n.userFolder("nginx")
	if err != nil {
		return err
	}
	conf := nginxConfig{Dir: dir, Balancer: spec.Balancer, Files: openFiles(), Connections: 8192}
	conf.Connections = min(conf.Connections, int(conf.Files))
	for _, r := range s.Replicas {
		conf.Replicas = append(conf.Replicas, upstream{r.Name, r.address()})
	}
	component, err := n.component("nginx", trial.BalancerTier)
	if err != nil {
		return err
	}
	p, err := onFreePort(2, func(addr []string) (*process.Process, error) {
		conf.Listen, conf.Status = addr[0], addr[1]
		text, err := conf.render()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("write the nginx configuration: %w", err)
		}
		p, err := n.ledger.Start(process.Command{
			Name: "nginx", Path: n.programs.nginx, Args: []string{"-e", "stderr", "-p", dir, "-c", file},
			CPUs: n.opts.SystemCPUs, Groups: component.groupDirs(), Credential: n.user.credential(),
			StopSignal: syscall.SIGTERM, DeathSignal: syscall.SIGTERM, // the master takes its worker along
		})
		if err != nil {
			return nil, err
		}
		return p, ready(ctx, p, func(ctx context.Context) error { return answers(ctx, "http://"+conf.Status+"/status") })
	})
	if err != nil {
		return fmt.Errorf("nginx does not start: %w", err)
	}
	component.run(p)
	s.nginx = p
	s.URL = "http://" + conf.Listen
	s.NginxStatusURL = "http://" + conf.Status + "/status"
	s.routeURL = "http://" + conf.Status + "/route"
	s.Components = append(s.Components, component)
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

const (
	readyWait  = 30 * time.Second // for a program to serve
	readyPoll  = 5 * time.Millisecond
	portTries  = 5
	clashWords = "address already in use"
)

// ready polls until ok returns nil. A program that ends meanwhile, or is not
// ready in time, is an error with its log's tail, and is stopped.
func ready(ctx context.Context, p *process.Process, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return p.Died()
		case <-ctx.Done():
			p.Stop(context.WithoutCancel(ctx))
			return fmt.Errorf("%s is not ready: %w (%w); end of %s:\n%s", p.Name, context.Cause(ctx), err, p.Log, p.Tail())
		case <-tick.C:
		}
	}
}

// onFreePort calls start with n free loopback addresses, again with others when
// somebody else took one in between.
func onFreePort(n int, start func(addr []string) (*process.Process, error)) (p *process.Process, err error) {
	for range portTries {
		var addr []string
		if addr, err = freePorts(n); err != nil {
			return nil, err
		}
		if p, err = start(addr); err == nil || !strings.Contains(strings.ToLower(err.Error()), clashWords) {
			return p, err
		}
	}
	return nil, fmt.Errorf("a port was taken by somebody else %d times in a row: %w", portTries, err)
}

// answers says whether a URL answers 200.
func answers(ctx context.Context, url string) error {
	_, err := get(ctx, url, nil)
	return err
}

// get fetches a URL; any status but 200 is an error.
func get(ctx context.Context, url string, edit func(*http.Request)) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if edit != nil {
		edit(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.StatusCode != http.StatusOK {
		return resp, fmt.Errorf("%s: %s: %.200s", url, resp.Status, body)
	}
	return resp, nil
}
