package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"authbench/bench/trial"
)

// Replica is one running server.
type Replica struct {
	Name       string // r1, r2, ...
	URL        string // past the balancer
	PrivateURL string // /metrics, /config

	component *Component
	upstream  string    // host:port of its public listener, as nginx reaches it
	says      []setting // what its /config must say besides what the spec asks for
}

// launch says how a replica is started. Labels, flags and checks derive from it.
type launch struct {
	spec     trial.Spec
	name     string
	number   int    // 1, 2, ...; 0 for one that only mints
	cpus     string // list
	single   bool   // Go code on one thread
	redis    string // URL for the replica; empty where it has none
	postgres string // likewise; holds a password
}

func (n *Runtime) launch(spec trial.Spec, number int) launch {
	l := launch{spec: spec, name: "r" + strconv.Itoa(number), number: number, cpus: n.opts.SystemCPUs, single: n.oneThread(spec)}
	if spec.Arm.Store == "redis" || spec.Arm.Auth == "jwt" {
		l.redis = n.redis.inside
	}
	if spec.Arm.Store == "postgres" {
		l.postgres = n.postgres.inside
	}
	return l
}

// args are a server's flags: its addresses and the folder of its keys, which the
// host decides, and what follows from the spec.
func (l launch) args(listen, private, keys string) []string {
	spec := l.spec
	args := []string{
		"-listen", listen, "-private", private, "-replica", l.name,
		"-auth", spec.Arm.Auth, "-lifetime", spec.Lifetime.String(), "-idle-timeout", "0s", "-touch", "never", "-leeway", "0s",
		"-pool", strconv.Itoa(spec.Pool), "-accounts", "memory", "-seed-users", strconv.Itoa(spec.Users),
		"-insecure-cookies", "-mint", // plain HTTP on loopback
	}
	if spec.Arm.Store != "" {
		args = append(args, "-store", spec.Arm.Store)
	}
	if spec.Arm.Alg != "" {
		args = append(args, "-alg", spec.Arm.Alg, "-keys", keys)
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
	if l.redis != "" {
		args = append(args, "-redis", l.redis)
	}
	return args
}

// env holds what must not be seen in a process list.
func (l launch) env() map[string]string {
	env := map[string]string{}
	if l.postgres != "" {
		env["AUTHBENCH_POSTGRES"] = l.postgres
	}
	if l.single {
		env["GOMAXPROCS"] = "1"
	}
	return env
}

// checkReplica compares what a replica says of itself with what was asked for.
func checkReplica(ctx context.Context, l launch, r Replica) error {
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
	for _, want := range append(l.wanted(), r.says...) {
		if text := fmt.Sprint(got[want.field]); text != want.value {
			return fmt.Errorf("replica %s: %s: wanted %s, got %s", r.Name, want.field, want.value, text)
		}
	}
	return nil
}

type setting struct{ field, value string }

// wanted is the part of /config that a launch decides.
func (l launch) wanted() []setting {
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
		{"arm", trial.Arm{Auth: spec.Arm.Auth, Store: spec.Arm.Store, Alg: spec.Arm.Alg}.String()}, {"replica", l.name},
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
	if l.redis != "" {
		w = append(w, setting{"redis", l.redis})
	}
	if u, err := url.Parse(l.postgres); err == nil && l.postgres != "" {
		w = append(w, setting{"postgres", u.Scheme + "://" + u.Host + u.Path})
	}
	return w
}
