package report

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"

	"golang.org/x/perf/benchfmt"
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
		for _, block := range d.blocks[e] {
			for i := range block.Trials {
				benchLines(&b, block, &block.Trials[i])
			}
		}
	}
	if gobench = strings.TrimSpace(gobench); gobench != "" {
		b.WriteString("\n" + gobench + "\n")
	}
	return b.String()
}

func benchLines(b *strings.Builder, block analysis.Block, t *trial.Trial) {
	sel := trial.Selector{Arm: t.Spec.Arm, Balancer: t.Spec.Balancer, Replicas: t.Spec.Replicas, Lifetime: t.Spec.Lifetime, Label: t.Spec.Label}
	if len(t.Phases) == 0 && t.Journey != nil {
		benchLine(b, block, t, sel, int64(t.Journey.Counters["authenticated_requests"]))
	}
	for i := range t.Phases {
		if m := &t.Phases[i]; !m.Phase.Warmup {
			sel.Phase = m.Phase.Name
			benchLine(b, block, t, sel, m.Completed)
		}
	}
}

func benchLine(b *strings.Builder, block analysis.Block, t *trial.Trial, sel trial.Selector, n int64) {
	var values string
	for _, u := range benchUnits {
		if v, err := analysis.Value(u.Metric, block, sel); err == nil && number(v) != absent {
			values += "\t" + strconv.FormatFloat(v, 'g', 6, 64) + " " + u.Unit
		}
	}
	if values != "" {
		fmt.Fprintf(b, "%s\t%8d%s\n", benchName(t.Spec, sel.Phase), max(n, 1), values)
	}
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_=%.+:]+`)

// benchName is a cell and its phase, as sub-names /key=value.
func benchName(s trial.Spec, phase string) string {
	clean := func(v string) string { return notInName.ReplaceAllString(v, "_") }
	name := "Benchmark" + strings.ToUpper(s.Experiment[:min(1, len(s.Experiment))]) + s.Experiment[min(1, len(s.Experiment)):]
	name = clean(name) + "/arm=" + clean(s.Arm.String())
	switch s.Experiment {
	case "scale":
		name += fmt.Sprintf("/n=%d", s.Replicas)
	case "sticky":
		name += fmt.Sprintf("/balancer=%s/n=%d", clean(string(s.Balancer)), s.Replicas)
	case "revoke":
		name += "/lifetime=" + clean(s.Lifetime.String())
	}
	if s.Label != "" {
		name += "/label=" + clean(s.Label)
	}
	if phase != "" && !strings.Contains(phase, "=") {
		phase = "phase=" + phase
	}
	if phase != "" {
		name += "/" + clean(phase)
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
