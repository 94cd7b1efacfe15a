package analysistest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"authbench/bench/arm"
	"authbench/bench/experiment"
	"authbench/bench/trial"
)

// Blocks is how often every cell of the fixture run was measured.
const Blocks = 6

// Profile is that of the fixture run: the standard one.
func Profile() experiment.Profile {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		panic(err)
	}
	return p
}

// Run is a whole plausible run of all experiments: cost with every plain arm
// and the control twice, and the others as the profile has them. One cost trial came out
// in doubt and was repeated.
func Run() (trial.Run, []trial.Trial) {
	p := Profile()
	run := manifest(p)
	var trials []trial.Trial
	for _, e := range experiment.All(p) {
		e.Blocks = Blocks
		run.Experiments = append(run.Experiments, e.Name)
		run.Questions = append(run.Questions, e.Entry())
		for _, r := range e.Rules {
			run.Rules = append(run.Rules, r)
			run.RuleHashes = append(run.RuleHashes, r.Hash())
		}
		done := carryOut(&experiment.Plan{Experiment: e, Seed: run.Seed})
		if e.Predict != nil {
			run.Predictions = append(run.Predictions,
				e.Predict(slices.DeleteFunc(slices.Clone(done), func(t trial.Trial) bool { return t.Block > 0 }))...)
		}
		trials = append(trials, done...)
	}
	trials = repeatOne(trials)
	shareLag(trials)
	for i := range trials {
		trials[i].Order = i + 1
		trials[i].Started = Epoch.Add(time.Duration(i) * 3 * time.Second)
	}
	run.Ended = Epoch.Add(time.Duration(len(trials)) * 3 * time.Second)
	return run, trials
}

// Long is Run with its blocks repeated until there are n trials.
func Long(n int) (trial.Run, []trial.Trial) {
	run, once := Run()
	all := make([]trial.Trial, 0, n)
	for round := 0; ; round++ {
		for _, t := range once {
			if len(all) == n {
				return run, all
			}
			if t.Block == 0 && round > 0 {
				continue
			}
			if t.Block > 0 {
				t.Block += round * Blocks
			}
			t.Order, t.Key = len(all)+1, t.Spec.Key(t.Block, t.Attempt)
			all = append(all, t)
		}
	}
}

// carryOut pretends to measure a plan.
func carryOut(p *experiment.Plan) (done []trial.Trial) {
	for {
		j, ok, err := p.Next(done)
		if err != nil {
			panic(fmt.Sprintf("analysistest: %v", err))
		}
		if !ok {
			return done
		}
		done = append(done, pretend(j.Spec, j.Block))
	}
}

func pretend(s trial.Spec, block int) trial.Trial {
	t := Trial(s, block)
	n := noiseOf(t.Key)
	for i := range t.Steps {
		fill(&t, &t.Steps[i], n)
	}
	for _, step := range s.Cells[0].Steps {
		switch {
		case step.Name == "outage":
			breakDown(&t)
		case step.Script == nil:
		case step.Script.File == "sticky.js":
			stick(&t, step.Script, n)
		case step.Script.File == "revoke.js":
			revoke(&t, n)
		case step.Script.Env["CHANGE"] != "":
			outlive(&t, step.Script.Env["CHANGE"], n)
		}
	}
	t.Seconds = 2.6
	return t
}

// breakDown pretends an outage: who asks a store that is gone is not served, and
// nobody who must be refused is.
func breakDown(t *trial.Trial) {
	c, available := t.Spec.Cells[0], 1.0
	if arm.Of(c.System.Arm).Store() != "" && c.Cell.Get("fault") != "slow" {
		available = 0
	}
	switch fault := c.Cell.Get("fault"); {
	case fault == "restart-empty" && available == 0:
		LoggedOut("outage", 130, 1)(t)
		return
	case fault == "evict" && available == 0:
		LoggedOut("outage", 130, 0.5)(t)
		return
	}
	Outage("outage", 130, available)(t)
	if m, _ := t.Step(0, "outage"); available == 0 {
		r := m.Streams[trial.Main]
		r.Latency[trial.Failed] = LogNormal(130, 20*time.Millisecond, 252*time.Millisecond)
	}
}

// stick counts what sticky.js counts: a memory store without stickiness loses 1-1/N.
func stick(t *trial.Trial, script *trial.Script, n noise) {
	s := t.Spec.Cells[0].System
	requests, err := strconv.Atoi(script.Env["REQUESTS"])
	if err != nil {
		panic(fmt.Sprintf("analysistest: REQUESTS of %s: %v", t.Spec, err))
	}
	requests = (requests + s.Users - 1) / s.Users * s.Users
	lost := 0.0
	if arm.Of(s.Arm).Loses(s.Balancer) {
		lost = math.Round(float64(requests) * n.near(1-1/float64(s.Replicas), 0.002))
	}
	Lost(float64(s.Users), float64(requests), lost)(t)
	for _, name := range []string{"failed_requests", "wrong_user"} {
		JourneyCounter(name, 0)(t)
	}
	served := requests - int(lost) // only a 2xx names its replica
	for i := range s.Replicas {
		JourneyCounter("replica_"+replicaName(i), float64((served+i)/s.Replicas))(t)
	}
}

