package analysis_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/analysis"
	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// paper makes runs of paper whose figures are drawn anew each time: duets of
// four arms and the control, and cells that stand alone.
type paper struct {
	*rand.Rand
	blocks  int
	machine float64               // how fast it is: common to both sides of a duet
	replica map[trial.Arm]float64 // what an arm's replica needs more, as a factor
	errors  map[trial.Arm]float64 // share of requests that fail
}

func (p paper) near(v, sd float64) float64 { return v * math.Exp(sd*p.NormFloat64()) }

var paperArms = []trial.Arm{"session/memory", "session/redis", "jwt/HS256", "jwt/ES256"}

// figures are one cell's in a block of which common is the noise.
func (p paper) figures(a trial.Arm, common float64) []analysistest.Option {
	replica := map[trial.Arm]float64{"none": 44, "session/memory": 47, "session/redis": 75, "jwt/HS256": 56, "jwt/ES256": 135}[a]
	if f := p.replica[a]; f > 0 {
		replica *= f
	}
	const step = "load=common"
	own := 0.02
	if a == "session/redis" { // arms differ in how their figures scatter
		own = 0.06
	}
	median := p.near(3000*replica*common, 0.08) // ns
	o := []analysistest.Option{
		analysistest.CPU(step, trial.BalancerTier, p.near(22*common, 0.01)),
		analysistest.CPU(step, trial.ReplicaTier, p.near(replica*common, own)),
		analysistest.CPU(step, trial.StoreTier, 0),
		analysistest.Bytes(step, 118, 262),
		analysistest.Latency(step, time.Duration(median), time.Duration(median*p.near(5, 0.3))),
		analysistest.Counter(step, "redis_commands", 0),
	}
	if a == "session/redis" {
		o = append(o, analysistest.CPU(step, trial.StoreTier, p.near(17*common, 0.03)), analysistest.Counter(step, "redis_commands", 1))
	}
	if share := p.errors[a]; share > 0 {
		n := int64(0)
		for range 1000 {
			if p.Float64() < share {
				n++
			}
		}
		o = append(o, analysistest.Errors(step, trial.Failed, n))
	}
	return o
}

// duet is an arm beside the control.
func (p paper) duet(a trial.Arm, block int) trial.Trial {
	spec := analysistest.Spec("cost", a, "load=common")
	spec.Cells = append(spec.Cells, analysistest.Labelled(analysistest.Spec("cost", trial.Control, "load=common"), "control").Cells...)
	common := p.near(p.machine, 0.1)
	return analysistest.Trial(spec, block, append(p.figures(a, common), analysistest.Beside(p.figures(trial.Control, common)...))...)
}

func (p paper) run() analysis.Measured {
	r := analysis.Measured{Run: trial.Run{Experiments: []string{"cost", "sticky"}, Runtime: "native"}}
	for block := 1; block <= p.blocks; block++ {
		for _, a := range append([]trial.Arm{trial.Control}, paperArms...) {
			r.Trials = append(r.Trials, p.duet(a, block))
		}
		for _, replicas := range []int{2, 4} {
			t := analysistest.In("sticky", trial.NewCell("arm", "session/memory", "balancer", trial.RoundRobin, "replicas", replicas))
			lost := 0
			for range 1000 {
				if p.IntN(replicas) > 0 {
					lost++
				}
			}
			r.Trials = append(r.Trials, analysistest.Trial(t, block, analysistest.JourneyCounter("authenticated_requests", 1000),
				analysistest.JourneyCounter("lost_sessions", float64(lost))))
		}
	}
	return r
}

func paperRun(seed uint64) paper {
	return paper{Rand: rand.New(rand.NewPCG(seed, 7)), blocks: 8, machine: 1}
}

// said are the changes of one outcome, in words.
func said(c analysis.Changes, o analysis.Outcome) (all []string) {
	for _, x := range c.Of(o) {
		all = append(all, fmt.Sprintf("%s, %s: %s", x.Cell.Words(), x.Step, x.Metric.Name))
	}
	return all
}

