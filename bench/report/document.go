package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// microSection is the section of the Go micro-benchmarks.
const microSection = "micro-benchmarks"

// document is all that a report says, before it becomes a page or Markdown.
type document struct {
	Run      trial.Run
	Command  string
	Facts    [][2]string // what ran where and when
	Summary  figure
	Verdicts []trial.Verdict
	Advice   []advice
	Sections []section
	Noise    table
	Validity table
	Doubts   table
	Warnings []warning
	Software table
	Limits   []string
}

// section is an experiment: its question and the figures that answer it.
type section struct {
	Name, Question, Method, Setup, Command string
	Doubts                                 []string
	Figures                                []figure
}

func newDocument(d *data) document {
	doc := document{
		Run: d.run, Command: trial.Shell(d.run.Command...), Facts: facts(d.run), Summary: summaryFigure(d), Verdicts: d.verdicts,
		Advice: choose(d.verdicts), Noise: d.noise(), Validity: d.validity(), Doubts: d.doubts(), Warnings: d.warnings(), Limits: limitations,
		Software: table{Head: []string{"program", "version", "SHA-256"}},
	}
	for _, s := range d.run.Software {
		doc.Software.Rows = append(doc.Software.Rows, []string{s.Name, s.Version, s.SHA256})
	}
	figures := allFigures(d)
	for _, name := range append(d.experiments(), microSection) {
		s := d.section(name)
		for _, f := range figures {
			if f.Experiment == name && (f.Drawing != nil || len(f.Table.Rows) > 0) {
				f.Doubts = append(f.Doubts, s.Doubts...)
				s.Figures = append(s.Figures, f)
			}
		}
		if len(s.Figures) > 0 || name != microSection {
			doc.Sections = append(doc.Sections, s)
		}
	}
	return doc
}

// allFigures is every figure of a report but the summary.
func allFigures(d *data) []figure {
	var all []figure
	for _, family := range []func(*data) []figure{costFigures, scaleFigures, stickyFigures, revokeFigures} {
		all = append(all, family(d)...)
	}
	return append(all, microFigure(d))
}

// figures are those with a chart, the summary first.
func (doc document) figures() []figure {
	var all []figure
	for _, f := range append([]figure{doc.Summary}, doc.allSectionFigures()...) {
		if f.Drawing != nil {
			all = append(all, f)
		}
	}
	return all
}

func (doc document) allSectionFigures() (all []figure) {
	for _, s := range doc.Sections {
		all = append(all, s.Figures...)
	}
	return all
}

// experiments are those that were asked for, then any other that trials name.
func (d *data) experiments() []string {
	names := slices.Clone(d.run.Experiments)
	for _, t := range d.trials {
		if !slices.Contains(names, t.Spec.Experiment) {
			names = append(names, t.Spec.Experiment)
		}
	}
	return names
}

// section heads an experiment by its own words, under the run's own settings.
func (d *data) section(name string) section {
	if name == microSection {
		return section{Name: name, Question: "What do the parts cost by themselves?",
			Method: "Go benchmarks of the very code that the servers run, on the system's CPU, without HTTP.", Command: "go test -run '^$' -bench . -benchmem ./bench/micro"}
	}
	s := section{Name: name, Question: name, Command: trial.Shell(only(d.run.Command, name)...), Doubts: d.experimentDoubts(name), Setup: d.setup(name)}
	p, err := experiment.ParseProfile(d.run.Profile)
	if err != nil || len(d.run.Settings) > 0 && json.Unmarshal(d.run.Settings, &p) != nil {
		return s // an older or newer program wrote this run: its words are not ours
	}
	for _, e := range experiment.All(p) {
		if e.Name == name {
			s.Question, s.Method = e.Question, e.Method
		}
	}
	return s
}

// setup says what the trials' own specs say.
func (d *data) setup(name string) string {
	ts := d.ok(name)
	if len(ts) == 0 {
		return "No trial of this experiment counts."
	}
	cells := map[string]bool{}
	for _, t := range ts {
		cells[t.Spec.Label+t.Spec.Hash()] = true
	}
	s := ts[0].Spec
	parts := []string{plural(len(ts), "trial", "trials"), plural(len(cells), "cell", "cells"), plural(len(d.blocks[name]), "block", "blocks"), plural(s.Users, "user", "users")}
	if s.Load.Connections > 0 {
		parts = append(parts, plural(s.Load.Connections, "connection", "connections"))
	}
	if s.Load.Sources > 0 {
		parts = append(parts, "from "+plural(s.Load.Sources, "source network", "source networks"))
	}
	for _, t := range ts {
		if t.Spec.Resident > 0 {
			parts = append(parts, plural(t.Spec.Resident, "session", "sessions")+" resident in shared stores")
			break
		}
	}
	return strings.Join(parts, ", ") + "."
}

// only turns a run's command into the one for a single experiment.
func only(command []string, name string) []string {
	out := slices.Clone(command)
	if i := slices.Index(out, "--experiments"); i >= 0 && i+1 < len(out) {
		out[i+1] = name
		return out
	}
	return append(out, "--experiments", name)
}

func facts(r trial.Run) [][2]string {
	when := r.Started.UTC().Format("2006-01-02 15:04 MST")
	if !r.Ended.IsZero() {
		when += ", took " + r.Ended.Sub(r.Started).Round(time.Second).String()
	}
	m := r.Machine
	return [][2]string{
		{"Run", r.Name + " (" + r.Status + ")"},
		{"When", when},
		{"Profile", r.Profile},
		{"Seed", fmt.Sprint(r.Seed)},
		{"Commit", r.Commit},
		{"Machine", fmt.Sprintf("%s, %s, %s MiB", m.CPU, plural(m.CPUs, "CPU", "CPUs"), count(m.MemoryMiB))},
		{"System", m.OS + ", kernel " + m.Kernel + ", runtime " + r.Runtime},
		{"CPUs", "generator on " + m.GeneratorCPUs + ", system under test on " + m.SystemCPUs},
		{"CPU budgets", r.Budgeting},
	}
}

// limitations are what no figure of any run on one machine can say.
var limitations = []string{
	"“JWT is becoming mainstream” cannot be measured here, and is not.",
	"ALB, API Gateway, Lambda and Cognito are not here: the sticky balancer follows ALB's rules of a route cookie, and the balancer is nginx.",
	"Everything runs on one machine over loopback, whose network work is charged to the sender. A store that is a network away adds its round trip to every session look-up, and none to a bare JWT.",
	"/me does nothing but authenticate. In a service that works, authentication's share of the whole is smaller than the shares here; the microseconds stay.",
	"Plain HTTP/1.1: no TLS, no HTTP/2 with its header compression.",
}
