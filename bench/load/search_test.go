package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"
)

// simulated is a system that is a function from a rate to what a try of it
// shows, with a knee that is known. Its noise is its own.
type simulated struct {
	name  string
	knee  float64 // the rate that holds in one half of all tries; of a system without noise the highest that holds
	share float64 // of the searches that say they found it, whose interval must hold the knee
	try   func(rate float64, noise *rand.Rand) trial.Try
}

const simulatedP99 = 100.0 // ms, the SLO

// shown is a try with a p99 in ms and so many errors.
func shown(p99 float64, errors int) trial.Try {
	t := trial.Try{Outcome: trial.Held, P99Milliseconds: p99, Seconds: 4}
	switch {
	case errors > 0:
		t.Outcome, t.Why = trial.Broke, fmt.Sprintf("%d errors", errors)
	case p99 > simulatedP99:
		t.Outcome, t.Why = trial.Broke, "p99 over 100 ms"
	}
	return t
}

// mm1 is a queue M/M/1: the time in it is exponential with rate C - λ, so that its p99
// is ln 100 / (C - λ). Beyond C it grows for as long as the try lasts, 4 s. Each
// try's p99 is off by a share of about the noise.
func mm1(capacity, noise float64) func(float64, *rand.Rand) trial.Try {
	return func(rate float64, random *rand.Rand) trial.Try {
		p99 := 4000.0
		if rate < capacity {
			p99 = min(p99, 1000*math.Log(100)/(capacity-rate))
		}
		return shown(p99*math.Exp(noise*random.NormFloat64()), 0)
	}
}

func kneeOf(capacity float64) float64 { return capacity - 1000*math.Log(100)/simulatedP99 }

// cliff serves up to its capacity and fails beyond.
func cliff(capacity float64) func(float64, *rand.Rand) trial.Try {
	return func(rate float64, _ *rand.Rand) trial.Try {
		if rate > capacity {
			return shown(2, 3)
		}
		return shown(2, 0)
	}
}

// flaky breaks a share of another's tries, for a reason that has nothing to do
// with the rate. The outcome says whether that was seen.
func flaky(share float64, as trial.Outcome, of func(float64, *rand.Rand) trial.Try) func(float64, *rand.Rand) trial.Try {
	return func(rate float64, random *rand.Rand) trial.Try {
		if random.Float64() < share {
			t := shown(10*simulatedP99, 0)
			t.Outcome = as
			return t
		}
		return of(rate, random)
	}
}

// soft has no edge: its tries hold with a chance that falls from 1 to 0 over
// some tens of percent of the rate, and is one half at the knee.
func soft(knee, width float64) func(float64, *rand.Rand) trial.Try {
	return func(rate float64, random *rand.Rand) trial.Try {
		return shown(simulatedP99*rate/knee*math.Exp(width*random.NormFloat64()), 0)
	}
}

