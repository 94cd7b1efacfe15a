package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Run is a run's manifest, run.json: all that is known before the first trial,
// and how the run ended.
type Run struct {
	Format      int             `json:"format"` // see Format
	Name        string          `json:"name"`
	Profile     string          `json:"profile"`  // smoke, standard, full, chaos
	Runtime     string          `json:"runtime"`  // native, compose
	Settings    json.RawMessage `json:"settings"` // the profile with every override, so that the run can be resumed
	Seed        uint64          `json:"seed"`
	Started     time.Time       `json:"started"`
	Ended       time.Time       `json:"ended,omitzero"`
	Status      string          `json:"status"` // running, complete, interrupted, failed
	Failure     string          `json:"failure,omitempty"`
	Commit      string          `json:"commit"`  // of authbench, with -dirty
	Command     []string        `json:"command"` // that repeats it
	Experiments []string        `json:"experiments"`
	Claims      []string        `json:"claims,omitempty"` // only what these need was measured; none: everything
	Questions   []Question      `json:"questions"`
	Rules       []Rule          `json:"rules"`
	RuleHashes  []string        `json:"ruleHashes"`
	DoubtRules  []DoubtRule     `json:"doubtRules"` // what leaves a measurement out, and of which figures
	Predictions []Prediction    `json:"predictions,omitempty"`
	Machine     Machine         `json:"machine"`
	Software    []Software      `json:"software"`
	// its settings as the server states them: durability is part of what is measured
	PostgreSQL map[string]string `json:"postgresql,omitempty"`
	Budgeting  string            `json:"budgeting"` // cgroup v1, cgroup v2, none
	Warnings   []string          `json:"warnings,omitempty"`
}

// SelfTest is the profile of a self-test's manifest. It answers no claim, and is
// read from its trials and its selftest.json.
const SelfTest = "selftest"

// Chaos is the profile of a manifest whose faults somebody chose on the command
// line. It answers no claim.
const Chaos = "chaos"

// What a manifest may say of itself.
var (
	profiles = []string{"smoke", "standard", "full", Chaos}
	runtimes = []string{"native", "compose"}
	statuses = []string{"running", "complete", "interrupted", "failed"}
)

// check says what in a manifest makes it none: whoever reads it leans on these.
func (r Run) check() error {
	for _, w := range []struct {
		what, is string
		known    []string
	}{{"status", r.Status, statuses}, {"profile", r.Profile, profiles}, {"runtime", r.Runtime, runtimes}} {
		switch {
		case w.is == "":
			return fmt.Errorf("names no %s", w.what)
		case !slices.Contains(w.known, w.is):
			return fmt.Errorf("has the %s %q; want one of %s", w.what, w.is, strings.Join(w.known, ", "))
		}
	}
	switch {
	case len(r.Experiments) == 0:
		return errors.New("names no experiment")
	case len(r.Rules) == 0 && r.Profile != Chaos:
		return errors.New("holds no rule")
	}
	return nil
}

// Shell writes a command as a person would type it into a shell.
func Shell(command ...string) string {
	var words []string
	for _, w := range command {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// Machine describes where the run took place.
type Machine struct {
	OS            string `json:"os"`
	Kernel        string `json:"kernel"`
	CPU           string `json:"cpu"`
	CPUs          int    `json:"cpus"`
	MemoryMiB     int64  `json:"memoryMiB"`
	GeneratorCPUs string `json:"generatorCPUs"` // e.g. "0"
	SystemCPUs    string `json:"systemCPUs"`    // e.g. "1"
}

// Software is one binary that took part.
type Software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}
