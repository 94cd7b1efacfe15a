package report

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"authbench/bench/trial"
)

// microSection is the section of the Go micro-benchmarks.
const microSection = "micro-benchmarks"

// document is all that a report says, before it becomes a page or Markdown.
type document struct {
	Run      trial.Run
	Opening  opening
	Advice   []advice
	Summary  figure
	Verdicts []trial.Verdict
	Sections []section
	Noise    table
	Validity table
	Doubts   table
	Doubted  []warning // the trials behind the table of doubts
	Warnings []warning
	Limits   []string
	Facts    [][2]string // what ran where and when
	Command  string
	Software table
}

// section is an experiment: its question and the figures that answer it.
type section struct {
	Name, Question, Method, Setup, Command string
	Doubts                                 []string
	Figures                                []figure
}

func newDocument(d *data) document {
	doc := document{
		Run: d.run, Opening: d.opening(), Advice: choose(d.run.Questions, d.verdicts), Summary: summaryFigure(d), Verdicts: d.verdicts,
		Noise: d.noise(), Validity: d.validity(), Doubts: d.doubts(), Doubted: d.remarks(true), Warnings: d.warnings(), Limits: limitations,
		Facts: facts(d.run), Command: trial.Shell(d.run.Command...),
		Software: table{Head: []string{"program", "version", "SHA-256"}},
	}
	for _, s := range d.run.Software {
		doc.Software.Rows = append(doc.Software.Rows, []string{s.Name, s.Version, s.SHA256})
	}
	names := append(d.experiments(), microSection)
	doc.Sections = make([]section, len(names))
	var workers sync.WaitGroup
	for i, name := range names {
		workers.Go(func() { doc.Sections[i] = d.section(name) })
	}
	workers.Wait()
	if micro := len(names) - 1; len(doc.Sections[micro].Figures) == 0 {
		doc.Sections = doc.Sections[:micro]
	}
	return doc
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

// section is an experiment with its figures.
func (d *data) section(name string) section {
	s, figures := d.head(name), d.drawn(name)
	if name == microSection {
		figures = append(figures, microFigure(d))
	}
	for _, f := range figures {
		if f.Drawing != nil || len(f.Table.Rows) > 0 {
			f.Doubts = append(f.Doubts, s.Doubts...)
			s.Figures = append(s.Figures, f)
		}
	}
	return s
}

// head heads an experiment's section by the words that the run was begun with.
func (d *data) head(name string) section {
	if name == microSection {
		return section{Name: name, Question: "What do the parts cost by themselves?",
			Method:  "Go benchmarks of the very code that the servers run, on the system's CPU, without HTTP.",
			Command: "go test -run '^$' -bench . -benchmem ./bench/micro"}
	}
	command := only(d.run.Command, name)
	if d.run.Profile == trial.Chaos { // which has no other
		command = d.run.Command
	}
	s := section{Name: name, Question: name, Command: trial.Shell(command...), Doubts: d.experimentDoubts(name),
		Setup: d.setup(name)}
	for _, q := range d.run.Questions {
		if q.Experiment == name {
			s.Question, s.Method = q.Question, q.Method
		}
	}
	return s
}

// setup says what the trials' own specs say.
func (d *data) setup(name string) string {
	cells := d.cells(name)
	if len(cells) == 0 {
		return "No trial of this experiment counts."
	}
	trials, kinds, resident := map[*trial.Trial]bool{}, map[string]bool{}, 0
	for _, at := range cells {
		trials[at.Trial] = true
		kinds[fmt.Sprint(at.Trial.Spec.Words(), at.Cell)] = true
		resident = max(resident, at.Spec().System.Resident)
	}
	c := cells[0].Spec()
	parts := []string{plural(len(trials), "trial", "trials"), plural(len(kinds), "cell", "cells"),
		plural(len(d.blocks[name]), "block", "blocks"), plural(c.System.Users, "user", "users")}
	connections, sources := 0, 0
	for _, s := range c.Steps {
		for _, stream := range s.Streams {
			connections, sources = max(connections, stream.Connections), max(sources, stream.Sources)
		}
		if s.Script != nil {
			sources = max(sources, s.Script.Sources)
		}
	}
	if connections > 0 {
		parts = append(parts, plural(connections, "connection", "connections"))
	}
	if sources > 0 {
		parts = append(parts, "from "+plural(sources, "source network", "source networks"))
	}
	if resident > 0 {
		parts = append(parts, plural(resident, "session", "sessions")+" resident in shared stores")
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
	"Everything runs on one machine over loopback, whose network work is charged to the sender. A store that is a network away adds its " +
		"round trip to every session look-up, and none to a bare JWT.",
	"/me does nothing but authenticate. In a service that works, authentication's share of the whole is smaller than the shares here; " +
		"the microseconds stay.",
	"Plain HTTP/1.1: no TLS, no HTTP/2 with its header compression.",
}
