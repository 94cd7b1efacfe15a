package plan

import (
	"math"
	"strings"
	"testing"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// start is a trial of a cell with this CPU, in µs per request.
func start(spec trial.Spec, block int, replica, store float64, more ...analysistest.Option) trial.Trial {
	return analysistest.Trial(spec, block, append([]analysistest.Option{
		analysistest.CPU(Step, trial.BalancerTier, 30), analysistest.CPU(Step, trial.ReplicaTier, replica),
		analysistest.CPU(Step, trial.StoreTier, store), analysistest.Bytes(Step, 90, 240)}, more...)...)
}

func TestReadSoloTrials(t *testing.T) {
	var trials []trial.Trial
	for block := 1; block <= 3; block++ {
		trials = append(trials,
			start(analysistest.Spec(Experiment, "jwt/HS256", Step), block, 60, 5), // a store that stands by is not the arm's
			start(analysistest.Spec(Experiment, "session/redis", Step), block, 100+float64(block), 25),
			start(analysistest.Spec(Experiment, trial.Control, Step), block, 50, 0),
			start(analysistest.Labelled(analysistest.Spec(Experiment, trial.Control, Step), "b"), block, 5000, 0),
			start(analysistest.Spec(Experiment, "jwt/ES256", Step), block, 150, 0, analysistest.Doubt("stolen CPU", trial.CPUSplit)))
	}
	b, err := Read(trial.Run{Name: "solo"}, trials, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range b.Arms {
		names = append(names, string(m.Arm))
		if len(m.Starts) != 3 || len(m.Trials) != 3 || m.Rate != 1000 || m.Pool != 4 || m.Sessions != 100 || m.RequestBytes.Estimate != 90 {
			t.Errorf("%s: %+v", m.Arm, m)
		}
	}
	if got := strings.Join(names, " "); got != "none session/redis jwt/HS256" {
		t.Errorf("arms %s", got)
	}
	if len(b.Missing) != 1 || !strings.Contains(b.Missing[0], "jwt/ES256") || !strings.Contains(b.Missing[0], "stolen CPU") {
		t.Errorf("left out are %q, want jwt/ES256 with its reason", b.Missing)
	}
	redis, none := b.Arms[1], b.Arms[0]
	if s := redis.Starts[1]; s.Block != 2 || math.Abs(s.Demand.Replica-102e-6) > 1e-9 || math.Abs(s.Demand.Store-25e-6) > 1e-9 {
		t.Errorf("the second start of session/redis is %+v", s)
	}
	if math.Abs(none.Starts[0].Demand.Replica-50e-6) > 1e-9 || b.Arms[2].Starts[0].Demand.Store != 0 {
		t.Errorf("control %+v, jwt/HS256 %+v", none.Starts[0], b.Arms[2].Starts[0])
	}
}

// Where the control stands beside each arm, under a factor that says whose, it has a start for each.
func TestReadControlsBesideArms(t *testing.T) {
	var trials []trial.Trial
	for block := 1; block <= 2; block++ {
		for _, a := range []trial.Arm{"session/memory", "jwt/HS256"} {
			trials = append(trials, start(analysistest.Spec(Experiment, a, Step), block, 60, 0),
				start(analysistest.In(Experiment, trial.NewCell("arm", trial.Control, "beside", a), Step), block, 50, 0))
		}
	}
	b, err := Read(trial.Run{Name: "beside"}, trials, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Arms) != 3 || b.Arms[0].Arm != trial.Control || len(b.Arms[0].Starts) != 4 || len(b.Arms[1].Starts) != 2 {
		t.Errorf("%+v", b.Arms)
	}
}

// In a duet the control beside an arm is its ruler: a start that was twice as slow, control and all, says the same of the arm.
func TestReadDuets(t *testing.T) {
	var trials []trial.Trial
	add := func(a trial.Arm, block int, slow, replica, store float64) {
		duet := analysistest.Spec(Experiment, a, Step)
		duet.Cells = append(duet.Cells, analysistest.Labelled(analysistest.Spec(Experiment, trial.Control, Step), "control").Cells...)
		trials = append(trials, start(duet, block, slow*replica, slow*store,
			analysistest.CPU(Step, trial.BalancerTier, slow*30), analysistest.Beside(
				analysistest.CPU(Step, trial.BalancerTier, slow*30), analysistest.CPU(Step, trial.ReplicaTier, slow*50))))
	}
	add("session/redis", 1, 1, 100, 25)
	add("jwt/HS256", 1, 2, 60, 0) // in one block, the mean of whose levels is 1.5
	add("session/redis", 2, 3, 100, 25)
	b, err := Read(trial.Run{Name: "duets"}, trials, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Arms) != 2 { // the controls are not arms of their own here
		t.Fatalf("%d arms: %+v", len(b.Arms), b.Arms)
	}
	redis, token := b.Arms[0].Starts, b.Arms[1].Starts
	for _, x := range []struct{ got, want float64 }{{redis[0].Demand.Replica, 150e-6}, {redis[0].Demand.Store, 37.5e-6},
		{redis[1].Demand.Replica, 300e-6}, {token[0].Demand.Replica, 90e-6}, {token[0].Demand.Balancer, 45e-6}} {
		if math.Abs(x.got-x.want) > 1e-8 {
			t.Errorf("a demand of %v s, want %v", x.got, x.want)
		}
	}
}

func TestReadSaysWhatToDo(t *testing.T) {
	_, err := Read(trial.Run{Name: "empty"}, nil, "")
	if err == nil || !strings.Contains(err.Error(), "bin/authbench run --experiments cost") {
		t.Errorf("of a run without the experiment it says %v", err)
	}
	doubted := start(analysistest.Spec(Experiment, "jwt/ES256", Step), 1, 150, 0, analysistest.Doubt("stolen CPU", trial.CPUSplit))
	idle := start(analysistest.Spec(Experiment, "session/redis", Step), 1, 100, 0)
	if _, err := Read(trial.Run{Name: "idle"}, []trial.Trial{idle}, ""); err == nil || !strings.Contains(err.Error(), "no CPU") {
		t.Errorf("of a store that is asked and uses no CPU it says %v", err)
	}
	if _, err := Read(trial.Run{Name: "doubted"}, []trial.Trial{doubted}, ""); err == nil || !strings.Contains(err.Error(), "stolen CPU") {
		t.Errorf("of a run whose trials are all in doubt it says %v", err)
	}
}

func TestConstants(t *testing.T) {
	login, session := constants("BenchmarkLogin/hash=argon2id-2 1 52000000 ns/op\nBenchmarkLogin/hash=argon2id-2 1 48000000 ns/op\n" +
		"BenchmarkStart/store=redis 400 50000 ns/op 420 B/session\nnoise\n")
	if math.Abs(login.Estimate-0.05) > 1e-12 || login.N != 2 || login.Assumed {
		t.Errorf("a log-in takes %+v, want 0.05 s, measured twice", login)
	}
	if session["redis"].Estimate != 420 || session["redis"].Assumed || !session["postgres"].Assumed || session["postgres"].Estimate <= 0 {
		t.Errorf("sessions take %+v, want 420 bytes of Redis as measured, and PostgreSQL's assumed", session)
	}
	if login, _ := constants(""); !login.Assumed || login.Estimate != loginSeconds || login.Source == "" {
		t.Errorf("without benchmarks a log-in takes %+v", login)
	}
}