const minEffect = 0.05

// A machine that is 40 % slower in the second run cancels in a duet, and an arm
// whose replica needs 30 % more CPU is found.
func TestARegressionIsFoundOnASlowerMachine(t *testing.T) {
	before, after := paperRun(1), paperRun(2)
	after.machine = 1.4
	after.replica = map[trial.Arm]float64{"jwt/HS256": 1.3}
	c := analysis.CompareRuns(before.run(), after.run(), minEffect)
	found := said(c, analysis.Regression)
	for _, want := range []string{"jwt/HS256, load=common: cpu_us_per_request", "jwt/HS256, load=common: cpu_us_replicas"} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not among the regressions: %q", want, found)
		}
	}
	if c.Machine < 0.25 || c.Machine > 0.6 {
		t.Errorf("the machine took %g more CPU for the same work, want about 0.4", c.Machine)
	}
	for _, x := range c.Of(analysis.Regression) {
		if x.Cell.Arm() != "jwt/HS256" {
			t.Errorf("%s %s: %+v, %s; the machine alone was slower", x.Cell, x.Metric.Name, x.Effect, x.Basis)
		}
		if x.Cell.Arm() == "jwt/HS256" && x.Metric.Name == "cpu_us_replicas" {
			if x.Effect.Low < 1.2 || x.Effect.Low > 1.3 || x.Effect.High < 1.3 || x.Effect.High > 1.4 || x.Basis != analysis.OverPartner {
				t.Errorf("effect %+v %s; want an interval about 1.3, over the control", x.Effect, x.Basis)
			}
		}
	}
	if found := said(c, analysis.Improvement); len(found) > 0 {
		t.Errorf("improvements: %q", found)
	}
	back := analysis.CompareRuns(after.run(), before.run(), minEffect)
	if found := said(back, analysis.Improvement); !slices.Contains(found, "jwt/HS256, load=common: cpu_us_replicas") {
		t.Errorf("the other way round it is no improvement: %q", found)
	}
}

func TestARunAgainstItself(t *testing.T) {
	r := paperRun(3).run()
	whole := analysis.Measured{}
	whole.Run, whole.Trials = analysistest.Run()
	for _, run := range []analysis.Measured{r, whole} {
		c := analysis.CompareRuns(run, run, 0)
		if n := len(c.Of(analysis.Regression)) + len(c.Of(analysis.Improvement)); n > 0 || len(c.All) < 40 {
			t.Errorf("%d changes of %d", n, len(c.All))
		}
		for _, x := range c.All {
			if x.Outcome != analysis.NotCompared && (x.Effect.Low > x.Effect.Estimate || x.Effect.Estimate > x.Effect.High ||
				x.Relative && math.Abs(x.Effect.Estimate-1) > 1e-12 || !x.Relative && x.Effect.Estimate != 0) {
				t.Errorf("%s %s %s: %+v", x.Cell, x.Step, x.Metric.Name, x.Effect)
			}
		}
		if len(c.OnlyA)+len(c.OnlyB) > 0 {
			t.Errorf("only in one: %q %q", c.OnlyA, c.OnlyB)
		}
	}
}

// What slows every arm alike has no partner to show against: the control tells,
// as long as the machine did not change.
func TestARegressionOfAllArmsIsFound(t *testing.T) {
	after := paperRun(5)
	after.replica = map[trial.Arm]float64{}
	for _, a := range append(paperArms, trial.Control) {
		after.replica[a] = 1.8
	}
	c := analysis.CompareRuns(paperRun(4).run(), after.run(), minEffect)
	if found := said(c, analysis.Regression); !slices.Contains(found, "none, beside=any, load=common: cpu_us_replicas") {
		t.Errorf("regressions are %q; the control's replica is not among them", found)
	}
}

