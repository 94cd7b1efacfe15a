package probe

import (
	"math"
	"strings"
	"testing"

	"authbench/bench/trial"
)

const procStat = `cpu  300 0 100 1000 50 0 10 40 7 0
cpu0 100 0 50 500 30 0 10 0 0 0
cpu1 200 0 50 500 20 0 0 40 7 0
intr 1 2 3
`

func TestProcStat(t *testing.T) {
	got, err := parseProcStat(procStat, []string{"1"})
	if want := (trial.CPUTicks{Busy: 250, Steal: 40, Total: 810}); err != nil || len(got) != 1 || got["cpu1"] != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for text, numbers := range map[string][]string{procStat: {"2"}, "cpu0 a b c d e f g h": {"0"}, "cpu0 1 2": {"0"}} {
		if got, err := parseProcStat(text, numbers); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestBetween(t *testing.T) {
	component := func(cpu float64, periods int64) componentSample {
		return componentSample{tier: trial.ReplicaTier, cpu: cpu, rss: 77,
			throttle: trial.Throttle{Periods: periods, Throttled: periods / 2, Seconds: float64(periods) / 100}}
	}
	before := Sample{counters: map[string]float64{"a": 10, "restarted": 500}, late: cpuSample{generator: 1,
		components: map[string]componentSample{"r1": component(1, 10), "r2": component(5, 0)},
		cpus:       map[string]trial.CPUTicks{"cpu0": {Busy: 1000, Total: 2000}, "cpu1": {Busy: 500, Steal: 100, Total: 2000}}}}
	after := Sample{counters: map[string]float64{"a": 15, "restarted": 3, "new": 2}, early: cpuSample{generator: 2,
		components: map[string]componentSample{"r1": component(3, 30), "r2": component(6, 0)},
		cpus:       map[string]trial.CPUTicks{"cpu0": {Busy: 1400, Total: 3000}, "cpu1": {Busy: 600, Steal: 300, Total: 3000}}}}
	u := Between(before, after)
	if u.CPU[trial.ReplicaTier] != 3 || u.CPU[trial.GeneratorTier] != 1 || u.Component["r1"] != 2 || u.RSS["r2"] != 77 {
		t.Errorf("CPU %v, components %v, RSS %v", u.CPU, u.Component, u.RSS)
	}
	if u.Steal != 2 || u.Foreign != 1 || !near(u.Busy["cpu0"], 0.4) ||
		u.Ticks["cpu1"] != (trial.CPUTicks{Busy: 100, Steal: 200, Total: 1000}) {
		t.Errorf("steal %v, foreign %v, busy %v; want 2, 1 = 5 busy - 3 replicas - 1 generator, 0.4", u.Steal, u.Foreign, u.Busy)
	}
	if r1 := u.Throttled["r1"]; len(u.Throttled) != 1 || r1.Periods != 20 || r1.Throttled != 10 || !near(r1.Seconds, 0.2) {
		t.Errorf("throttled %v", u.Throttled)
	}
	if _, there := u.Counters["restarted"]; there || u.Counters["a"] != 5 || u.Counters["new"] != 2 {
		t.Errorf("counters %v; want no difference of a counter that fell", u.Counters)
	}
	after.early.cpus["cpu0"] = trial.CPUTicks{Busy: 1000, Total: 3000} // finer clocks have seen more than the ticks
	if f := Between(before, after).Foreign; f != 0 {
		t.Errorf("foreign %v, want never less than 0", f)
	}
}

func TestInfo(t *testing.T) {
	got := parseInfo(
		strings.ReplaceAll(
			"# Stats\nkeyspace_hits:7\nredis_version:7.0.15\ncmdstat_get:calls=21,usec=175,usec_per_call=8.33\ncmdstat_config|get:calls=2,usec=1\n",
			"\n", "\r\n"))
	if got["keyspace_hits"] != 7 || got["cmdstat_get"] != 21 || got["cmdstat_config|get"] != 2 {
		t.Errorf("%v", got)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