// Nineteen of twenty searches find a knee, and at least 9 of 10 intervals hold
// the true one: all of them where the system is steady, and where it has hardly
// an edge, as the last has, 8 of 10.
func TestSearchFindsTheKnee(t *testing.T) {
	systems := []simulated{
		{"cliff", 777, 1, cliff(777)},
		{"cliff that is low", 17, 1, cliff(17)},
		{"cliff that is high", 123_456, 1, cliff(123_456)},
		{"M/M/1", kneeOf(5000), 1, mm1(5000, 0)},
		{"M/M/1, noise of a tenth", kneeOf(5000), 0.95, mm1(5000, 0.1)},
		{"M/M/1, noise of one half", kneeOf(5000), 0.95, mm1(5000, 0.5)},
		{"M/M/1, small", kneeOf(300), 0.9, mm1(300, 0.3)},
		{"one try in 30 breaks for nothing", 777, 0.95, flaky(1./30, trial.Broke, cliff(777))},
		{"one try in 5 is spoiled", 777, 1, flaky(0.2, trial.Spoiled, cliff(777))},
		{"noise, and one try in 5 is spoiled", kneeOf(5000), 0.95, flaky(0.2, trial.Spoiled, mm1(5000, 0.3))},
		{"soft over 10 %", 2000, 0.9, soft(2000, 0.1)},
		{"soft over 30 %", 2000, 0.8, soft(2000, 0.3)},
	}
	const runs = 1000
	s := trial.Search{Steps: 80, SLO: trial.SLO{P99Milliseconds: simulatedP99}}
	for _, system := range systems {
		t.Run(system.name, func(t *testing.T) {
			found, covered, tries, width := 0, 0, 0, 0.0
			for seed := range uint64(runs) {
				random := rand.New(rand.NewPCG(seed, 1))
				// The start decides which rates are tried: it is no property of the system.
				s.From = 50 * math.Exp2(random.Float64())
				c, err := Search(s, 0, func(rate float64) (trial.Try, error) {
					return system.try(rate, random), nil
				})
				if err != nil {
					t.Fatal(err)
				}
				coherent(t, s, c)
				tries += len(c.Tries)
				if c.End != trial.Found {
					continue
				}
				found++
				width += c.Fails/c.Holds - 1
				if c.Holds <= system.knee && system.knee <= c.Fails {
					covered++
				}
			}
			t.Logf("found %d of %d, %.3f of them with the knee within, %.1f %% wide, by %.1f tries", found, runs,
				float64(covered)/float64(found), 100*width/float64(found), float64(tries)/runs)
			if float64(found) < 0.95*runs || float64(covered) < system.share*float64(found) {
				t.Errorf("found %d of %d, %d of them with the knee within", found, runs, covered)
			}
		})
	}
}

// coherent checks what must hold of any search, whatever it was shown.
func coherent(t *testing.T, s trial.Search, c trial.Capacity) {
	t.Helper()
	of := map[float64]map[trial.Outcome]int{}
	for _, try := range c.Tries {
		if of[try.Rate] == nil {
			of[try.Rate] = map[trial.Outcome]int{}
		}
		of[try.Rate][try.Outcome]++
		if (try.Outcome == trial.Held) != (try.Why == "") {
			t.Errorf("a try of %g/s %s because %q", try.Rate, try.Outcome, try.Why)
		}
	}
	s = s.Filled()
	at, above := of[c.Holds], of[c.Fails]
	switch {
	case len(c.Tries) > s.Steps || c.Why == "":
		t.Errorf("%d tries, and it says %q", len(c.Tries), c.Why)
	case c.Holds > 0 && at[trial.Broke]+at[trial.Limited] > 0, c.Fails > 0 && above[trial.Held] > 0, c.Fails > 0 && c.Fails <= c.Holds:
		t.Errorf("from %g to %g: %v, %v", c.Holds, c.Fails, at, above)
	case (c.End == trial.Found || c.End == trial.AtLeast) && at[trial.Held] <= s.Repeats:
		t.Errorf("%s: %g/s held %d times", c.End, c.Holds, at[trial.Held])
	case c.End == trial.Found && above[trial.Broke] <= s.Repeats:
		t.Errorf("%s: %g/s broke %d times", c.End, c.Fails, above[trial.Broke])
	case c.End == trial.NoRate && c.Holds != 0:
		t.Errorf("no rate holds, but %g/s did", c.Holds)
	}
}

// What a steady system costs and how narrow it comes out.
func TestSearchIsShortAndNarrowWhereThereIsNoNoise(t *testing.T) {
	for _, knee := range []float64{130, 1000, 4321, 12_000} {
		c, err := Search(slo(40), 0, steady(cliff(knee)))
		if err != nil || c.End != trial.Found || c.Fails > 1.05*c.Holds || len(c.Tries) > slo(40).UsualTries() {
			t.Errorf("knee %g: %s, %v after %d tries", knee, c, err, len(c.Tries))
		}
	}
}

func slo(steps int) trial.Search {
	return trial.Search{Steps: steps, SLO: trial.SLO{P99Milliseconds: simulatedP99}}
}

// steady makes tries of a system without noise.
func steady(system func(float64, *rand.Rand) trial.Try) func(float64) (trial.Try, error) {
	return func(rate float64) (trial.Try, error) {
		return system(rate, rand.New(rand.NewPCG(1, 1))), nil
	}
}

