package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"authbench/bench/analysis"
	"authbench/bench/arm"
	"authbench/bench/trial"
)

// micro is one Go micro-benchmark over its repeats.
type micro struct {
	Base          string         // "Verify"
	Case          string         // "ES256", "redis"
	Time          trial.Interval // nanoseconds an operation
	Repeats       []float64      // that it sums up
	Bytes, Allocs float64        // an operation; 0 where not reported
}

// parseMicro reads Go benchmark output. Lines that are no benchmark are skipped,
// as a test binary prints others too.
func parseMicro(out string) []micro {
	type sample struct{ ns, bytes, allocs []float64 }
	samples := map[string]*sample{}
	var order []string
	r := benchfmt.NewReader(strings.NewReader(out), "gobench.txt")
	for r.Scan() {
		res, ok := r.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		name := withoutProcs(res.Name)
		s := samples[name]
		if s == nil {
			s = &sample{}
			samples[name] = s
			order = append(order, name)
		}
		if v, ok := res.Value("sec/op"); ok {
			s.ns = append(s.ns, v*1e9)
		}
		if v, ok := res.Value("B/op"); ok {
			s.bytes = append(s.bytes, v)
		}
		if v, ok := res.Value("allocs/op"); ok {
			s.allocs = append(s.allocs, v)
		}
	}
	var all []micro
	for _, name := range order {
		s := samples[name]
		if len(s.ns) == 0 {
			continue
		}
		base, rest, _ := strings.Cut(name, "/")
		all = append(all, micro{Base: base, Case: caseOf(rest), Time: analysis.Estimate(s.ns), Repeats: s.ns,
			Bytes: analysis.Estimate(s.bytes).Estimate, Allocs: analysis.Estimate(s.allocs).Estimate})
	}
	return all
}

// withoutProcs drops the -GOMAXPROCS suffix.
func withoutProcs(n benchfmt.Name) string {
	base, parts := n.Parts()
	name := string(base)
	for _, p := range parts {
		if p[0] == '/' {
			name += string(p)
		}
	}
	return name
}

// caseOf turns "alg=ES256/size=1" into "ES256, size=1": the first key is the row's.
func caseOf(sub string) string {
	parts := strings.Split(sub, "/")
	if _, v, ok := strings.Cut(parts[0], "="); ok {
		parts[0] = v
	}
	return strings.Join(parts, ", ")
}

// microBases are the groups of benchmarks, in the order of their first line.
func microBases(all []micro) []string {
	var bases []string
	for _, m := range all {
		if !slices.Contains(bases, m.Base) {
			bases = append(bases, m.Base)
		}
	}
	return bases
}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

// microArm is the arm whose work a benchmark does, for its colour.
func microArm(m micro) trial.Arm {
	first, _, _ := strings.Cut(m.Case, ",")
	for _, k := range arm.All() {
		if k.Plain == "" && (k.Factor("algorithm") == first || k.Factor("store") == first) || string(k.Name) == "jwt/"+first {
			return k.Name
		}
	}
	return trial.Control
}

func microFigure(d *data) figure {
	f := figure{ID: trial.MicroFigure,
		Question: "What do sign, verify, look-up and log-in cost by themselves?",
		Caption: "Go micro-benchmarks of the servers' own code, without HTTP: time per operation, logarithmic. A look-up's time, and that " +
			"with a denylist, holds the wait for the store; another verification's is all CPU of the replica. Whiskers: 95 % interval over " +
			"repeats. Small dots: one repeat each.",
		Table: table{Head: []string{"operation", "case", "time", "95 % interval (µs)", "B/op", "allocs/op", "repeats"}}}
	chart := rowChart{XLabel: "time per operation (µs, logarithmic)", Log: true}
	for _, base := range microBases(d.micro) {
		words := strings.ToLower(capital.ReplaceAllString(base, "$1 $2")) // LogIn is log in
		for _, m := range d.micro {
			if m.Base != base {
				continue
			}
			us := scaled(m.Time, 1e-3)
			name := strings.TrimSpace(words + " " + m.Case)
			r := row{Label: name, Colour: armColour(microArm(m)), Dots: []trial.Interval{us}, Note: nanoseconds(m.Time.Estimate)}
			for _, ns := range m.Repeats {
				r.Starts = append(r.Starts, ns*1e-3)
			}
			chart.Rows = append(chart.Rows, r)
			f.Table.Rows = append(f.Table.Rows, []string{words, m.Case, nanoseconds(m.Time.Estimate), limits(us, number),
				number(m.Bytes), number(m.Allocs), fmt.Sprint(m.Time.N)})
			f.Alt += fmt.Sprintf("%s: %s. ", name, nanoseconds(m.Time.Estimate))
		}
	}
	return f.with(chart, len(chart.Rows))
}

func scaled(i trial.Interval, by float64) trial.Interval {
	i.Estimate, i.Low, i.High = i.Estimate*by, i.Low*by, i.High*by
	return i
}

func nanoseconds(ns float64) string {
	switch {
	case ns >= 1e6:
		return number(ns/1e6) + nbsp + "ms"
	case ns >= 1e3:
		return number(ns/1e3) + nbsp + "µs"
	}
	return number(ns) + nbsp + "ns"
}
