package analysis_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/analysis"
	at "authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

func block(t *testing.T, trials ...trial.Trial) analysis.Block {
	t.Helper()
	bs := analysis.Blocks(trials, trials[0].Spec.Experiment)
	if len(bs) != 1 {
		t.Fatalf("%d blocks", len(bs))
	}
	return bs[0]
}

func TestMetrics(t *testing.T) {
	cell := at.Spec("cost", "session/redis", phase)
	redis := at.Trial(cell, 1, at.Throughput(phase, 2000), at.Errors(phase, trial.Failed, 200), // 1,800 successes
		at.CPU(phase, trial.BalancerTier, 20), at.CPU(phase, trial.ReplicaTier, 70), at.CPU(phase, trial.StoreTier, 15),
		at.CPU(phase, trial.GeneratorTier, 999),
		at.Counter(phase, "redis_commands", 1), at.Counter(phase, "postgres_statements", 0.5),
		at.Counter(phase, "redis_net_input_bytes", 100), at.Counter(phase, "redis_net_output_bytes", 60),
		at.Bytes(phase, 180, 260), at.Latency(phase, 400*time.Microsecond, 2*time.Millisecond),
		at.JourneyCounter("lost_sessions", 30), at.JourneyCounter("authenticated_requests", 120),
		at.JourneySamples("revocation_lag_seconds", 3, 0, 1, 2), at.JourneySamples("remaining_life_seconds", 4, 4, 4, 4))
	none := at.Trial(at.Spec("cost", "none", phase), 1,
		at.CPU(phase, trial.BalancerTier, 18), at.CPU(phase, trial.ReplicaTier, 40))
	b := block(t, redis, none)
	for name, want := range map[string]float64{
		"cpu_us_per_request": 105, "cpu_us_balancer": 20, "cpu_us_replicas": 70, "cpu_us_store": 15,
		"auth_cpu_us": 47, "auth_cpu_us_balancer": 2, "auth_cpu_us_replicas": 30, "auth_cpu_us_store": 15,
		"store_operations_per_request": 1.5, "store_bytes_per_request": 160, "request_bytes": 180, "response_bytes": 260,
		"latency_p50_us": 400, "latency_p99_us": 2000, "throughput_per_second": 1800, "error_share": 0.1,
		"lost_session_share": 0.25, "revocation_lag_max_seconds": 3, "revocation_lag_median_seconds": 1.5, "revocation_lag_share": 0.375,
	} {
		got, err := analysis.Value(name, b, sel("session/redis"))
		if err != nil || math.Abs(got-want) > 0.01*want {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	for _, m := range analysis.Metrics() {
		if m.Title == "" || m.Unit == "" || m.Better != trial.More && m.Better != trial.Less {
			t.Errorf("%s lacks a title, a unit or a better direction", m.Name)
		}
	}
}

func TestStoreMetrics(t *testing.T) {
	limited := at.Spec("cost", "session/redis", "open", "closed")
	limited.Cells[0].System.Budgets = map[trial.Tier]float64{trial.StoreTier: 0.2}
	limited.Cells[0].Steps[1].Streams[0].Pacing = trial.Pacing{Mode: trial.Closed, Concurrency: 8}
	var options []at.Option
	for _, step := range []string{"open", "closed"} {
		options = append(options, at.Throughput(step, 4000), at.CPU(step, trial.ReplicaTier, 60), at.CPU(step, trial.StoreTier, 15),
			at.CPU(step, trial.BalancerTier, 25))
	}
	b := block(t, at.Trial(limited, 1, options...), at.Trial(at.Spec("cost", "none", "open"), 1, at.CPU("open", trial.BalancerTier, 25),
		at.CPU("open", trial.ReplicaTier, 50)), at.Trial(at.Spec("cost", "jwt/HS256", "open"), 1, at.CPU("open", trial.ReplicaTier, 60)))
	for name, want := range map[string]float64{"store_cores_per_replica_core": 0.25, "replica_cores_per_store_core": 4,
		"store_cpu_vs_control": 0.2} {
		if got, err := analysis.Value(name, b, trial.Of("session/redis", "open")); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	for name, want := range map[string]float64{"store_budget_used": 0.3, "cores_store": 0.06,
		"cores_replicas": 0.24, "cores_balancer": 0.1} {
		if got, err := analysis.Value(name, b, trial.Of("session/redis", "closed")); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	if got, err := analysis.Value("store_cores_per_replica_core", b, trial.Of("jwt/HS256", "open")); err != nil || got != 0 {
		t.Errorf("an arm that asks no store uses %v of one, %v", got, err)
	}
	for _, c := range []struct{ metric, step, want string }{{"replica_cores_per_store_core", "open", "no store is asked"},
		{"store_budget_used", "open", "the store has no budget"}} {
		if v, err := analysis.Value(c.metric, b, trial.Of("jwt/HS256", c.step)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", c.metric, v, err, c.want)
		}
	}
}

func TestTheControlIsTheOneBehindTheSameBalancer(t *testing.T) {
	cell := func(arm trial.Arm, b trial.Balancer, us float64) trial.Trial {
		s := at.In("cost", trial.NewCell("arm", arm, "balancer", b), phase)
		return at.Trial(s, 1, at.CPU(phase, trial.BalancerTier, us), at.CPU(phase, trial.ReplicaTier, us))
	}
	b := block(t, cell("none", trial.RoundRobin, 10), cell("none", trial.Sticky, 20), cell("jwt/HS256", trial.Sticky, 50))
	if got, err := analysis.Value("auth_cpu_us", b, sel("jwt/HS256")); err != nil || math.Abs(got-60) > 1e-9 {
		t.Errorf("%v, %v; want 60", got, err)
	}
}

func TestASelectorMeansOneCell(t *testing.T) {
	cell := func(capacity float64, namesAndLevels ...any) trial.Trial {
		s := at.In("scale", trial.NewCell(namesAndLevels...), "capacity")
		s.Cells[0].Steps[0].Search = &trial.Search{Steps: 1}
		return at.Trial(s, 1, at.Rate("capacity", capacity))
	}
	b := block(t, cell(500, "arm", "none", "replicas", 1), cell(1000, "arm", "none", "replicas", 1, "balancer", trial.Sticky),
		cell(2000, "arm", "none", "replicas", 4, "balancer", trial.Sticky), cell(4000, "arm", "none", "replicas", 4, "balancer", trial.IPHash))
	for _, c := range []struct {
		cell trial.Cell
		want float64 // 0: more than one is meant
	}{
		{trial.NewCell("arm", "none", "replicas", 4, "balancer", trial.Sticky), 2000},
		{trial.NewCell("balancer", trial.Sticky, "replicas", 4), 2000},
		{trial.NewCell("balancer", trial.IPHash), 4000},
		{trial.NewCell("arm", "none", "replicas", 1), 500}, // named whole, though another has these factors too
		{trial.NewCell("arm", "none", "replicas", 4), 0},
	} {
		got, err := analysis.Value("capacity_per_second", b, trial.Selector{Cell: c.cell, Step: "capacity"})
		if c.want == 0 && (err == nil || !strings.Contains(err.Error(), "more than one cell")) || c.want > 0 && (err != nil || got != c.want) {
			t.Errorf("%s: %v, %v; want %v", c.cell, got, err, c.want)
		}
	}
}

func TestWhatAMetricLacksIsNamed(t *testing.T) {
	redis := at.Trial(at.Spec("cost", "session/redis", phase), 1, at.CPU(phase, trial.BalancerTier, 1), at.CPU(phase, trial.ReplicaTier, 1),
		at.JourneySamples("revocation_lag_seconds", 1, 2), at.JourneySamples("remaining_life_seconds", -1))
	silent := at.Trial(at.Spec("cost", "jwt/HS256", phase), 1, at.Errors(phase, trial.Failed, 1000))
	b := block(t, redis, silent)
	other := sel("session/redis")
	other.Step = "load=99%"
	for _, c := range []struct {
		metric string
		sel    trial.Selector
		want   string
	}{
		{"cpu_us_per_request", sel("jwt/HS256"), "no request succeeded"},
		{"cpu_us_per_request", sel("session/redis"), "the CPU of tier store was not read"},
		{"cpu_us_per_request", sel("jwt/ES256"), "no good trial of jwt/ES256"},
		{"cpu_us_per_request", other, `has no step "load=99%"`},
		{"store_operations_per_request", sel("session/redis"), "redis_commands was not read"},
		{"latency_p99_us", sel("session/redis"), "no latency"},
		{"throughput_per_second", sel("jwt/HS256"), "no request succeeded"},
		{"lost_session_share", sel("jwt/HS256"), "no k6 script reported"},
		{"lost_session_share", sel("session/redis"), "did not count lost_sessions"},
		{"revocation_lag_share", sel("session/redis"), "2 lags but 1 remaining lives"},
	} {
		if v, err := analysis.Value(c.metric, b, c.sel); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %v: %v, %v; want an error with %q", c.metric, c.sel, v, err, c.want)
		}
	}
	// that nobody asked a store is seen only where one could have been asked
	if v, err := analysis.Value("store_operations_per_request", b, sel("jwt/HS256")); err == nil ||
		!strings.Contains(err.Error(), "no store stood there") {
		t.Errorf("%v, %v", v, err)
	}
}

// A figure that rests on what could not be read is no zero, and says why.
func TestWhatCouldNotBeReadIsSaid(t *testing.T) {
	redis := at.Trial(at.Spec("cost", "session/redis", phase), 1, at.CPU(phase, trial.BalancerTier, 1), at.CPU(phase, trial.ReplicaTier, 1))
	redis.Steps[0].Usage.Missing = map[string]string{"redis counters": "started anew in between", "redis CPU": "it has ended"}
	b := block(t, redis)
	for metric, why := range map[string]string{
		"store_operations_per_request": "redis_commands was not read: started anew",
		"store_bytes_per_request":      "not read: started anew",
		"cpu_us_per_request":           "store was not read; redis CPU: it has ended",
	} {
		if v, err := analysis.Value(metric, b, sel("session/redis")); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, %v; want an error with %q", metric, v, err, why)
		}
	}
}

func TestATrialCountsForWhatItCanAnswer(t *testing.T) {
	s := at.Spec("cost", "jwt/HS256", phase)
	half := at.Labelled(s, "b")
	trials := []trial.Trial{
		at.Trial(s, 2, at.Attempt(3), at.Throughput(phase, 300), at.Bytes(phase, 30, 1)),
		at.Trial(s, 2, at.Attempt(1), at.Throughput(phase, 100), at.Bytes(phase, 10, 1), at.Doubt("stolen CPU", trial.Rate, trial.Tail)),
		at.Trial(s, 2, at.Attempt(2), at.Throughput(phase, 200), at.Bytes(phase, 20, 1), at.Status(trial.Aborted)),
		at.Trial(half, 2),
		at.Trial(s, 0),
		at.Trial(s, 1, at.Status(trial.Aborted)),
		at.Trial(s, 3, at.Throughput(phase, 400), at.Bytes(phase, 40, 1), at.Doubt("stolen CPU", trial.Rate)),
		at.Trial(at.Spec("scale", "jwt/HS256", phase), 1),
	}
	bs := analysis.Blocks(trials, "cost")
	if len(bs) != 2 || bs[0].Number != 2 || len(bs[0].First()) != 2 || bs[0].First()[0].Attempt != 1 {
		t.Fatalf("%d blocks: %+v", len(bs), bs)
	}
	for metric, want := range map[string][]float64{
		"throughput_per_second": {300},    // the first attempt of block 2 was stolen from, and block 3 has no other
		"request_bytes":         {10, 40}, // which did not change the bytes
	} {
		if vs, err := analysis.Values(metric, bs, sel("jwt/HS256")); err != nil || !slices.Equal(vs, want) {
			t.Errorf("%s: %v, %v; want %v", metric, vs, err, want)
		}
	}
	if _, err := analysis.Value("throughput_per_second", bs[1], sel("jwt/HS256")); err == nil ||
		!strings.Contains(err.Error(), "no trial of jwt/HS256 counts: stolen CPU") {
		t.Errorf("error %v does not name the doubt", err)
	}
	if _, err := analysis.Values("speed", bs, sel("jwt/HS256")); err == nil {
		t.Error("an unknown metric was accepted")
	}
}

// A phase's doubt spoils that phase alone; a doubt of the whole trial spoils all.
func TestADoubtIsOfAPhase(t *testing.T) {
	s := at.Spec("cost", "jwt/HS256", "one", "two")
	tr := at.Trial(s, 1)
	tr.Doubt(trial.Doubt{Step: "one", Cause: "x", Spoils: []trial.Aspect{trial.Tail}})
	for phase, want := range map[string]bool{"one": true, "two": false, "": true} {
		if _, spoiled := tr.Spoiled(phase, trial.Tail); spoiled != want {
			t.Errorf("phase %q: spoiled %v, want %v", phase, spoiled, want)
		}
	}
	if _, spoiled := tr.Spoiled("one", trial.Counts); spoiled {
		t.Error("a doubt of the tail spoils counts")
	}
}

func TestMergedHistogramsNotAveragedPercentiles(t *testing.T) {
	s := at.Spec("cost", "jwt/HS256", phase)
	fast := at.Trial(s, 1, at.Throughput(phase, 9000), at.Latency(phase, time.Millisecond, 1100*time.Microsecond))
	slow := at.Trial(s, 2, at.Throughput(phase, 1000), at.Latency(phase, 100*time.Millisecond, 110*time.Millisecond))
	h, n := analysis.Merged(analysis.Blocks([]trial.Trial{fast, slow}, "cost"), sel("jwt/HS256"), trial.Tail, trial.Success)
	if n != 2 || h.Count() != 10_000 {
		t.Fatalf("%d trials, %d counts", n, h.Count())
	}
	if p50 := h.Quantile(0.5); p50 > 2*time.Millisecond {
		t.Errorf("median %v: 9 of 10 requests took 1 ms", p50)
	}
	if h, n := analysis.Merged(nil, sel("jwt/HS256"), trial.Tail, trial.Success); n != 0 || h.Count() != 0 {
		t.Errorf("nothing merged: %d, %d", n, h.Count())
	}
	m, _ := fast.Step(0, phase)
	if r, _ := m.Result(""); r.Latency[trial.Success].Count() != 9000 {
		t.Error("merging changed a trial")
	}
}
