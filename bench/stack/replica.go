package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"authbench/bench/arm"
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
	kind     arm.Kind
	name     string
	number   int    // 1, 2, ...; 0 for one that only mints
	cpus     string // list
	single   bool   // Go code on one thread
	redis    string // URL for the replica; empty where it has none
	postgres string // likewise; holds a password
}

func (n *Runtime) launch(spec trial.Spec, number int) launch {
	l := launch{spec: spec, kind: arm.Of(spec.Arm), name: "r" + strconv.Itoa(number), number: number, cpus: n.opts.SystemCPUs, single: n.oneThread(spec)}
	if there, _ := l.kind.Uses("redis"); there {
		l.redis = n.redis.forReplicas()
	}
	if there, _ := l.kind.Uses("postgres"); there {
		l.postgres = n.postgres.forReplicas()
	}
	return l
}

// args are a server's flags: its addresses and the folder of its keys, which the
// host decides, and what follows from the spec.
func (l launch) args(listen, private, keys string) []string {
	spec := l.spec
	args := []string{
		"-listen", listen, "-private", private, "-replica", l.name,
		"-lifetime", spec.Lifetime.String(), "-idle-timeout", "0s", "-touch", "never", "-leeway", "0s",
		"-pool", strconv.Itoa(spec.Pool), "-accounts", "memory", "-seed-users", strconv.Itoa(spec.Users),
		"-insecure-cookies", "-mint", // plain HTTP on loopback
	}
	for _, flag := range slices.Sorted(maps.Keys(l.kind.Server)) {
		args = append(args, "-"+flag, l.kind.Server[flag])
	}
	if l.kind.Keys {
		args = append(args, "-keys", keys)
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
	w := []setting{
		{"arm", string(spec.Arm.Base())}, {"replica", l.name},
		{"credential", string(l.kind.Carrier)}, {"lifetime", spec.Lifetime.String()}, {"idle_timeout", "0s"}, {"touch", "never"}, {"leeway", "0s"},
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
