package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// nginx implements host.
func (n *native) nginx(ctx context.Context, p place, b trial.Balancer, replicas []Replica) (up balancer, err error) {
	up, err = n.startNginx(ctx, p, func(listen, status string) nginxConfig { return newNginxConfig(listen, status, b, replicas) })
	listen, status := strings.TrimPrefix(up.url, scheme), strings.TrimPrefix(up.statusURL, scheme)
	up.rewrite = func(replicas []Replica, generation int) error {
		c := newNginxConfig(listen, status, b, replicas)
		c.Generation = generation
		return c.write(filepath.Join(n.ledger.Dir(), string(p)+"nginx", nginxFile))
	}
	return up, err
}

const (
	scheme    = "http://"
	nginxFile = "nginx.conf" // in nginx's folder
)

// StartSite starts nginx alone on some CPUs (a list such as "1"). It answers
// every request with 200 and the same JSON out of its configuration, so that
// hardly anything but the client costs CPU. The answer must hold neither ' nor $.
// The stack's Down ends it, as does closing the ledger.
func StartSite(ctx context.Context, l *process.Ledger, cpus, answer string) (*Stack, error) {
	if strings.ContainsAny(answer, "'$") {
		return nil, fmt.Errorf("answer %q: nginx would not send ' and $ as they are", answer)
	}
	n := &native{ledger: l, opts: Options{SystemCPUs: cpus}}
	if n.programs.nginx = FindProgram("nginx"); n.programs.nginx == "" {
		return nil, errors.New("missing: nginx: run make setup")
	}
	var err error
	if n.user, err = ordinaryUser(); err != nil {
		return nil, err
	}
	up, err := n.startNginx(ctx, "", func(listen, status string) nginxConfig {
		return bareNginxConfig(status, site{Listen: listen, Answer: answer})
	})
	if err != nil {
		return nil, err
	}
	return &Stack{URL: up.url, NginxStatusURL: up.statusURL + "/status", Components: up.components}, nil
}

// startNginx starts it with what config makes of two addresses.
// What is wrong with the configuration stands in the error.
func (n *native) startNginx(ctx context.Context, p place, config func(listen, status string) nginxConfig) (up balancer, err error) {
	dir, err := n.userFolder(string(p) + "nginx")
	if err != nil {
		return up, err
	}
	component, err := n.component(p, "nginx", trial.BalancerTier)
	if err != nil {
		return up, err
	}
	_, err = onFreePort(2, func(addr []string) (*child, error) {
		file := filepath.Join(dir, nginxFile)
		if err := config(addr[0], addr[1]).write(file); err != nil {
			return nil, err
		}
		up.url, up.statusURL = scheme+addr[0], scheme+addr[1]
		return n.child(ctx, component, process.Command{
			Name: "nginx", Path: n.programs.nginx, Args: []string{"-e", "stderr", "-p", dir, "-c", file},
			CPUs: n.opts.SystemCPUs, Credential: n.user.credential(),
			StopSignal: syscall.SIGTERM, DeathSignal: syscall.SIGTERM, // the master takes its worker along
		}, func(ctx context.Context) error { return answers(ctx, up.statusURL+"/status") })
	})
	if err != nil {
		return up, fmt.Errorf("nginx does not start: %w", err)
	}
	up.components = []*Component{component}
	return up, nil
}
