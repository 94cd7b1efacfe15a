package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// container is one that this runtime has started.
type container struct {
	name    string
	serves  func(context.Context) error // nil once it does
	ports   map[int]string              // published on loopback, the same in every life
	asked   atomic.Bool                 // its end was asked for
	removed atomic.Bool

	mu   sync.Mutex
	life life    // the present one, or the last
	past float64 // CPU-seconds of those before, as read just before they were ended
}

// life is a container from one start to its end.
type life struct {
	main  process.ID // its first process, as this machine knows it
	group *group     // the engine's control group of it, for reading
	inner string     // its address within the network, which nginx asks the engine for once
}

func (c *container) now() life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life
}

// inspect finds out about running containers. One that has ended already is an
// error with the end of its log.
func inspect(ctx context.Context, names ...string) ([]*container, error) {
	out, err := docker(ctx, append([]string{"container", "inspect"}, names...)...)
	if err != nil {
		return nil, err
	}
	var said []struct {
		ID              string `json:"Id"`
		State           struct{ Pid int }
		NetworkSettings struct {
			Ports    map[string][]struct{ HostIp, HostPort string }
			Networks map[string]struct{ IPAddress string }
		}
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("docker inspect: %w", err)
	}
	var all []*container
	for i, s := range said {
		c := &container{name: names[i], ports: map[int]string{}}
		for port, hosts := range s.NetworkSettings.Ports {
			number, _, _ := strings.Cut(port, "/")
			if n, err := strconv.Atoi(number); err == nil && len(hosts) > 0 {
				c.ports[n] = hosts[0].HostIp + ":" + hosts[0].HostPort
			}
		}
		if s.State.Pid == 0 {
			return nil, c.ended()
		}
		if c.life.main, err = process.Identify(s.State.Pid); err != nil {
			again, _ := docker(ctx, "container", "inspect", "--format", "{{.State.Running}}", c.name)
			if strings.TrimSpace(string(again)) != "true" {
				return nil, c.ended()
			}
			return nil, notHere(c.name)
		}
		if c.life.group, err = groupOfContainer(c.life.main.PID); err != nil {
			return nil, err
		}
		if !strings.Contains(c.life.group.account, s.ID) { // the number is somebody else's here
			return nil, notHere(c.name)
		}
		for _, n := range s.NetworkSettings.Networks { // there is one
			c.life.inner = n.IPAddress
		}
		all = append(all, c)
	}
	return all, nil
}

func notHere(name string) error {
	return fmt.Errorf("the processes of container %s are not on this machine: the Docker engine must run here, not in a virtual "+
		"machine or elsewhere", name)
}

// groupOfContainer is the control group that the engine made, by any process in it.
func groupOfContainer(pid int) (*group, error) {
	account, err1 := process.GroupOf(pid, "cpuacct")
	cpu, err2 := process.GroupOf(pid, "cpu")
	if err1 == nil && err2 == nil {
		return &group{version: 1, cpu: cpu, account: account}, nil
	}
	dir, err := process.GroupOf(pid, "")
	if err != nil {
		return nil, fmt.Errorf("the CPU time of containers cannot be read here: %w", errors.Join(err1, err2, err))
	}
	return &group{version: 2, cpu: dir, account: dir}, nil
}

// address is where a port of the container is published on loopback.
func (c *container) address(port int) string { return c.ports[port] }

// Died implements unit.
func (c *container) Died() error {
	if c.asked.Load() || c.now().main.Alive() {
		return nil
	}
	return c.ended()
}

// ended says how the container ended.
func (c *container) ended() error {
	out, err := docker(context.Background(), "container", "inspect",
		"--format", "status {{.State.ExitCode}}{{if .State.OOMKilled}}, out of memory{{end}}", c.name)
	how := strings.TrimSpace(string(out))
	if err != nil {
		how = err.Error()
	}
	return fmt.Errorf("container %s ended: %s; end of its log:\n%s", c.name, how, c.Tail())
}

// Stop implements unit: it ends and removes the container.
func (c *container) Stop(ctx context.Context) error {
	c.asked.Store(true)
	if c.removed.Swap(true) {
		return nil
	}
	_, err := docker(ctx, "container", "stop", "--time", "3", c.name)
	_, rmErr := docker(context.WithoutCancel(ctx), "container", "rm", "--force", "--volumes", c.name)
	if rmErr == nil {
		return nil // gone is what was asked for
	}
	return errors.Join(err, rmErr)
}

// Signal implements unit.
func (c *container) Signal(sig syscall.Signal) error {
	_, err := docker(context.Background(), "container", "kill", "--signal", strconv.Itoa(int(sig)), c.name)
	return err
}

// PIDs implements unit.
func (c *container) PIDs() []int { return c.now().group.pids() }

// Tail implements unit.
func (c *container) Tail() string {
	cmd := exec.Command("docker", "container", "logs", "--tail", "20", c.name)
	cmd.Env = process.DockerEnvironment()
	out, err := cmd.CombinedOutput() // servers log to standard error
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return strings.TrimSpace(string(out))
}

// component accounts for a container on its own.
func (c *container) component(name string, tier trial.Tier) *Component {
	return &Component{name: name, tier: tier, unit: c, group: c.now().group, limit: func(cpus float64) error {
		quota, period := quotaOf(cpus)
		_, err := docker(context.Background(), "container", "update", "--cpu-period", strconv.Itoa(period), "--cpu-quota",
			strconv.Itoa(quota), c.name)
		return err
	}}
}

// forwarder is the engine's own process that carries what comes to a published
// port into a container. It is not ours to end: it goes with the container.
type forwarder struct{ id process.ID }

// findForwarder finds it by its command line. There is none where the engine
// leaves that work to the kernel.
func findForwarder(address string) (forwarder, bool) {
	_, port, _ := strings.Cut(address, ":")
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		args := strings.Split(string(b), "\x00")
		if filepath.Base(args[0]) != "docker-proxy" {
			continue
		}
		for i, a := range args[:len(args)-1] {
			if a == "-host-port" && args[i+1] == port {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				id, err := process.Identify(pid)
				return forwarder{id}, err == nil
			}
		}
	}
	return forwarder{}, false
}

func (f forwarder) Died() error                { return nil }
func (f forwarder) Stop(context.Context) error { return nil }
func (f forwarder) Tail() string               { return "" }

// CPU implements unit.
func (f forwarder) CPU() (used, collected float64, err error) {
	d, err := process.CPU(f.id.PID)
	return d.Seconds(), 0, err
}

// Signal implements unit.
func (f forwarder) Signal(syscall.Signal) error {
	return errors.New("the engine's forwarder is not ours to signal")
}

// PIDs implements unit.
func (f forwarder) PIDs() []int {
	if !f.id.Alive() {
		return nil
	}
	return []int{f.id.PID}
}
