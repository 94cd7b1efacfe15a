package stack

import (
	"context"
	"fmt"
	"strings"
)

// Kinds of runtimes, as they are asked for.
const (
	KindAuto    = "auto"    // native where its programs are here, else compose
	KindNative  = "native"  // processes of this machine
	KindCompose = "compose" // containers
)

// ParseKind finds out what kind of runtime a name asks for.
func ParseKind(name string) (string, error) {
	kinds := []string{KindAuto, KindNative, KindCompose}
	for _, k := range kinds {
		if k == name {
			return k, nil
		}
	}
	return "", fmt.Errorf("unknown runtime %q: want one of %s", name, strings.Join(kinds, ", "))
}

// NoSources is what a reader should know of ip_hash in containers.
const NoSources = "to nginx in a container all requests come from one address, the engine's: ip_hash sends them to one replica"

// NoProxies is what a reader should know of slow and cut in containers.
const NoProxies = "the proxy is a part of this process, on loopback, where containers do not reach it"

// NoRelaunches is what a reader should know of replicas in containers.
const NoRelaunches = "a container keeps the settings that it was made with"

// Proxies says whether a proxy can stand between replicas and a store.
func Proxies(kind string) bool { return kind != KindCompose }

// SeesSources says whether nginx sees the addresses that requests come from.
func SeesSources(kind string) bool { return kind != KindCompose }

// Choose settles what KindAuto means on this machine and says why; other kinds
// stay what they are, and why is empty.
func Choose(kind string, opts Options) (chosen, why string) {
	if kind != KindAuto {
		return kind, ""
	}
	if _, err := findPrograms(opts.ServerBinary); err != nil {
		return KindCompose, "runtime compose: " + err.Error()
	}
	return KindNative, "runtime native: nginx, Redis and PostgreSQL are here"
}

// Open makes a runtime of a kind that is settled, starting nothing yet.
func Open(ctx context.Context, kind string, opts Options) (*Runtime, error) {
	switch kind {
	case KindNative:
		return NewNative(opts)
	case KindCompose:
		return NewCompose(ctx, opts)
	}
	return nil, fmt.Errorf("runtime %q is not settled", kind)
}
