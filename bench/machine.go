package main

import (
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
		return machine{}, errors.New("the native runtime needs Linux")
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

// openRuntime makes the native runtime, after moving ourselves off the system's CPUs.
func openRuntime(seed uint64) (*stack.Native, machine, error) {
	m, err := divideCPUs()
	if err != nil {
		return nil, m, err
	}
	bin, err := binDir()
	if err != nil {
		return nil, m, err
	}
	rt, err := stack.NewNative(stack.Options{ServerBinary: filepath.Join(bin, "server"), GeneratorCPUs: m.generator, SystemCPUs: m.system, Seed: seed})
	if err != nil {
		return nil, m, err
	}
	if err := process.PinSelf(m.generator); err != nil {
		return nil, m, errors.Join(fmt.Errorf("bind the generator to CPU %s: %w", m.generator, err), rt.Close())
	}
	return rt, m, nil
}

// newConductor opens the runtime, writes down machine and software in the run's
// manifest, and returns what carries out its trials.
func newConductor(r *runner) (*conductor, error) {
	rt, m, err := openRuntime(r.run.Seed)
	if err != nil {
		return nil, err
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	for _, w := range append(rt.Warnings(), m.warning, text(warning)) {
		if w != "" {
			r.warn("%s", w)
		}
	}
	bin, err := binDir()
	if err != nil {
		return nil, errors.Join(err, rt.Close(), ledger.Close())
	}
	r.run.Machine = probe.Machine()
	r.run.Machine.GeneratorCPUs, r.run.Machine.SystemCPUs = m.generator, m.system
	r.run.Budgeting = rt.Capabilities().Budgeting
	r.run.PostgreSQL = stack.PostgresSettings()
	r.run.Software = nil
	for _, t := range programs(bin) {
		if t.use != useRun || t.path == "" {
			continue
		}
		s, err := probe.Software(t.name, t.path, t.version...)
		if err != nil {
			r.warn("version of %s: %v", t.name, err)
		}
		r.run.Software = append(r.run.Software, s)
	}
	r.run.Software = append(r.run.Software, trial.Software{Name: "go", Version: runtime.Version()})
	return &conductor{runtime: rt, ledger: ledger, cpus: m.cpus(), seed: r.run.Seed,
		k6: load.K6{Binary: filepath.Join(bin, "k6"), Scripts: filepath.Join(r.project, "loadtests"), CPUs: m.generator, Ledger: ledger}}, nil
}

// close ends everything that the conductor's trials may have left.
func (c *conductor) close() error { return errors.Join(c.runtime.Close(), c.ledger.Close()) }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
