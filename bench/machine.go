package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"authbench/bench/campaign"
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
		return machine{}, errors.New("authbench measures on Linux only; elsewhere bring the servers up by docker compose and load them with " +
			"k6: see the README")
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

// opened is a runtime and the machine that it is on.
type opened struct {
	*stack.Runtime
	machine
}

func stackOptions(m machine, seed uint64) (o stack.Options, err error) {
	bin, err := binDir()
	if err != nil {
		return o, err
	}
	project, err := projectDir()
	return stack.Options{ServerBinary: filepath.Join(bin, "server"), Project: project, GeneratorCPUs: m.generator,
		SystemCPUs: m.system, Seed: seed}, err
}

// chooseRuntime settles the kind of runtime and says why, if that was left open.
func chooseRuntime(kind string) (chosen, why string, err error) {
	opts, err := stackOptions(machine{}, 0)
	if err != nil {
		return "", "", err
	}
	chosen, why = stack.Choose(kind, opts)
	return chosen, why, nil
}

// openRuntime makes a runtime of a settled kind, after moving ourselves off the
// system's CPUs.
func openRuntime(ctx context.Context, kind string, seed uint64) (o opened, err error) {
	if o.machine, err = divideCPUs(); err != nil {
		return o, err
	}
	opts, err := stackOptions(o.machine, seed)
	if err != nil {
		return o, err
	}
	if o.Runtime, err = stack.Open(ctx, kind, opts); err != nil {
		return o, fmt.Errorf("runtime %s: %w", kind, err)
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

// open opens the runtime, writes down machine and software in the run's
// manifest, and returns what makes its trials.
func (r *runner) open(ctx context.Context) (campaign.Maker, error) {
	rt, err := openRuntime(ctx, r.Run.Runtime, r.Run.Seed)
	if err != nil {
		return nil, err
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	for _, w := range append(rt.warnings(), text(warning)) {
		if w != "" {
			r.Warn("%s", w)
		}
	}
	bin, err := binDir()
	if err != nil {
		return nil, errors.Join(err, rt.Close(), ledger.Close())
	}
	r.Run.Machine = probe.Machine()
	r.Run.Machine.GeneratorCPUs, r.Run.Machine.SystemCPUs = rt.generator, rt.system
	r.Run.Budgeting = rt.Capabilities().Budgeting
	r.Run.Software = nil
	for _, t := range programs(bin) {
		if t.path == "" || t.use != useRun && (t.use != useNative || r.Run.Runtime != stack.KindNative) {
			continue
		}
		s, err := probe.Software(t.name, t.path, t.version...)
		if err != nil {
			r.Warn("version of %s: %v", t.name, err)
		}
		r.Run.Software = append(r.Run.Software, s)
	}
	r.Run.Software = append(append(r.Run.Software, rt.Capabilities().Images...), trial.Software{Name: "go", Version: runtime.Version()})
	return &campaign.Conductor{
		House:        house{rt, ledger, r.note},
		NewGenerator: newGenerator,
		Instrument:   campaign.NewInstrument(rt.generator, rt.system),
		Watch:        r.watch,
		Journeys: load.K6{
			Binary:  filepath.Join(bin, "k6"),
			Scripts: filepath.Join(r.project, "loadtests"),
			CPUs:    rt.generator,
			Ledger:  ledger,
		},
	}, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
