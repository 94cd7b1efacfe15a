package experiment_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	at "authbench/bench/analysis/analysistest"
	"authbench/bench/arm"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// tested is a rule of the standard profile and every trial that its experiment makes.
type tested struct {
	trial.Rule
	jobs []experiment.Job // of measured blocks
}

func testedRules(t *testing.T) (rules []tested) {
	t.Helper()
	for _, p := range plans(t, "standard") {
		jobs, _ := pretend(t, p, allGood)
		jobs = slices.DeleteFunc(jobs, func(j experiment.Job) bool { return j.Block == 0 })
		for _, r := range p.Experiment.Rules {
			rules = append(rules, tested{r, jobs})
		}
	}
	return rules
}

// value is a metric's value in a cell: for a driver's trial that of one step.
type value func(j experiment.Job, step string) float64

// trials carries out the jobs in a world where the rule's metric has these
// values. Counts get so many chances; 0 is what the cell itself asks for.
func (r tested) trials(chances float64, v value) (done []trial.Trial) {
	set := map[string]func(j experiment.Job, chances float64, v value) []at.Option{
		"auth_cpu_us": setCPU, "store_operations_per_request": setOperations, "request_bytes": setBytes,
		"store_cores_per_replica_core": setStoreShare, "store_cpu_vs_control": setStoreCPU, "cpu_vs_control": setGrowth,
		"store_budget_used":  setBottleneck,
		"lost_session_share": setLost, "let_in_user_share": setLetIn("users_logged_out"),
		"outlived_change_share": setLetIn("users_changed"), "revocation_lag_share": setLagShare,
		"outage_availability": setAvailability, "refused_after_share": setRefused, "outage_refused_share": setRefused,
	}[r.Metric]
	if set == nil {
		panic("no fixture sets " + r.Metric)
	}
	for _, j := range r.jobs {
		done = append(done, at.Trial(j.Spec, j.Block, set(j, chances, v)...))
	}
	return done
}

// cell is the one that is asked about: a duet's other is the control.
func cell(s trial.Spec) trial.CellSpec { return s.Cells[0] }

func measured(j experiment.Job) (steps []string) {
	for _, s := range cell(j.Spec).Steps {
		if !s.Warmup {
			steps = append(steps, s.Name)
		}
	}
	return steps
}

// setCPU adds to what the control spends, which grows in some blocks, and so does
// all that the arm beside it spends: that must cancel out.
func setCPU(j experiment.Job, _ float64, v value) (os []at.Option) {
	noise := 1 + 0.09*math.Abs(turn(j.Block))
	for _, step := range measured(j) {
		us, store := v(j, step), 0.0
		if arm.Of(cell(j.Spec).System.Arm).Store() != "" {
			store = us / 2
		}
		spent := func(store, us float64) []at.Option {
			return []at.Option{at.Throughput(step, 10_000), at.CPU(step, trial.BalancerTier, 25*noise), at.CPU(step, trial.StoreTier, store*noise),
				at.CPU(step, trial.ReplicaTier, (50+us-store)*noise)}
		}
		os = append(append(os, spent(store, us)...), at.Beside(spent(0, 0)...))
	}
	return os
}

func setOperations(j experiment.Job, chances float64, v value) (os []at.Option) {
	counter := "redis_commands"
	if cell(j.Spec).System.Arm == "session/postgres" {
		counter = "postgres_statements"
	}
	for _, step := range measured(j) {
		os = append(os, at.Throughput(step, max(chances, 10_000)), at.Counter(step, counter, v(j, step)))
	}
	return os
}

func setBytes(j experiment.Job, _ float64, v value) (os []at.Option) {
	for _, step := range measured(j) {
		os = append(os, at.Throughput(step, 10_000), at.Bytes(step, v(j, step), 250))
	}
	return os
}

// setStoreShare slows replicas and store alike.
func setStoreShare(j experiment.Job, _ float64, v value) (os []at.Option) {
	noise := 1 + 0.09*math.Abs(turn(j.Block))
	for _, step := range measured(j) {
		os = append(os, at.Throughput(step, 10_000), at.CPU(step, trial.ReplicaTier, 60*noise),
			at.CPU(step, trial.StoreTier, 60*noise*v(j, step)))
	}
	return os
}

// setStoreCPU and setGrowth set what an arm uses over the control beside it, which noise slows with it.
func setStoreCPU(j experiment.Job, _ float64, v value) []at.Option {
	return overBeside(j, v, trial.StoreTier)
}

func setGrowth(j experiment.Job, _ float64, v value) []at.Option {
	return overBeside(j, v, trial.ReplicaTier)
}

