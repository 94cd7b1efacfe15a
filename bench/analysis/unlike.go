package analysis

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// Unlike is something that two runs differ in and their figures depend on.
type Unlike struct{ What, A, B string }

// String is the difference in a line.
func (u Unlike) String() string { return fmt.Sprintf("%s: %s in A, %s in B", u.What, u.A, u.B) }

// Differences lists what two runs differ in besides the code under test, so that
// a change between them may be the doing of that: the machine, the runtime, the
// versions of what stands beside the servers, the load, and the servers' flags.
// What chooses only which cells are measured, and how often, is none: cells that
// one run lacks are not compared.
func Differences(a, b Measured) []Unlike {
	var found []Unlike
	add := func(what, x, y string) {
		if x != y {
			found = append(found, Unlike{what, orNone(x), orNone(y)})
		}
	}
	x, y := a.Run, b.Run
	add("format", fmt.Sprint(x.Format), fmt.Sprint(y.Format))
	add("runtime", x.Runtime, y.Runtime)
	add("CPU", x.Machine.CPU, y.Machine.CPU)
	add("number of CPUs", fmt.Sprint(x.Machine.CPUs), fmt.Sprint(y.Machine.CPUs))
	add("CPUs of the system under test", x.Machine.SystemCPUs, y.Machine.SystemCPUs)
	add("CPUs of the generator", x.Machine.GeneratorCPUs, y.Machine.GeneratorCPUs)
	add("system", x.Machine.OS, y.Machine.OS)
	add("kernel", x.Machine.Kernel, y.Machine.Kernel)
	add("CPU budgets", x.Budgeting, y.Budgeting)
	versionsA, versionsB := versions(x.Software), versions(y.Software)
	for _, name := range bothKeys(versionsA, versionsB) {
		add("version of "+name, versionsA[name], versionsB[name])
	}
	for _, name := range bothKeys(x.PostgreSQL, y.PostgreSQL) {
		add("PostgreSQL's "+name, x.PostgreSQL[name], y.PostgreSQL[name])
	}
	settingsA, settingsB := loadSettings(x, y), loadSettings(y, x)
	for _, name := range bothKeys(settingsA, settingsB) {
		add("profile's "+name, settingsA[name], settingsB[name])
	}
	flagsA, flagsB := serverFlags(a.Trials), serverFlags(b.Trials)
	cells := slices.SortedFunc(maps.Keys(flagsA), func(x, y serverCell) int { return strings.Compare(x.cell, y.cell) })
	for _, key := range cells {
		if _, both := flagsB[key]; !both {
			continue
		}
		for _, flag := range bothKeys(flagsA[key], flagsB[key]) {
			u := Unlike{"server's -" + flag + " of " + key.arm, orNone(flagsA[key][flag]), orNone(flagsB[key][flag])}
			if u.A != u.B && !slices.Contains(found, u) {
				found = append(found, u)
			}
		}
	}
	return found
}

func orNone(v string) string {
	if v == "" {
		return "none"
	}
	return v
}

func bothKeys(a, b map[string]string) []string {
	all := maps.Clone(a)
	if all == nil {
		return slices.Sorted(maps.Keys(b))
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// versions are those of the programs beside the servers that requests pass, as
// packages or images give them.
func versions(software []trial.Software) map[string]string {
	found := map[string]string{}
	for _, s := range software {
		for _, program := range []string{"nginx", "redis", "postgres"} {
			if strings.Contains(s.Name, program) {
				found[program] = s.Version
			}
		}
	}
	return found
}

// loadSettings are a profile's settings that say how hard and how long is loaded,
// by their names in a configuration file: single values (lists choose cells) of
// all experiments, as "users" is, or as "cost_step_seconds" of one that the other
// run has, too. How many blocks there are changes no figure.
func loadSettings(r, other trial.Run) map[string]string {
	var all map[string]any
	if json.Unmarshal(r.Settings, &all) != nil {
		return nil // a manifest without them: the servers' flags are still compared
	}
	found := map[string]string{}
	for key, v := range all {
		name := strings.ToLower(wordEnd.ReplaceAllString(key, "${1}_${2}"))
		experiment, what, ofOne := strings.Cut(name, "_")
		if name == "name" || what == "blocks" ||
			ofOne && !(slices.Contains(r.Experiments, experiment) && slices.Contains(other.Experiments, experiment)) {
			continue
		}
		switch v {
		case "", 0.0, false: // as one that an older build did not have
			continue
		}
		switch v.(type) {
		case string, float64, bool:
			found[name] = fmt.Sprint(v)
		}
	}
	return found
}

// wordEnd is where a word of a Go name ends and the next begins.
var wordEnd = regexp.MustCompile(`([a-z0-9])([A-Z])`)

type serverCell struct{ cell, arm string }

// serverFlags are the settings that servers were started with, by cell.
func serverFlags(trials []trial.Trial) map[serverCell]map[string]string {
	found := map[serverCell]map[string]string{}
	for _, t := range trials {
		for _, c := range t.Spec.Cells {
			found[serverCell{t.Spec.Experiment + " " + c.Cell.String(), c.System.Arm.String()}] = c.System.Server
		}
	}
	return found
}
