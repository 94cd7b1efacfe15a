package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	out       bool      // nginx sends nothing new to it
	says      []setting // what its /config must say besides what the spec asks for
}

// launch says how a replica is started. Labels, flags and checks derive from it.
type launch struct {
	spec     trial.CellSpec
	kind     arm.Kind
	place    place
	name     string
	number   int    // 1, 2, ...; 0 for one that only mints
	cpus     string // list
	single   bool   // Go code on one thread
	redis    string // URL for the replica; empty where it has none
	postgres string // likewise; holds a password
}

func (n *Runtime) launch(s *Stack, number int) launch {
	return launch{spec: s.spec, kind: arm.Of(s.spec.System.Arm), place: s.place, name: "r" + strconv.Itoa(number), number: number,
		cpus: n.opts.SystemCPUs, single: n.oneThread(s.spec), redis: s.redis, postgres: s.postgres}
}

// settings are the server's, by flag: what every measured replica has, what makes
// the arm, and what the spec asks for. They start the replica, and its /config
// must repeat them.
func (l launch) settings() map[string]string {
	all := map[string]string{
		"replica": l.name, "idle-timeout": "0s", "touch": "never", "leeway": "0s",
		trial.SettingAccounts: "memory", "seed-users": strconv.Itoa(l.spec.System.Users),
		"insecure-cookies": "true", "mint": "true", // plain HTTP on loopback
	}
	maps.Copy(all, l.kind.Server)
	maps.Copy(all, l.spec.System.Server)
	if l.redis != "" {
		all["redis"] = l.redis
	}
	return all
}

// args are a server's flags: its addresses and the folder of its keys, which the
// host decides, and the settings.
func (l launch) args(listen, private, keys string) []string {
	args := []string{"-listen", listen, "-private", private}
	settings := l.settings()
	for _, flag := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-"+flag+"="+settings[flag])
	}
	if l.kind.Keys {
		args = append(args, "-keys", keys)
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
	w := []setting{{"arm", string(l.spec.System.Arm.Base())}, {"credential", string(l.kind.Carrier)}}
	settings := l.settings()
	for _, flag := range slices.Sorted(maps.Keys(settings)) {
		w = append(w, setting{strings.ReplaceAll(flag, "-", "_"), settings[flag]})
	}
	if l.single {
		w = append(w, setting{"gomaxprocs", "1"})
	}
	if u, err := url.Parse(l.postgres); err == nil && l.postgres != "" {
		w = append(w, setting{"postgres", u.Scheme + "://" + u.Host + u.Path})
	}
	return w
}