// outlive counts what theft.js and role-change.js count: of credentials that end
// by themselves all outlive a change, and of sessions in a replica's memory those
// that it did not come to.
func outlive(t *trial.Trial, change string, n noise) {
	s := t.Spec.Cells[0].System
	users := float64(s.Users)
	letIn := 0.0
	switch k := arm.Of(s.Arm); {
	case k.Ends == arm.AtExpiry, change == "password":
		letIn = users
	case k.State == arm.Replica && change != "log-out":
		letIn = math.Round(users * n.near(1-1/float64(s.Replicas), 0.02))
	}
	revoke(t, n)
	for name, v := range map[string]float64{"users_changed": users, "users_let_in": letIn} {
		JourneyCounter(name, v)(t)
	}
}

// revoke samples what revoke.js samples, one value a user: a session is dead at
// once, what the server cannot end lives to its own end.
func revoke(t *trial.Trial, n noise) {
	s := t.Spec.Cells[0].System
	life := s.Lifetime().Seconds()
	var lags, remaining, bounds []float64
	successes, letIn := 0.0, 0.0
	for range s.Users {
		left := life - n.near(0.12, 0.2)
		lag, bound := 0.0, -1.0
		if arm.Of(s.Arm).Ends == arm.AtExpiry {
			lag = max(0, left-math.Abs(n.near(0.005, 0.8)))
			bound = math.Ceil(left)
			letIn++
			successes += math.Floor(lag / 0.010 * float64(s.Replicas))
		} else {
			left = -1 // a cookie does not tell
		}
		lags, remaining, bounds = append(lags, lag), append(remaining, left), append(bounds, bound)
	}
	JourneySamples("revocation_lag_seconds", lags...)(t)
	JourneySamples("remaining_life_seconds", remaining...)(t)
	JourneySamples("declared_bound_seconds", bounds...)(t)
	for name, v := range map[string]float64{"users_logged_out": float64(s.Users), "unauthorized_successes": successes, "users_let_in": letIn,
		"failed_requests": 0, "wrong_user": 0, "still_alive_users": 0} {
		JourneyCounter(name, v)(t)
	}
}

// repeatOne puts a first attempt in doubt before one trial.
func repeatOne(trials []trial.Trial) []trial.Trial {
	for i, t := range trials {
		if t.Spec.Experiment == "cost" && t.Block == 2 && t.Spec.Cells[0].System.Arm == "session/redis" {
			bad := pretend(t.Spec, t.Block)
			bad.Doubt(trial.Doubt{Step: "load=common", Cause: "stolen CPU", Amount: 0.11, Bound: 0.01, Unit: "share of its CPU time",
				Spoils: []trial.Aspect{trial.CPUTotal, trial.CPUSplit, trial.Median, trial.Tail, trial.Rate},
				Text:   "11 % of the system's CPU time was stolen"})
			trials[i].Attempt = 2
			trials[i].Key = t.Spec.Key(t.Block, 2)
			return append(trials[:i:i], append([]trial.Trial{bad}, trials[i:]...)...)
		}
	}
	return trials
}

func replicaName(i int) string { return fmt.Sprintf("r%d", i+1) }

func manifest(p experiment.Profile) trial.Run {
	settings, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return trial.Run{
		Format: trial.Format, Name: "fixture", Profile: p.Name, Runtime: "native", Settings: settings, Seed: 1,
		Started: Epoch, Status: "complete",
		Commit: "0123456789ab", Command: []string{"authbench", "run", "--profile", p.Name, "--seed", "1"},
		Machine: trial.Machine{OS: "linux/amd64", Kernel: "6.1.0", CPU: "Fixture CPU @ 2.50GHz", CPUs: 2, MemoryMiB: 7936,
			GeneratorCPUs: "0", SystemCPUs: "1"},
		Software: []trial.Software{
			{Name: "servers", Version: "0123456789ab", SHA256: "1111111111111111111111111111111111111111111111111111111111111111"},
			{Name: "nginx", Version: "1.22.1", SHA256: "2222222222222222222222222222222222222222222222222222222222222222"},
			{Name: "redis-server", Version: "7.0.15", SHA256: "3333333333333333333333333333333333333333333333333333333333333333"},
			{Name: "postgres", Version: "15.14", SHA256: "4444444444444444444444444444444444444444444444444444444444444444"},
			{Name: "k6", Version: "2.2.0", SHA256: "5555555555555555555555555555555555555555555555555555555555555555"},
		},
		Budgeting: "cgroup v1",
	}
}