// How a search ends that finds no knee.
func TestSearchThatFindsNoKnee(t *testing.T) {
	always, never := cliff(math.Inf(1)), cliff(0)
	over := func(o trial.Outcome) func(float64, *rand.Rand) trial.Try { // 1000/s
		return func(rate float64, _ *rand.Rand) trial.Try {
			if rate <= 1000 {
				return shown(1, 0)
			}
			t := shown(1000, 0)
			t.Outcome = o
			return t
		}
	}
	for _, c := range []struct {
		name    string
		s       trial.Search
		ceiling float64
		system  func(float64, *rand.Rand) trial.Try
		end     trial.End
		least   float64 // that holds
		why     string
	}{
		{"one that always holds", slo(40), 30_000, always, trial.AtLeast, 30_000, "the generator's ceiling is 30000 requests/s"},
		{"from above the ceiling", trial.Search{Steps: 40, SLO: slo(1).SLO, From: 500}, 200, always, trial.AtLeast, 200,
			"ceiling is 200 requests/s"},
		{"no ceiling", slo(10), 0, always, trial.Undecided, 51_200, "10 tries were not enough"},
		{"one that never holds", slo(40), 30_000, never, trial.NoRate, 0, "6.25/s did not hold either: 3 errors"},
		{"the generator at its ceiling", slo(40), 30_000, over(trial.Limited), trial.AtLeast, 955,
			"/s the generator is at its own ceiling: p99 over 100 ms"},
		{"a machine that spoils", slo(60), 30_000, over(trial.Spoiled), trial.Undecided, 955,
			"/s 4 tries were spoiled by the machine: p99 over 100 ms"},
		{"in too little time", trial.Search{Steps: 40, SLO: slo(1).SLO, Seconds: 10}, 0, cliff(1000), trial.Undecided, 400,
			"12 s were not enough"},
	} {
		got, err := Search(c.s, c.ceiling, steady(c.system))
		if err != nil || got.End != c.end || got.Holds < c.least || got.Holds > 1000 && got.Holds != c.least ||
			!strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %v, %s: holds %g, fails %g, because %s", c.name, err, got.End, got.Holds, got.Fails, got.Why)
		}
		coherent(t, c.s, got)
	}
}

// A system that breaks for good is not said to hold what it held before.
func TestSearchOfASystemThatDies(t *testing.T) {
	dead := false
	c, err := Search(slo(60), 0, func(rate float64) (trial.Try, error) {
		dead = dead || rate > 1000
		system := cliff(math.Inf(1))
		if dead {
			system = cliff(0)
		}
		return steady(system)(rate)
	})
	if err != nil || c.End == trial.Found || c.End == trial.AtLeast {
		t.Errorf("%v, %s: %s, %s", err, c.End, c, c.Why)
	}
	coherent(t, slo(60), c)
}

