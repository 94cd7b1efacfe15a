package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// nginx implements host. What is wrong with the configuration stands in the error.
func (n *native) nginx(ctx context.Context, b trial.Balancer, replicas []Replica) (up balancer, err error) {
	dir, err := n.userFolder("nginx")
	if err != nil {
		return up, err
	}
	component, err := n.component("nginx", trial.BalancerTier)
	if err != nil {
		return up, err
	}
	p, err := onFreePort(2, func(addr []string) (*process.Process, error) {
		text, err := newNginxConfig(dir, addr[0], addr[1], b, replicas).render()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("write the nginx configuration: %w", err)
		}
		p, err := n.ledger.Start(process.Command{
			Name: "nginx", Path: n.programs.nginx, Args: []string{"-e", "stderr", "-p", dir, "-c", file},
			CPUs: n.opts.SystemCPUs, Groups: component.group.dirs(), Credential: n.user.credential(),
			StopSignal: syscall.SIGTERM, DeathSignal: syscall.SIGTERM, // the master takes its worker along
		})
		if err != nil {
			return nil, err
		}
		up.url, up.statusURL = "http://"+addr[0], "http://"+addr[1]
		return p, ready(ctx, p.Name, p, func(ctx context.Context) error { return answers(ctx, up.statusURL+"/status") })
	})
	if err != nil {
		return up, fmt.Errorf("nginx does not start: %w", err)
	}
	component.unit = p
	up.components = []*Component{component}
	return up, nil
}
