package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// benchUnits are the metrics of bench.txt, in the units that it gives them.
var benchUnits = []struct{ Metric, Unit, Better string }{
	{"cpu_us_per_request", "cpu-us/req", "lower"},
	{"latency_p50_us", "p50-us", "lower"},
	{"latency_p99_us", "p99-us", "lower"},
	{"store_operations_per_request", "store-ops/req", "lower"},
	{"request_bytes", "request-B/req", "lower"},
	{"throughput_per_second", "req/s", "higher"},
	{"capacity_per_second", "capacity-req/s", "higher"},
	{"lost_session_share", "lost/req", "lower"},
	{"revocation_lag_max_seconds", "lag-sec", "lower"},
}

// benchText writes a run in Go's benchmark format: a line for each trial that
// counts and each of its phases, so that blocks are benchstat's samples; then
// the Go micro-benchmarks' own output.
func benchText(d *data, gobench string) string {
	var b strings.Builder
	config := microConfig(gobench)
	header := []struct{ key, value string }{
		{"goos", cmp.Or(config["goos"], goos(d.run.Machine.OS))},
		{"goarch", config["goarch"]},
		{"cpu", cmp.Or(config["cpu"], d.run.Machine.CPU)},
		{"pkg", "authbench"},
		{"commit", d.run.Commit},
		{"profile", d.run.Profile},
	}
	for _, h := range header {
		if v := oneLine(h.value); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", h.key, v)
		}
	}
	b.WriteByte('\n')
	for _, u := range benchUnits {
		fmt.Fprintf(&b, "Unit %s better=%s\n", u.Unit, u.Better)
	}
	b.WriteByte('\n')
	for _, e := range d.experiments() {
		var lines []line
		for _, block := range d.blocks[e] {
			for _, t := range block.First() {
				lines = append(lines, benchLines(block, t)...)
			}
		}
		arms := d.arms(e)
		slices.SortStableFunc(lines, func(x, y line) int { // lines of one name stand together, by block
			return cmp.Or(slices.Index(arms, x.arm)-slices.Index(arms, y.arm), strings.Compare(x.name, y.name))
		})
		for _, l := range lines {
			fmt.Fprintf(&b, "%s\t%8d%s\n", l.name, l.n, l.values)
		}
	}
	if gobench = strings.TrimSpace(gobench); gobench != "" {
		b.WriteString("\n" + gobench + "\n")
	}
	return b.String()
}

// line is one line of results.
type line struct {
	arm    trial.Arm
	name   string
	n      int64 // requests behind it
	values string
}

// benchLines makes a line of each measured step of a trial's cells.
func benchLines(block analysis.Block, t *trial.Trial) (lines []line) {
	for _, m := range t.Steps {
		c := t.Spec.Cells[m.Cell]
		sel := trial.Selector{Cell: c.Cell, Label: c.Label, Step: m.Step}
		var n int64
		if r, ok := m.Result(""); ok {
			n = r.Completed
		}
		if m.Journey != nil {
			n = int64(max(m.Journey.Counters["authenticated_requests"], m.Journey.Counters["users_logged_out"]))
		}
		l := line{c.System.Arm, benchName(t.Spec.Experiment, c, m), max(n, 1), ""}
		for _, u := range benchUnits {
			if v, err := analysis.Value(u.Metric, block, sel); err == nil && number(v) != absent {
				l.values += "\t" + strconv.FormatFloat(v, 'g', 6, 64) + " " + u.Unit
			}
		}
		if l.values != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_=%.+:]+`)

// benchName is a cell and its step, as sub-names /key=value. A journey is all
// that its trial has, and goes without saying.
func benchName(experiment string, c trial.CellSpec, m trial.Measurement) string {
	clean := func(v string) string { return notInName.ReplaceAllString(v, "_") }
	name := clean("Benchmark" + strings.ToUpper(experiment[:min(1, len(experiment))]) + experiment[min(1, len(experiment)):])
	for _, f := range c.Cell {
		name += "/" + clean(f.Name) + "=" + clean(f.Level)
	}
	if c.Label != "" {
		name += "/label=" + clean(c.Label)
	}
	switch step := clean(m.Step); {
	case m.Journey != nil:
	case strings.Contains(step, "="):
		name += "/" + step
	default:
		name += "/step=" + step
	}
	return name
}

// microConfig reads what the Go micro-benchmarks say of the machine.
func microConfig(gobench string) map[string]string {
	config := map[string]string{}
	r := benchfmt.NewReader(strings.NewReader(gobench), "gobench.txt")
	for r.Scan() {
		if res, ok := r.Result().(*benchfmt.Result); ok {
			for _, key := range []string{"goos", "goarch", "cpu"} {
				config[key] = res.GetConfig(key)
			}
			break
		}
	}
	return config
}

// goos is Go's name of an operating system that a person named.
func goos(name string) string {
	if strings.Contains(strings.ToLower(name), "linux") {
		return "linux"
	}
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(name)), " ")
	return first
}