func overBeside(j experiment.Job, v value, tier trial.Tier) (os []at.Option) {
	if len(j.Spec.Cells) < 2 {
		return nil
	}
	control := 75 * (1 + 0.09*math.Abs(turn(j.Block)))
	for _, step := range measured(j) {
		spent := func(replicas, of float64) (os []at.Option) {
			os = append(os, at.Throughput(step, 10_000))
			for _, t := range []trial.Tier{trial.BalancerTier, trial.ReplicaTier, trial.StoreTier} {
				os = append(os, at.CPU(step, t, 0))
			}
			return append(os, at.CPU(step, trial.ReplicaTier, replicas), at.CPU(step, tier, of))
		}
		os = append(append(os, spent(0, control*v(j, step))...), at.Beside(spent(control, 0)[:5]...))
	}
	return os
}

// setBottleneck lets a store with a budget use a share of it.
func setBottleneck(j experiment.Job, _ float64, v value) (os []at.Option) {
	for _, step := range measured(j) {
		if cpus := cell(j.Spec).System.Budgets[trial.StoreTier]; cpus > 0 {
			os = append(os, at.Throughput(step, 10_000), at.CPU(step, trial.StoreTier, 1e6*cpus*v(j, step)/10_000))
		}
	}
	return os
}

// setLost spreads what is lost over all users: as many as the cell has, or as
// there are chances.
func setLost(j experiment.Job, chances float64, v value) []at.Option {
	users := chances
	if chances == 0 {
		users = float64(cell(j.Spec).System.Users)
		chances, _ = strconv.ParseFloat(cell(j.Spec).Steps[0].Script.Env["REQUESTS"], 64)
	}
	return []at.Option{at.Lost(users, chances, math.Round(v(j, "journey")*chances))}
}

// setLetIn counts users let in, of those that a counter counts.
func setLetIn(users string) func(j experiment.Job, chances float64, v value) []at.Option {
	return func(j experiment.Job, chances float64, v value) []at.Option {
		if chances == 0 {
			chances = float64(cell(j.Spec).System.Users)
		}
		return []at.Option{at.JourneyCounter(users, chances), at.JourneyCounter("users_let_in", math.Round(v(j, "journey")*chances))}
	}
}

// setLagShare has one user whose credential died early and one whose lived on: the median must mind neither.
func setLagShare(j experiment.Job, _ float64, v value) []at.Option {
	share := v(j, "journey")
	return []at.Option{at.JourneySamples("remaining_life_seconds", 2, 1.8, 1.5, 1.9, 1.6),
		at.JourneySamples("revocation_lag_seconds", 2*share, 1.8*share, 0, 1.9*3*share, 1.6*share)}
}

func setAvailability(j experiment.Job, chances float64, v value) []at.Option {
	if chances == 0 {
		chances = 130
	}
	return []at.Option{at.Outage("outage", int64(chances), v(j, "outage"))}
}

// setRefused refuses a share of users from the fault on.
func setRefused(j experiment.Job, chances float64, v value) []at.Option {
	if chances == 0 {
		chances = 130
	}
	return []at.Option{at.LoggedOut("outage", int64(chances), v(j, "outage"))}
}

// turn moves blocks apart, but not their mean, for 3 blocks as for 4.
func turn(block int) float64 { return []float64{0, 1, -1, 0}[block%4] }

// words are what a figure may call a cell: its kind, arm, balancer, replicas, lifetime, step, fault and change.
func words(spec trial.Spec, step string) []string {
	s := cell(spec).System
	return []string{string(arm.Of(s.Arm).Family), s.Arm.String(), string(s.Balancer), fmt.Sprintf("N=%d", s.Replicas), s.Lifetime().String(),
		step, cell(spec).Cell.Get("fault"), cell(spec).Cell.Get("change"), "store_cpu=" + cell(spec).Cell.Get("store_cpu")}
}

func (f figure) fits(words []string) bool {
	return !slices.ContainsFunc(strings.Fields(f.cells), func(w string) bool { return !slices.Contains(words, w) })
}

// value reads the figures for the rule's cells. Figures that are no counts
// differ by up to half a percent from trial to trial, as measured ones do.
func (fs figures) value(contrast trial.Contrast) value {
	return func(j experiment.Job, step string) float64 {
		has := words(j.Spec, step)
		v := 0.0
		for _, f := range fs {
			if f.fits(has) {
				v = f.value + f.spread*turn(j.Block)
			}
		}
		if contrast == trial.Count {
			return v
		}
		h := fnv.New64a()
		fmt.Fprint(h, j.Spec.Key(j.Block, 1), step)
		return v * (1 + 0.005*(2*rand.New(rand.NewPCG(1, h.Sum64())).Float64()-1))
	}
}
