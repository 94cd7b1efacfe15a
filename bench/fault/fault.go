// Package fault breaks parts of a running system, on schedule, and mends them.
//
// In: a trial.Fault (what, of which component, when, for how long) and a
// running stack. Out: a trial.Mark, which says when the fault was asked for, when
// it showed, and the same of its end. There is one file a kind; what they do to
// a component is the stack's own, whatever it runs in.
package fault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbench/bench/stack"
	"authbench/bench/trial"
)

// Fault is one thing that can break. Both calls return when the system shows it,
// or when ctx ends, with an error that says what did not show. Both are fine
// twice, and End is fine without Begin. A value is opened for one fault of one
// step, so it may keep what End needs. What goes on in between by itself must not
// hang on Begin's ctx, which ends first: it goes on until End, which always comes.
type Fault interface {
	// Needs names what a runtime must be able to do; empty is nothing.
	Needs() stack.Capability
	Begin(ctx context.Context, s *stack.Stack) error
	End(ctx context.Context, s *stack.Stack) error
}

// Kind is a sort of fault.
type Kind struct {
	Name     string
	Does     string    // in a line
	Settings []Setting // that trial.Fault.With may hold

	on     []thing  // what it can break
	only   []string // of stores; none: any
	ofKeys bool     // of replicas: only those that share keys
	adds   bool     // of replicas: the one that is not there yet
	open   func(target string, with settings) (Fault, error)
}

// Setting is one of a kind's own settings.
type Setting struct {
	Name string
	Does string // in a line, with the values that are allowed and what holds without it
}

// All lists the kinds.
func All() []Kind {
	return []Kind{
		killKind(),
		hangKind(),
		restartKind(),
		slowKind(),
		cutKind(),
		exhaustKind(),
		fullKind(),
		readOnlyKind(),
		clockKind(),
		rotateKind(),
		removeKind(),
		wrongKeyKind(),
		drainKind(),
		addKind(),
		deployKind(),
	}
}

// Open makes a fault of what a spec says. The error names what is allowed.
func Open(f trial.Fault) (Fault, error) {
	k, err := kind(f.Kind)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Target == "":
		return nil, fmt.Errorf("fault %s: of which component? Such as %s:redis, %s:store, %s:r1", f.Kind, f.Kind, f.Kind, f.Kind)
	case !(f.At >= 0) || !(f.Lasts >= 0): // NaN fails both
		return nil, fmt.Errorf("fault %s: begins at %g s and lasts %g s: want 0 or more of both", Text(f), f.At, f.Lasts)
	}
	if err := k.takes(f.Target); err != nil {
		return nil, fmt.Errorf("fault %s: %w", Text(f), err)
	}
	with := settings{kind: k, values: maps.Clone(f.With)}
	for _, name := range slices.Sorted(maps.Keys(f.With)) {
		if !slices.ContainsFunc(k.Settings, func(s Setting) bool { return s.Name == name }) {
			return nil, fmt.Errorf("fault %s: unknown setting %q: %s", f.Kind, name, with.allowed())
		}
	}
	opened, err := k.open(f.Target, with)
	if err != nil {
		return nil, fmt.Errorf("fault %s: %w", Text(f), err)
	}
	return opened, nil
}

func kind(name string) (Kind, error) {
	var known []string
	for _, k := range All() {
		if k.Name == name {
			return k, nil
		}
		known = append(known, k.Name)
	}
	return Kind{}, fmt.Errorf("unknown fault %q: want %s", name, strings.Join(known, ", "))
}

// Check says before a trial what is wrong with faults: an unknown kind or
// setting, or something that the runtime cannot do.
func Check(faults []trial.Fault, caps stack.Capabilities) error {
	for _, f := range faults {
		opened, err := Open(f)
		if err != nil {
			return err
		}
		if why := caps.Lacks(opened.Needs()); why != "" {
			return fmt.Errorf("fault %s: %s: %s", Text(f), opened.Needs(), why)
		}
	}
	return nil
}

// Text writes a fault as Parse reads it: "slow:redis@5s+10s,latency=100ms".
func Text(f trial.Fault) string {
	seconds := func(s float64) string { return strconv.FormatFloat(s, 'g', -1, 64) + "s" }
	text := f.Kind + ":" + f.Target
	if f.At != 0 || f.Lasts != 0 {
		text += "@" + seconds(f.At) + "+" + seconds(f.Lasts)
	}
	for _, name := range slices.Sorted(maps.Keys(f.With)) {
		text += "," + name + "=" + f.With[name]
	}
	return text
}

// Parse reads KIND:TARGET[@AT+LASTS][,SETTING=VALUE...], such as "kill:redis" or
// "slow:postgres@5s+10s,latency=100ms".
func Parse(text string) (trial.Fault, error) {
	wrong := func(why string) (trial.Fault, error) {
		return trial.Fault{}, fmt.Errorf("fault %q: %s: want KIND:TARGET[@AT+LASTS][,SETTING=VALUE...], such as kill:redis@5s+10s", text, why)
	}
	head, rest, hasSettings := strings.Cut(text, ",")
	what, when, hasTimes := strings.Cut(head, "@")
	name, target, hasTarget := strings.Cut(what, ":")
	f := trial.Fault{Kind: name, Target: target}
	if _, err := kind(name); err != nil {
		return f, err
	}
	if !hasTarget {
		return wrong("no target")
	}
	if hasTimes {
		at, lasts, ok := strings.Cut(when, "+")
		from, err1 := time.ParseDuration(at)
		long, err2 := time.ParseDuration(lasts)
		if !ok || err1 != nil || err2 != nil {
			return wrong(fmt.Sprintf("%q is no time such as 5s+10s", when))
		}
		f.At, f.Lasts = from.Seconds(), long.Seconds()
	}
	if hasSettings {
		f.With = map[string]string{}
		for part := range strings.SplitSeq(rest, ",") {
			name, value, ok := strings.Cut(part, "=")
			if _, twice := f.With[name]; !ok || twice {
				return wrong(fmt.Sprintf("%q is no setting, or is there twice", part))
			}
			f.With[name] = value
		}
	}
	_, err := Open(f)
	return f, err
}

// settings are the values of a fault's own settings.
type settings struct {
	kind   Kind
	values map[string]string
}

func (s settings) allowed() string {
	var names []string
	for _, k := range s.kind.Settings {
		names = append(names, k.Name+" ("+k.Does+")")
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "want " + strings.Join(names, ", ")
}

// oneOf is the value of a setting, the first of those allowed if it is not there.
func (s settings) oneOf(name string, allowed ...string) (string, error) {
	v, ok := s.values[name]
	if !ok {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, v) || v == "" {
		return "", fmt.Errorf("%s=%s: want %s", name, v, strings.TrimPrefix(strings.Join(allowed, ", "), ", "))
	}
	return v, nil
}

// number is the value of a setting, 0 if it is not there.
func number[T int64 | time.Duration](s settings, name, want string, least T, parse func(string) (T, error)) (T, error) {
	v, ok := s.values[name]
	if !ok {
		return 0, nil
	}
	n, err := parse(v)
	if err != nil || n < least {
		return 0, fmt.Errorf("%s=%s: want %s", name, v, want)
	}
	return n, nil
}
