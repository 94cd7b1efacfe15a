package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
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

// benchLines makes a line of each measured phase of a trial, or one of its journey.
func benchLines(block analysis.Block, t *trial.Trial) (lines []line) {
	sel := trial.Selector{Arm: t.Spec.Arm, Balancer: t.Spec.Balancer, Replicas: t.Spec.Replicas, Lifetime: t.Spec.Lifetime, Label: t.Spec.Label}
	add := func(n int64, search bool) {
		l := line{t.Spec.Arm, benchName(t.Spec, sel.Phase), max(n, 1), ""}
		for _, u := range benchUnits {
			v, err := analysis.Value(u.Metric, block, sel)
			if err == nil && number(v) != absent && (u.Metric != "capacity_per_second" || search) {
				l.values += "\t" + strconv.FormatFloat(v, 'g', 6, 64) + " " + u.Unit
			}
		}
		if l.values != "" {
			lines = append(lines, l)
		}
	}
	if t.Journey != nil {
		add(int64(max(t.Journey.Counters["authenticated_requests"], t.Journey.Counters["users_logged_out"])), false)
		return lines
	}
	for i := range t.Phases {
		if m := &t.Phases[i]; !m.Phase.Warmup {
			sel.Phase = m.Phase.Name
			add(m.Completed, m.Phase.Mode == trial.Search)
		}
	}
	return lines
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
