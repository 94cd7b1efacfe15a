package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// thing is a sort of things that can be broken.
type thing string

const (
	stores   thing = "a store (redis, postgres, or store for the one that the arm asks)"
	replicas thing = "a replica (r1, r2, ...)"
	balancer thing = "nginx"
	keys     thing = "keys"
	fleet    thing = "replicas (all of them)"
)

// thingOf tells a target's by its name.
func thingOf(target string) (thing, bool) {
	switch target {
	case "redis", "postgres", "store":
		return stores, true
	case "nginx":
		return balancer, true
	case "keys":
		return keys, true
	case "replicas":
		return fleet, true
	}
	return replicas, replicaNumber(target) > 0
}

// replicaNumber is the number of a replica by its name, 0 if it is none.
func replicaNumber(name string) int {
	digits, ok := strings.CutPrefix(name, "r")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || name != "r"+strconv.Itoa(n) {
		return 0
	}
	return n
}

// takes says whether a kind can break a target, whatever the system.
func (k Kind) takes(target string) error {
	if s, ok := thingOf(target); ok && slices.Contains(k.on, s) {
		return nil
	}
	return fmt.Errorf("it acts on %s", k.On())
}

// On says what the kind can break.
func (k Kind) On() string {
	if len(k.only) > 0 {
		return strings.Join(k.only, ", ") + " (store, if it is that)"
	}
	var all []string
	for _, s := range k.on {
		all = append(all, string(s))
	}
	return strings.Join(all, ", ")
}

// Fits says before a system is started why it has not what a fault is to break;
// nil is that it has.
func Fits(f trial.Fault, s trial.System) error {
	k, err := kind(f.Kind)
	if err != nil {
		return err
	}
	if err := k.takes(f.Target); err != nil {
		return fmt.Errorf("fault %s: %w", Text(f), err)
	}
	of := arm.Of(s.Arm)
	lacks := func(has string) error {
		return fmt.Errorf("fault %s: %s with %d replicas has no %s: it has %s", Text(f), s.Arm, s.Replicas, f.Target, has)
	}
	switch what, _ := thingOf(f.Target); what {
	case stores:
		store := f.Target
		if store == "store" {
			store = of.Store()
			if store == "" && len(of.Stores) > 0 { // one that only stands there
				store = of.Stores[0].Store
			}
		}
		if there, _ := of.Uses(store); !there {
			return lacks(parts(s))
		}
		if len(k.only) > 0 && !slices.Contains(k.only, store) {
			return fmt.Errorf("fault %s: it acts on %s only", Text(f), strings.Join(k.only, ", "))
		}
	case replicas:
		n := replicaNumber(f.Target)
		switch {
		case k.adds && n != s.Replicas+1:
			return fmt.Errorf("fault %s: of %d replicas the next is r%d", Text(f), s.Replicas, s.Replicas+1)
		case !k.adds && n > s.Replicas:
			return lacks(parts(s))
		case k.ofKeys && !of.Keys:
			return fmt.Errorf("fault %s: %s has no keys", Text(f), s.Arm)
		}
	case keys:
		if of.Factor("algorithm") == "" {
			return fmt.Errorf("fault %s: %s has no signing keys: a JWT arm has", Text(f), s.Arm)
		}
	}
	return nil
}

// parts lists what a system has, as [stack.Stack.Component] knows it.
func parts(s trial.System) string {
	all := []string{"nginx"}
	for i := range s.Replicas {
		all = append(all, "r"+strconv.Itoa(i+1))
	}
	for _, use := range arm.Of(s.Arm).Stores {
		all = append(all, use.Store)
	}
	return strings.Join(all, ", ")
}
