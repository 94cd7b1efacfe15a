package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"authbench/bench/analysis"
	"authbench/bench/arm"
	"authbench/bench/model"
	"authbench/bench/trial"
)

// What a plan reads of a run: the CPU of a request when the CPU has no pause, for that ends what a system serves.
const (
	Experiment = "cost"
	Step       = "saturation"
)

// Constant is a figure that is not an arm's own, and where it comes from.
type Constant struct {
	trial.Interval
	Unit    string `json:"unit"`
	Source  string `json:"source"`
	Assumed bool   `json:"assumed,omitempty"` // not measured in this run
}

// Measured is what a run says of one arm.
type Measured struct {
	Arm      trial.Arm
	Starts   []model.Start
	Trials   []string // keys of the trials that Starts are of, in their order
	Rate     float64  // of requests a second, served while CPU was measured
	Sessions float64  // that there were meanwhile
	Pool     int      // connections of a replica to the store

	beside []float64 // of Starts: CPU of a request of the control beside it, of all tiers, in µs; 0 where there was none

	// Bytes of a request, of its answer, and of both between replica and store; N is 0 where they were not counted.
	RequestBytes, ResponseBytes, StoreBytes trial.Interval
}

// Basis is what a plan rests on.
type Basis struct {
	Run     trial.Run
	Arms    []Measured          // in the catalogue's order
	Missing []string            // arms that the run tried and of which no trial counts, each with the reason
	Login   Constant            // CPU of one log-in's password hash, in seconds
	Session map[string]Constant // bytes of one session, by the store it is in

	draws, requests int // of a bootstrap and of a simulation
}

// Read takes from a run what a plan rests on. gobench is what its Go
// micro-benchmarks printed; it may be empty.
func Read(run trial.Run, trials []trial.Trial, gobench string) (Basis, error) {
	b := Basis{Run: run, draws: 1000, requests: 40_000}
	blocks := analysis.Blocks(trials, Experiment)
	found, why := map[trial.Arm]*Measured{}, map[trial.Arm]error{}
	for _, s := range selectors(blocks) {
		a := s.Cell.Arm()
		if found[a] == nil {
			found[a] = &Measured{Arm: a}
		}
		for _, block := range blocks {
			if err := found[a].add(block, s); err != nil && why[a] == nil {
				why[a] = err
			}
		}
		found[a].bytes(blocks, s)
	}
	level(slices.Collect(maps.Values(found)))
	for _, a := range inOrder(slices.Collect(maps.Keys(found))) {
		if len(found[a].Starts) == 0 {
			b.Missing = append(b.Missing, fmt.Sprintf("%s: %v", a, why[a]))
			continue
		}
		b.Arms = append(b.Arms, *found[a])
	}
	if len(b.Arms) == 0 {
		reason := "it has no trial of the experiment " + Experiment + " with a step " + Step
		if len(b.Missing) > 0 {
			reason = strings.Join(b.Missing, "; ")
		}
		return b, fmt.Errorf("run %s does not say what CPU a request takes: %s; measure it with: %s", run.Name, reason,
			trial.Shell("bin/authbench", "run", "--experiments", Experiment))
	}
	b.Login, b.Session = constants(gobench)
	return b, nil
}

// inOrder sorts arms as the catalogue has them.
func inOrder(arms []trial.Arm) []trial.Arm {
	all := arm.All()
	slices.SortFunc(arms, func(x, y trial.Arm) int {
		place := func(a trial.Arm) int {
			return slices.IndexFunc(all, func(k arm.Kind) bool { return k.Name == a.Base() })
		}
		return cmp.Or(place(x)-place(y), cmp.Compare(x, y))
	})
	return arms
}

// selectors mean the cells that demands are read from, each by all of its
// factors: of an arm one, of a control that stands beside several arms as many.
// Those with a label are the second half of an A/A pair, or a duet's other cell.
func selectors(blocks []analysis.Block) (all []trial.Selector) {
	seen := map[string]bool{}
	for _, b := range blocks {
		for _, t := range b.First() {
			for i, c := range t.Spec.Cells {
				if _, there := t.Step(i, Step); there && c.Label == "" && !seen[c.Cell.String()] {
					seen[c.Cell.String()] = true
					all = append(all, trial.Selector{Cell: c.Cell, Step: Step})
				}
			}
		}
	}
	return all
}