func TestSearchRefusesAndIsCut(t *testing.T) {
	for want, s := range map[string]trial.Search{
		"a search of 0 tries":   {SLO: slo(1).SLO},
		"p99 of 0 ms":           {Steps: 1},
		"p99 of NaN ms":         {Steps: 1, SLO: trial.SLO{P99Milliseconds: math.NaN()}},
		"from -1 requests":      {Steps: 1, SLO: slo(1).SLO, From: -1},
		"a resolution of 0.1 %": {Steps: 1, SLO: slo(1).SLO, Resolution: 0.001},
		"21 repeats":            {Steps: 1, SLO: slo(1).SLO, Repeats: 21},
		"a search of -1 s":      {Steps: 1, SLO: slo(1).SLO, Seconds: -1},
	} {
		if _, err := Search(s, 0, steady(cliff(1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	broken, n := errors.New("the driver broke"), 0
	c, err := Search(slo(40), 0, func(rate float64) (trial.Try, error) {
		if n++; n == 4 {
			return trial.Try{}, broken
		}
		return steady(cliff(1000))(rate)
	})
	if !errors.Is(err, broken) || c.End != trial.Undecided || c.Holds != 400 || len(c.Tries) != 3 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		p99             time.Duration
		errors, dropped int64
		spoilt          string
		limited         bool
		outcome         trial.Outcome
		why             string
	}{
		{p99: 99 * time.Millisecond, outcome: trial.Held},
		{p99: time.Millisecond, spoilt: "5 % was stolen", limited: true, outcome: trial.Held},
		{p99: 110 * time.Millisecond, outcome: trial.Broke, why: "p99 over 100 ms"},
		{p99: time.Millisecond, errors: 3, outcome: trial.Broke, why: "3 errors"},
		{p99: time.Millisecond, dropped: 2, outcome: trial.Broke, why: "2 dropped"},
		{p99: time.Second, spoilt: "5 % was stolen", outcome: trial.Spoiled, why: "p99 over 100 ms, but 5 % was stolen"},
		{p99: time.Second, spoilt: "it was busy", limited: true, outcome: trial.Limited, why: "p99 over 100 ms, but it was busy"},
	} {
		r := &trial.StreamResult{Completed: 1000, Offered: 1000 + c.dropped, Dropped: c.dropped,
			Outcomes: map[string]int64{trial.Success: 1000 - c.errors}, Latency: map[string]*trial.Histogram{trial.Success: trial.NewHistogram()}}
		r.Stream.Pacing.Rate = 300
		r.Latency[trial.Success].Record(c.p99)
		got := Judge(r, slo(1).SLO, c.spoilt, c.limited)
		if got.Outcome != c.outcome || got.Why != c.why || got.Rate != 300 ||
			math.Abs(got.P99Milliseconds/float64(c.p99.Milliseconds())-1) > 0.01 {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if got := Judge(&trial.StreamResult{}, slo(1).SLO, "", false); got.Outcome != trial.Broke || got.Why != "nothing was asked" {
		t.Errorf("nothing: %+v", got)
	}
}

// The driver's own tries, against servers.
func TestSearchAgainstAServer(t *testing.T) {
	d := driver(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
	}), Load{Connections: 4})
	run := func(d *Driver, slo trial.SLO) func(rate float64) (trial.Try, error) {
		return func(rate float64) (trial.Try, error) {
			r, err := d.Run(t.Context(), Phase{Name: "try", Mode: trial.Open, Seconds: 0.3, Rate: rate})
			conserved(t, r)
			try := Judge(r, slo, "", false)
			try.Seconds = r.Seconds
			return try, err
		}
	}
	c, err := Search(slo(20), 0, run(d, slo(20).SLO))
	if err != nil || c.End != trial.NoRate || !strings.Contains(c.Why, "errors") {
		t.Errorf("a server that fails: %v, %s: %s", err, c.End, c.Why)
	}
	d = driver(t, serve(t, me), Load{Connections: 16}) // more than a try has requests, so that none waits for one
	s := trial.Search{Steps: 20, From: 10, SLO: trial.SLO{P99Milliseconds: 30_000}}
	if c, err = Search(s, 40, run(d, s.SLO)); err != nil || c.End != trial.AtLeast || c.Holds != 40 || len(c.Tries) != 6 {
		t.Errorf("a server that serves: %v, %s: %s, %+v", err, c.End, c.Why, c.Tries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Search(s, 40, func(rate float64) (trial.Try, error) {
		_, err := d.Run(ctx, Phase{Name: "try", Mode: trial.Open, Seconds: 0.3, Rate: rate})
		return trial.Try{}, err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("cut off: %v", err)
	}
}

func ExampleSearch() {
	// A system that fails beyond 777 requests per second.
	c, err := Search(trial.Search{Steps: 40, SLO: trial.SLO{P99Milliseconds: 100}}, 0, func(rate float64) (trial.Try, error) {
		if rate <= 777 {
			return trial.Try{Outcome: trial.Held, P99Milliseconds: 2, Seconds: 4}, nil
		}
		return trial.Try{Outcome: trial.Broke, Why: "3 errors", P99Milliseconds: 2, Seconds: 4}, nil
	})
	fmt.Println(c, err)
	fmt.Println(c.Why)
	// Output:
	// 766 to 800 requests/s <nil>
	// 766/s held 4 times of 4, 800/s broke 4 of 4: 3 errors
}