// Two runs of the same code show a change in at most 5 % of pairs, on a machine
// that is faster at one time than at another, and whatever the smallest effect.
func TestRunsOfTheSameCodeSeldomDiffer(t *testing.T) {
	if testing.Short() {
		t.Skip("makes hundreds of runs of paper: make test")
	}
	for _, c := range []struct {
		blocks, pairs int
		machine       float64 // sd of its speed from run to run
		effect        float64
	}{{4, 200, 0.15, minEffect}, {8, 40, 0.15, minEffect}, {2, 60, 0, 0}, {4, 60, 0, 0}} {
		flagged := 0
		for i := range c.pairs {
			p := paperRun(uint64(1000*c.blocks + i))
			p.blocks, p.errors = c.blocks, map[trial.Arm]float64{"jwt/ES256": 0.01}
			before := p.run()
			p.machine = p.near(1, c.machine)
			found := analysis.CompareRuns(before, p.run(), c.effect)
			if len(found.Of(analysis.Regression))+len(found.Of(analysis.Improvement)) > 0 {
				flagged++
			}
		}
		if flagged*20 > c.pairs {
			t.Errorf("%+v: %d pairs of runs of the same code differ", c, flagged)
		}
		t.Logf("%+v: %d pairs flagged", c, flagged)
	}
}

// alone is a run of one experiment of one cell, made by options block by block.
func alone(blocks int, options func(block int) []analysistest.Option) analysis.Measured {
	r := analysis.Measured{Run: trial.Run{Experiments: []string{"cost"}}}
	for block := 1; block <= blocks; block++ {
		r.Trials = append(r.Trials, analysistest.Trial(analysistest.Spec("cost", "session/redis", "load=common"), block, options(block)...))
	}
	return r
}

func changeOf(t *testing.T, c analysis.Changes, metric string) analysis.Change {
	t.Helper()
	for _, x := range c.All {
		if x.Metric.Name == metric {
			return x
		}
	}
	t.Fatalf("%s was not compared", metric)
	return analysis.Change{}
}

func TestCountsAreComparedExactly(t *testing.T) {
	run := func(blocks int, bytes, operations float64) analysis.Measured {
		return alone(blocks, func(int) []analysistest.Option {
			return []analysistest.Option{analysistest.Bytes("load=common", bytes, 262),
				analysistest.Counter("load=common", "redis_commands", operations)}
		})
	}
	for name, c := range map[string]struct {
		a, b              analysis.Measured
		bytes, operations analysis.Outcome
	}{
		"a byte more":        {run(2, 100, 1), run(2, 101, 1), analysis.Unchanged, analysis.Unchanged},
		"just enough":        {run(2, 100, 1), run(2, 106, 1), analysis.Regression, analysis.Unchanged},
		"fewer":              {run(2, 100, 1), run(2, 80, 1), analysis.Improvement, analysis.Unchanged},
		"another look-up":    {run(1, 100, 1), run(1, 100, 2), analysis.Unchanged, analysis.Regression},
		"a first look-up":    {run(3, 100, 0), run(2, 100, 1), analysis.Unchanged, analysis.Regression},
		"no look-up anymore": {run(3, 100, 1), run(2, 100, 0), analysis.Unchanged, analysis.Improvement},
	} {
		found := analysis.CompareRuns(c.a, c.b, minEffect)
		for metric, want := range map[string]analysis.Outcome{"request_bytes": c.bytes, "store_operations_per_request": c.operations} {
			if x := changeOf(t, found, metric); x.Outcome != want || !x.Exact {
				t.Errorf("%s: %s is %s, exact %v; want %s, exactly", name, metric, x.Outcome, x.Exact, want)
			}
		}
	}
}