// add takes up a cell's start in a block, unless no trial of it counts.
func (m *Measured) add(b analysis.Block, s trial.Selector) error {
	us := map[trial.Tier]float64{}
	for _, tier := range []trial.Tier{trial.BalancerTier, trial.ReplicaTier, trial.StoreTier} {
		if tier == trial.StoreTier && arm.Of(m.Arm).Store() == "" {
			continue // whatever stands by is not asked
		}
		v, err := analysis.Value(Metric(tier), b, s)
		if err != nil {
			return err
		}
		if tier == trial.StoreTier && v == 0 {
			return fmt.Errorf("its store is said to have used no CPU")
		}
		us[tier] = v
	}
	d := model.Demand{Balancer: us[trial.BalancerTier] * 1e-6, Replica: us[trial.ReplicaTier] * 1e-6, Store: us[trial.StoreTier] * 1e-6}
	if err := d.Check(); err != nil {
		return err
	}
	at, err := b.For(trial.CPUSplit).Find(s) // the one that the values are from
	if err != nil {
		return err
	}
	beside := 0.0
	if len(at.Trial.Spec.Cells) > 1 {
		whole, err := analysis.Value("cpu_us_per_request", b, s)
		ratio, rerr := analysis.Value("cpu_vs_control", b, s)
		if err := cmp.Or(err, rerr); err != nil {
			return err
		}
		beside = whole / ratio
	}
	m.Starts, m.beside = append(m.Starts, model.Start{Block: b.Number, Demand: d}), append(m.beside, beside)
	m.Trials = append(m.Trials, at.Trial.Key)
	system := at.Spec().System
	m.Pool, m.Sessions = system.Pool(), float64(system.Users+system.Resident)
	if step, ok := at.Trial.Step(at.Cell, Step); ok {
		if r, ok := step.Result(""); ok {
			m.Rate = max(m.Rate, r.Throughput())
		}
	}
	return nil
}

// level puts the starts of a block's duets on one level. What slows a start slows
// the control beside it as much, in all tiers, so that control is a ruler: demands
// are scaled by the mean control of the block over their own. What slows the whole
// block stays in, for it is part of what is not known.
func level(arms []*Measured) {
	sum, n := map[int]float64{}, map[int]float64{}
	for _, m := range arms {
		for i, s := range m.Starts {
			if m.beside[i] > 0 {
				sum[s.Block] += m.beside[i]
				n[s.Block]++
			}
		}
	}
	for _, m := range arms {
		for i := range m.Starts {
			if s := &m.Starts[i]; m.beside[i] > 0 {
				f := sum[s.Block] / n[s.Block] / m.beside[i]
				s.Demand = model.Demand{Balancer: f * s.Demand.Balancer, Replica: f * s.Demand.Replica, Store: f * s.Demand.Store}
			}
		}
	}
}

// Metric is the name of the metric that a tier's demand is read by, in microseconds.
func Metric(t trial.Tier) string { return "cpu_us_" + string(t) }

func (m *Measured) bytes(blocks []analysis.Block, s trial.Selector) {
	for name, into := range map[string]*trial.Interval{"request_bytes": &m.RequestBytes, "response_bytes": &m.ResponseBytes,
		"store_bytes_per_request": &m.StoreBytes} {
		if vs, err := analysis.Values(name, blocks, s); err == nil && len(vs) > 0 {
			*into = analysis.Estimate(vs)
		}
	}
	if m.StoreBytes.Estimate == 0 { // a store whose bytes nobody counts
		m.StoreBytes = trial.Interval{}
	}
}

// What stands in for a run without these Go micro-benchmarks, and was found by them: a hash with the servers' default
// parameters; 100,000 sessions of as many users, with their index.
const (
	loginBenchmark = "Login/hash=argon2id"
	loginSeconds   = 0.050
	startBenchmark = "Start/store="
)

var sessionBytes = map[string]float64{"memory": 236, "redis": 411, "postgres": 287}

// constants reads what the Go micro-benchmarks say, by the units that they give it in.
func constants(gobench string) (login Constant, session map[string]Constant) {
	values := map[string][]float64{}
	for r := benchfmt.NewReader(strings.NewReader(gobench), "gobench.txt"); r.Scan(); {
		if res, ok := r.Result().(*benchfmt.Result); ok {
			base, parts := res.Name.Parts()
			name := string(base)
			for _, p := range parts {
				if p[0] == '/' { // else it is the number of CPUs
					name += string(p)
				}
			}
			for _, v := range res.Values {
				values[name+" "+v.Unit] = append(values[name+" "+v.Unit], v.Value)
			}
		}
	}
	constant := func(benchmark, unit, in string, fallback float64) Constant {
		if vs := values[benchmark+" "+unit]; len(vs) > 0 {
			return Constant{Interval: analysis.Estimate(vs), Unit: in, Source: "gobench.txt: Benchmark" + benchmark}
		}
		return Constant{Interval: trial.Interval{Estimate: fallback, Low: fallback, High: fallback, N: 1}, Unit: in, Assumed: true,
			Source: "not in this run; found once by: go test -bench " + strings.Split(benchmark, "/")[0] + " ./bench/micro"}
	}
	session = map[string]Constant{}
	for store, bytes := range sessionBytes {
		session[store] = constant(startBenchmark+store, "B/session", "bytes", bytes)
	}
	return constant(loginBenchmark, "sec/op", "CPU-seconds", loginSeconds), session
}
