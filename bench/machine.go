package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"authbench/bench/load"
	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// machine is what this program found and how it divides it.
type machine struct {
	generator, system string // CPU lists
	warning           string // "" where generator and system do not share a CPU
}

func divideCPUs() (machine, error) {
	if runtime.GOOS != "linux" {
		return machine{}, errors.New("authbench measures on Linux only; elsewhere bring the servers up by docker compose and load them with k6: see the README")
	}
	available, err := process.AvailableCPUs()
	if err != nil {
		return machine{}, fmt.Errorf("find the CPUs: %w", err)
	}
	var m machine
	m.generator, m.system, m.warning = stack.SplitCPUs(available)
	return m, nil
}

// cpus lists the numbers of all CPUs in use.
func (m machine) cpus() (all []string) {
	for _, list := range []string{m.generator, m.system} {
		ns, _ := process.ParseCPUs(list) // our own list
		for _, n := range ns {
			if s := fmt.Sprint(n); !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// opened is a runtime and where it runs.
type opened struct {
	*stack.Runtime
	kind string // native or compose
	why  string // it was chosen; "" where it was asked for
	machine
}

// openRuntime makes a runtime, after moving ourselves off the system's CPUs.
func openRuntime(ctx context.Context, kind string, seed uint64) (o opened, err error) {
	if o.machine, err = divideCPUs(); err != nil {
		return o, err
	}
	bin, err := binDir()
	if err != nil {
		return o, err
	}
	project, err := projectDir()
	if err != nil {
		return o, err
	}
	opts := stack.Options{ServerBinary: filepath.Join(bin, "server"), Project: project, GeneratorCPUs: o.generator, SystemCPUs: o.system, Seed: seed}
	if o.Runtime, o.kind, o.why, err = stack.Open(ctx, kind, opts); err != nil {
		return o, err
	}
	if err := process.PinSelf(o.generator); err != nil {
		return o, errors.Join(fmt.Errorf("bind the generator to CPU %s: %w", o.generator, err), o.Close())
	}
	return o, nil
}

// warnings are those of the runtime and of the machine.
func (o opened) warnings() []string {
	all := o.Warnings()
	if o.warning != "" {
		all = append(all, o.warning)
	}
	return all
}

// newConductor opens the runtime, writes down machine and software in the run's
// manifest, and returns what carries out its trials.
func newConductor(ctx context.Context, r *runner) (*conductor, error) {
	rt, err := openRuntime(ctx, r.run.Runtime, r.run.Seed)
	if err != nil {
		return nil, err
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	if rt.why != "" {
		r.progress.say("%s", rt.why)
	}
	r.run.Runtime = rt.kind // resumed with the same
	for _, w := range append(rt.warnings(), text(warning)) {
		if w != "" {
			r.warn("%s", w)
		}
	}
	bin, err := binDir()
	if err != nil {
		return nil, errors.Join(err, rt.Close(), ledger.Close())
	}
	r.run.Machine = probe.Machine()
	r.run.Machine.GeneratorCPUs, r.run.Machine.SystemCPUs = rt.generator, rt.system
	r.run.Budgeting = rt.Capabilities().Budgeting
	r.run.PostgreSQL = stack.PostgresSettings()
	r.run.Software = nil
	for _, t := range programs(bin) {
		if t.path == "" || t.use != useRun && (t.use != useNative || rt.kind != stack.KindNative) {
			continue
		}
		s, err := probe.Software(t.name, t.path, t.version...)
		if err != nil {
			r.warn("version of %s: %v", t.name, err)
		}
		r.run.Software = append(r.run.Software, s)
	}
	r.run.Software = append(append(r.run.Software, rt.Capabilities().Images...), trial.Software{Name: "go", Version: runtime.Version()})
	return &conductor{runtime: rt.Runtime, ledger: ledger, cpus: rt.cpus(), seed: r.run.Seed,
		k6: load.K6{Binary: filepath.Join(bin, "k6"), Scripts: filepath.Join(r.project, "loadtests"), CPUs: rt.generator, Ledger: ledger}}, nil
}

// close ends everything that the conductor's trials may have left.
func (c *conductor) close() error { return errors.Join(c.runtime.Close(), c.ledger.Close()) }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