func TestSharesAreComparedByTheirEvents(t *testing.T) {
	run := func(failed ...int64) analysis.Measured {
		return alone(len(failed), func(block int) []analysistest.Option {
			return []analysistest.Option{analysistest.Errors("load=common", trial.Failed, failed[block-1])}
		})
	}
	for name, c := range map[string]struct {
		a, b analysis.Measured
		want analysis.Outcome
		gap  analysis.Gap
	}{
		"none in both":               {run(0, 0), run(0, 0), analysis.Unchanged, ""},
		"one of thousands":           {run(0, 0), run(1, 0), analysis.NoClear, ""},
		"many":                       {run(1, 0, 0), run(11, 9, 10), analysis.Regression, ""},
		"many before":                {run(11, 9, 10), run(1, 0, 0), analysis.Improvement, ""},
		"as many, in a single burst": {run(0, 0, 0), run(30, 0, 0), analysis.NoClear, ""},
		"one block, of bursts":       {run(0), run(30), analysis.NotCompared, analysis.FewOfBoth},
		"equal shares":               {run(300, 310), run(305, 300), analysis.NoClear, ""},
	} {
		x := changeOf(t, analysis.CompareRuns(c.a, c.b, minEffect), "error_share")
		if x.Outcome != c.want || x.Gap != c.gap {
			t.Errorf("%s: %s %s, p %g, effect %+v; want %s %s", name, x.Outcome, x.Gap, x.P, x.Effect, c.want, c.gap)
		}
		if x.Effect.Low > x.Effect.Estimate || x.Effect.High < x.Effect.Estimate {
			t.Errorf("%s: the interval %+v lacks its own estimate", name, x.Effect)
		}
	}
}

func TestWhatCannotBeComparedSaysWhy(t *testing.T) {
	run := func(blocks int, rate float64, options ...analysistest.Option) analysis.Measured {
		r := analysis.Measured{Run: trial.Run{Experiments: []string{"cost"}}}
		for block := 1; block <= blocks; block++ {
			s := analysistest.Spec("cost", "jwt/HS256", "load=common")
			s.Cells[0].Steps[0].Streams[0].Pacing.Rate = rate
			o := append([]analysistest.Option{analysistest.CPU("load=common", trial.BalancerTier, 20+float64(block))}, options...)
			r.Trials = append(r.Trials, analysistest.Trial(s, block, o...))
		}
		return r
	}
	spoiled := analysistest.Doubt("stolen CPU", trial.CPUSplit)
	for name, c := range map[string]struct {
		a, b analysis.Measured
		want analysis.Gap
	}{
		"other rates":    {run(3, 1000), run(3, 1400), analysis.OtherRate},
		"like rates":     {run(3, 1000), run(3, 1200), ""},
		"few blocks":     {run(3, 1000), run(1, 1000), analysis.FewOfBoth},
		"doubts":         {run(3, 1000), run(3, 1000, spoiled), analysis.NoFigure},
		"doubts before":  {run(3, 1000, spoiled), run(3, 1000), analysis.NoFigure},
		"doubts in both": {run(3, 1000, spoiled), run(3, 1000, spoiled), analysis.NoFigure},
	} {
		x := changeOf(t, analysis.CompareRuns(c.a, c.b, minEffect), "cpu_us_balancer")
		if x.Gap != c.want || (x.Outcome == analysis.NotCompared) != (c.want != "") {
			t.Errorf("%s: %s, %q; want %q", name, x.Outcome, x.Gap, c.want)
		}
	}
	if c := analysis.CompareRuns(run(3, 1000), run(3, 2000), minEffect); c.MachineKnown {
		t.Error("the machine's speed is known from requests at other rates")
	}
	other := alone(2, func(int) []analysistest.Option { return nil })
	other.Run.Experiments = append(other.Run.Experiments, "scale")
	c := analysis.CompareRuns(run(2, 1000), other, minEffect)
	if len(c.All) > 0 || !slices.Equal(c.OnlyA, []string{"cost: jwt/HS256, load=common"}) ||
		!slices.Equal(c.OnlyB, []string{"cost: session/redis, load=common", "scale"}) {
		t.Errorf("%d compared, only in A %q, only in B %q", len(c.All), c.OnlyA, c.OnlyB)
	}
}

