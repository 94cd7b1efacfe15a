package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Replica is one running server.
type Replica struct {
	Name       string // r1, r2, ...
	URL        string // past the balancer
	PrivateURL string // /metrics, /config

	process *process.Process
}

// address is its public listener's host:port.
func (r Replica) address() string { return strings.TrimPrefix(r.URL, "http://") }

// startReplicas starts r1, r2, ... one after another, and checks each: the
// first makes what all share, the keys and the schema.
func (n *Native) startReplicas(ctx context.Context, s *Stack, spec trial.Spec) error {
	for i := range spec.Replicas {
		r, c, err := n.startReplica(ctx, n.launch(spec, "r"+strconv.Itoa(i+1)))
		if r.process != nil {
			s.Replicas = append(s.Replicas, r)
			s.Components = append(s.Components, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// launch says how a replica is started.
type launch struct {
	spec     trial.Spec
	name     string
	cpus     string
	single   bool   // Go code on one thread
	postgres string // URL
}

func (n *Native) launch(spec trial.Spec, name string) launch {
	l := launch{spec: spec, name: name, cpus: n.opts.SystemCPUs, single: n.oneThread(spec)}
	if n.postgres != nil {
		l.postgres = n.postgres.url
	}
	return l
}

func (n *Native) startReplica(ctx context.Context, l launch) (Replica, *Component, error) {
	r := Replica{Name: l.name}
	c, err := n.component(l.name, trial.ReplicaTier)
	if err != nil {
		return r, nil, err
	}
	var line firstLine
	p, err := n.ledger.Start(process.Command{
		Name: l.name, Path: n.programs.server, Args: n.replicaArgs(l.spec, l.name), Env: l.env(),
		CPUs: l.cpus, Groups: c.groupDirs(), Stdout: &line,
		StopSignal: syscall.SIGTERM, Grace: 3 * time.Second,
	})
	if err != nil {
		return r, nil, err
	}
	r.process = p
	c.run(p)
	var said struct{ Listen, Private string }
	err = ready(ctx, p, func(context.Context) error {
		text, ok := line.get()
		if !ok {
			return fmt.Errorf("it has not said where it listens")
		}
		return json.Unmarshal(text, &said)
	})
	if err != nil {
		return r, c, fmt.Errorf("replica %s does not start: %w", l.name, err)
	}
	r.URL, r.PrivateURL = "http://"+said.Listen, "http://"+said.Private
	return r, c, n.checkReplica(ctx, l, r)
}

// replicaArgs derive from the spec alone, as labels do.
func (n *Native) replicaArgs(spec trial.Spec, name string) []string {
	args := []string{
		"-listen", "127.0.0.1:0", "-private", "127.0.0.1:0", "-replica", name,
		"-auth", spec.Arm.Auth, "-lifetime", spec.Lifetime.String(), "-idle-timeout", "0s", "-touch", "never", "-leeway", "0s",
		"-pool", strconv.Itoa(spec.Pool), "-accounts", "memory", "-seed-users", strconv.Itoa(spec.Users),
		"-insecure-cookies", "-mint", // plain HTTP on loopback
	}
	if spec.Arm.Store != "" {
		args = append(args, "-store", spec.Arm.Store)
	}
	if spec.Arm.Alg != "" {
		args = append(args, "-alg", spec.Arm.Alg, "-keys", n.keys)
	}
	if spec.Arm.Carrier != "" {
		args = append(args, "-credential", spec.Arm.Carrier)
	}
	if spec.StoreTimeout != 0 {
		args = append(args, "-store-timeout", spec.StoreTimeout.String())
	}
	if spec.Argon2 != "" {
		args = append(args, "-argon2", spec.Argon2)
	}
	if spec.Arm.Store == "redis" || spec.Arm.Auth == "jwt" {
		args = append(args, "-redis", n.redis.url)
	}
	return args
}

// env holds what must not be seen in a process list.
func (l launch) env() []string {
	var env []string
	if l.spec.Arm.Store == "postgres" {
		env = append(env, "AUTHBENCH_POSTGRES="+l.postgres)
	}
	if l.single {
		env = append(env, "GOMAXPROCS=1")
	}
	return env
}

// oneThread says whether a replica runs Go code on one thread: where it has
// less than a CPU, a second thread only burns the budget faster.
func (n *Native) oneThread(spec trial.Spec) bool {
	if b := spec.Budgets[trial.ReplicaTier]; b > 0 && b <= 1 {
		return true
	}
	cpus, err := process.ParseCPUs(n.opts.SystemCPUs)
	if err != nil { // no pins
		cpus, _ = process.AvailableCPUs()
	}
	return len(cpus) == 1
}

// checkReplica compares what a replica says of itself with what was asked for.
func (n *Native) checkReplica(ctx context.Context, l launch, r Replica) error {
	resp, err := get(ctx, r.PrivateURL+"/config", nil)
	if err != nil {
		return fmt.Errorf("replica %s: read its settings: %w", r.Name, err)
	}
	var got map[string]any
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber()
	if err := dec.Decode(&got); err != nil {
		return fmt.Errorf("replica %s: read its settings: %w", r.Name, err)
	}
	for _, want := range n.wanted(l, r) {
		if text := fmt.Sprint(got[want.field]); text != want.value {
			return fmt.Errorf("replica %s: %s: wanted %s, got %s", r.Name, want.field, want.value, text)
		}
	}
	return nil
}

type setting struct{ field, value string }

// wanted is the part of /config that a spec decides.
func (n *Native) wanted(l launch, r Replica) []setting {
	spec := l.spec
	carrier := "none"
	switch {
	case spec.Arm.Auth == "none":
	case spec.Arm.InCookie():
		carrier = "cookie"
	default:
		carrier = "header"
	}
	w := []setting{
		{"arm", trial.Arm{Auth: spec.Arm.Auth, Store: spec.Arm.Store, Alg: spec.Arm.Alg}.String()},
		{"replica", r.Name}, {"pid", strconv.Itoa(r.process.PID)}, {"listen", r.address()}, {"private", strings.TrimPrefix(r.PrivateURL, "http://")},
		{"credential", carrier}, {"lifetime", spec.Lifetime.String()}, {"idle_timeout", "0s"}, {"touch", "never"}, {"leeway", "0s"},
		{"pool", strconv.Itoa(spec.Pool)}, {"accounts", "memory"}, {"seed_users", strconv.Itoa(spec.Users)},
		{"mint", "true"}, {"insecure_cookies", "true"}, {"unlogged", "false"},
	}
	if spec.StoreTimeout != 0 {
		w = append(w, setting{"store_timeout", spec.StoreTimeout.String()})
	}
	if spec.Argon2 != "" {
		w = append(w, setting{"argon2", spec.Argon2})
	}
	if l.single {
		w = append(w, setting{"gomaxprocs", "1"})
	}
	switch spec.Arm.Store {
	case "redis":
		w = append(w, setting{"redis", n.redis.url})
	case "postgres":
		u, err := url.Parse(l.postgres)
		if err == nil {
			w = append(w, setting{"postgres", u.Scheme + "://" + u.Host + u.Path})
		}
	}
	return w
}

// firstLine keeps the first line that is written to it.
type firstLine struct {
	mu   sync.Mutex
	text []byte
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !bytes.ContainsRune(f.text, '\n') {
		f.text = append(f.text, b...)
	}
	return len(b), nil
}

func (f *firstLine) get() ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, ok := bytes.Cut(f.text, []byte("\n"))
	return bytes.Clone(line), ok
}