func TestDifferencesThatMatter(t *testing.T) {
	run, trials := analysistest.Run()
	measured := func() analysis.Measured { // a copy of what a case may change in place
		r := analysis.Measured{Run: run, Trials: slices.Clone(trials)}
		r.Run.Software, r.Run.Experiments = slices.Clone(run.Software), slices.Clone(run.Experiments)
		return r
	}
	set := func(r *analysis.Measured, key string, v any) {
		var settings map[string]any
		if err := json.Unmarshal(r.Run.Settings, &settings); err != nil {
			t.Fatal(err)
		}
		settings[key] = v
		b, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		r.Run.Settings = b
	}
	costSeconds := fmt.Sprint(analysistest.Profile().CostStepSeconds)
	for name, c := range map[string]struct {
		change func(*analysis.Measured)
		want   string // "" for none
	}{
		"nothing": {func(*analysis.Measured) {}, ""},
		"the commit": {func(r *analysis.Measured) {
			r.Run.Commit, r.Run.Software[0].Version, r.Run.Seed = "another", "another", 9
		}, ""},
		"hashes":  {func(r *analysis.Measured) { r.Run.Software[1].SHA256 = "another" }, ""},
		"format":  {func(r *analysis.Measured) { r.Run.Format = 3 }, "format: 2 in A, 3 in B"},
		"runtime": {func(r *analysis.Measured) { r.Run.Runtime = "compose" }, "runtime: native in A, compose in B"},
		"CPU":     {func(r *analysis.Measured) { r.Run.Machine.CPU = "Other" }, "CPU: Fixture CPU @ 2.50GHz in A, Other in B"},
		"CPUs":    {func(r *analysis.Measured) { r.Run.Machine.CPUs = 8 }, "number of CPUs: 2 in A, 8 in B"},
		"kernel":  {func(r *analysis.Measured) { r.Run.Machine.Kernel = "6.2.0" }, "kernel: 6.1.0 in A, 6.2.0 in B"},
		"nginx":   {func(r *analysis.Measured) { r.Run.Software[1].Version = "1.30.0" }, "version of nginx: 1.22.1 in A, 1.30.0 in B"},
		"Redis": {func(r *analysis.Measured) { r.Run.Software = slices.Delete(r.Run.Software, 2, 3) },
			"version of redis: 7.0.15 in A, none in B"},
		"durability": {func(r *analysis.Measured) { r.Run.PostgreSQL = map[string]string{"fsync": "off"} },
			"PostgreSQL's fsync: none in A, off in B"},
		"load": {func(r *analysis.Measured) { set(r, "Users", 3) }, "profile's users: 10000 in A, 3 in B"},
		"steps": {func(r *analysis.Measured) { set(r, "CostStepSeconds", 99) },
			"profile's cost_step_seconds: " + costSeconds + " in A, 99 in B"},
		"a setting of a newer build, at what an older one did": {func(r *analysis.Measured) { set(r, "Newer", 0) }, ""},
		"a setting of a newer build": {func(r *analysis.Measured) { set(r, "Newer", 5) },
			"profile's newer: none in A, 5 in B"},
		"blocks": {func(r *analysis.Measured) { set(r, "CostBlocks", 20) }, ""},
		"arms":   {func(r *analysis.Measured) { set(r, "CostArms", []string{"jwt/HS256"}) }, ""},
		"load of what A alone measured": {func(r *analysis.Measured) {
			set(r, "RevokeSeconds", 3)
			r.Run.Experiments = slices.DeleteFunc(r.Run.Experiments, func(e string) bool { return e == "revoke" })
		}, ""},
		"a server's flag": {func(r *analysis.Measured) {
			for i, tr := range r.Trials {
				if c := tr.Spec.Cells[0]; c.System.Arm == "session/redis" && tr.Spec.Experiment == "cost" {
					c.System.Server = maps.Clone(c.System.Server)
					c.System.Server[trial.SettingPool] = "99"
					r.Trials[i].Spec.Cells = []trial.CellSpec{c}
				}
			}
		}, "server's -pool of session/redis: 16 in A, 99 in B"},
	} {
		b := measured()
		c.change(&b)
		var lines []string
		for _, u := range analysis.Differences(measured(), b) {
			lines = append(lines, u.String())
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
