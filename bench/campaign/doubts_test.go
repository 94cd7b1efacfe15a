package campaign

import (
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"
)

func TestDoubtsSpoilWhatTheyTouchAndNothingElse(t *testing.T) {
	lag := func(d time.Duration) *trial.Histogram {
		h := trial.NewHistogram()
		h.Record(d)
		return h
	}
	in := Instrument{Generator: []string{"cpu0"}, System: []string{"cpu1"}}
	healthy := func() trial.Measurement { // 10 s, in which the system used 4 s of its CPU
		return trial.Measurement{Step: "p", Seconds: 10, Streams: map[string]*trial.StreamResult{trial.Main: {
			Stream: trial.Stream{Name: trial.Main, Pacing: trial.Pacing{Mode: trial.Open}}, Seconds: 10, Offered: 100, Completed: 100,
			Outcomes: map[string]int64{trial.Success: 100}, PacerLag: lag(100 * time.Microsecond),
			Latency: map[string]*trial.Histogram{trial.Success: lag(time.Millisecond)}}},
			Usage: trial.Usage{Seconds: 10, CPU: map[trial.Tier]float64{trial.GeneratorTier: 2.5, trial.ReplicaTier: 3, trial.BalancerTier: 1},
				Ticks: map[string]trial.CPUTicks{"cpu0": {Busy: 250, Total: 1000}, "cpu1": {Busy: 400, Total: 1000}}}}
	}
	close := func(m *trial.Measurement) { m.Streams[trial.Main].Stream.Pacing.Mode = trial.Closed }
	system := func(busy, steal int64) func(*trial.Measurement) {
		return func(m *trial.Measurement) {
			m.Usage.Ticks["cpu1"] = trial.CPUTicks{Busy: busy, Steal: steal, Total: 1000}
		}
	}
	for name, c := range map[string]struct {
		change func(*trial.Measurement)
		want   string // "" for no doubt
		spoils string // of these alone
	}{
		"healthy":           {func(*trial.Measurement) {}, "", ""},
		"exactly the bound": {system(400, 10), "", ""}, // 10 ticks of 1,000 are 1 %, not more
		"a tick more":       {system(400, 11), "1 % of the system's CPU time was stolen", "tail"},
		"stolen, 2.5 %":     {system(400, 25), "stolen", "tail, rate"},
		"stolen, 4 %":       {system(400, 40), "stolen", "cpu split, tail, rate"},
		"stolen, 30 %":      {system(400, 300), "stolen", "cpu, cpu split, median, tail, rate"},
		"other processes":   {system(450, 0), "other processes used 5 %", "cpu, cpu split, median, tail, rate"},
		"others not known": {func(m *trial.Measurement) {
			system(900, 0)(m)
			m.Usage.Missing = map[string]string{trial.MissingForeign: "r1 was not read"}
		}, "", ""},
		// its lag tells
		"generator stolen from": {func(m *trial.Measurement) { m.Usage.Ticks["cpu0"] = trial.CPUTicks{Steal: 100, Total: 1000} }, "", ""},
		"the same, closed loop": {func(m *trial.Measurement) {
			close(m)
			m.Usage.Ticks["cpu0"] = trial.CPUTicks{Steal: 100, Total: 1000}
		}, "10 % of the generator's CPU was stolen", "rate"},
		"generator stopped": {func(m *trial.Measurement) { m.Streams[trial.Main].StoodStill = 1 }, "", ""}, // its lag tells
		"stopped, closed loop": {func(m *trial.Measurement) { close(m); m.Streams[trial.Main].StoodStill = 1 },
			"stood still for 10 % of the step", "rate"},
		"stopped for a moment": {func(m *trial.Measurement) { close(m); m.Streams[trial.Main].StoodStill = 0.15 }, "", ""},
		"pacer late for latency": {func(m *trial.Measurement) { m.Streams[trial.Main].PacerLag = lag(2 * time.Millisecond) },
			"started late", "median, tail"},
		"pacer late for CPU": {func(m *trial.Measurement) { m.Streams[trial.Main].PacerLag = lag(8 * time.Millisecond) }, "started late",
			"cpu split, median, tail"},
		"full generator": {func(m *trial.Measurement) { m.Usage.CPU[trial.GeneratorTier] = 9 }, "90 % of its CPU", "median, tail, rate"},
		"full, closed loop": {func(m *trial.Measurement) { close(m); m.Usage.CPU[trial.GeneratorTier] = 9 }, "90 % of its CPU",
			"median, tail, rate"},
		"overload": {func(m *trial.Measurement) { system(990, 0)(m); m.Usage.CPU[trial.ReplicaTier] = 8.9 }, "99 % busy", ""},
		"no success is a result": {func(m *trial.Measurement) { m.Streams[trial.Main].Outcomes = map[string]int64{trial.Failed: 100} },
			"100 of 100 requests failed", ""},
		"drops, pacer healthy": {func(m *trial.Measurement) { m.Streams[trial.Main].Dropped = 7 }, "7 of 100 requests never started", ""},
		"errors": {func(m *trial.Measurement) {
			m.Streams[trial.Main].Outcomes = map[string]int64{trial.Success: 97, trial.Failed: 3}
		}, "3 of 100 requests failed", ""},
		"a k6 journey": {func(m *trial.Measurement) { m.Streams = nil; system(400, 900)(m) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := healthy()
			c.change(&m)
			found := in.doubts(&m, trial.Expect{}, 1)
			if c.want == "" {
				if len(found) != 0 {
					t.Errorf("doubts %+v, want none", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Text, c.want) || found[0].Step != "p" {
				t.Fatalf("doubts %+v, want one that says %q", found, c.want)
			}
			var spoils []string
			for _, a := range trial.Aspects() {
				if slices.Contains(found[0].Spoils, a) {
					spoils = append(spoils, string(a))
				}
			}
			if got := strings.Join(spoils, ", "); got != c.spoils {
				t.Errorf("%q spoils %s, want %s", found[0].Text, got, c.spoils)
			}
		})
	}
}

// Noise hits both sides of a duet: its CPU figures stand much more of it, and what
// the other side used is no other process.
func TestADuetStandsMoreNoise(t *testing.T) {
	in := Instrument{Generator: []string{"cpu0"}, System: []string{"cpu1"}}
	spoiled := func(busy int64, beside float64, cells int) (aspects []trial.Aspect) {
		m := trial.Measurement{Step: "p", Streams: map[string]*trial.StreamResult{trial.Main: {}},
			Usage: trial.Usage{CPU: map[trial.Tier]float64{trial.ReplicaTier: 2}, Beside: beside,
				Ticks: map[string]trial.CPUTicks{"cpu1": {Busy: busy, Total: 1000}}}}
		for _, d := range in.doubts(&m, trial.Expect{}, cells) {
			aspects = append(aspects, d.Spoils...)
		}
		return aspects
	}
	if got := spoiled(400, 2, 2); got != nil {
		t.Errorf("with all CPU accounted for %v are spoiled", got)
	}
	alone, duet := spoiled(480, 2, 1), spoiled(480, 2, 2)
	if !slices.Contains(alone, trial.CPUTotal) || !slices.Contains(alone, trial.CPUSplit) {
		t.Errorf("8 %% of other work spoil %v of a cell alone; want its CPU among them", alone)
	}
	if slices.Contains(duet, trial.CPUTotal) || slices.Contains(duet, trial.CPUSplit) || !slices.Contains(duet, trial.Median) {
		t.Errorf("8 %% of other work spoil %v of a duet; want its latency and not its CPU", duet)
	}
	if got := spoiled(900, 0, 2); !slices.Contains(got, trial.CPUTotal) {
		t.Errorf("70 %% of other work spoil %v of a duet; want its CPU among them", got)
	}
}

// What keeps a try of a rate from counting is what spoils rates or tails.
func TestATryIsSpoiltByTheMachineAndLimitedByTheGenerator(t *testing.T) {
	in := Instrument{Generator: []string{"cpu0"}, System: []string{"cpu1"}}
	for _, c := range []struct {
		steal     int64
		generator float64
		p99, lag  time.Duration
		spoilt    string
		limited   bool
	}{
		{0, 5, time.Millisecond, 0, "", false},
		{25, 5, time.Millisecond, 0, "2 % of the system's CPU time was stolen", false},
		{0, 9, time.Millisecond, 0, "the generator used 90 % of its CPU", true},
		{25, 9, time.Millisecond, 0, "2 % of the system's CPU time was stolen; the generator used 90 % of its CPU", true},
		{0, 5, time.Millisecond, 20 * time.Millisecond, "", false}, // a lag that no p99 of 100 ms comes from
		{0, 5, time.Millisecond, 40 * time.Millisecond, "the generator started late: pacer lag p99 40.01ms", false},
		{0, 5, 150 * time.Millisecond, 40 * time.Millisecond, "the generator started late: pacer lag p99 40.01ms", false},
		{0, 5, 200 * time.Millisecond, 40 * time.Millisecond, "", false}, // without it p99 would be over 100 ms, too
	} {
		latency, lag := trial.NewHistogram(), trial.NewHistogram()
		latency.Record(c.p99)
		lag.Record(c.lag)
		m := trial.Measurement{
			Streams: map[string]*trial.StreamResult{trial.Main: {Stream: trial.Stream{Pacing: trial.Pacing{Mode: trial.Open}},
				Completed: 9, Outcomes: map[string]int64{trial.Failed: 9}, // which the system did
				Latency: map[string]*trial.Histogram{trial.Success: latency}, PacerLag: lag}},
			Usage: trial.Usage{Seconds: 10, CPU: map[trial.Tier]float64{trial.GeneratorTier: c.generator, trial.ReplicaTier: 4},
				Ticks: map[string]trial.CPUTicks{"cpu1": {Busy: 400, Steal: c.steal, Total: 1000}}}}
		if why, limited := in.Spoilt(&m, trial.SLO{P99Milliseconds: 100}); why != c.spoilt || limited != c.limited {
			t.Errorf("%+v: %q, %v", c, why, limited)
		}
	}
}

// In a phase of half a second a tick is 2 %: so few ticks are rounding.
func TestFewTicksAreRounding(t *testing.T) {
	in := Instrument{Generator: []string{"cpu0"}, System: []string{"cpu1"}}
	for steal, doubted := range map[int64]bool{3: false, 4: true} {
		m := trial.Measurement{
			Streams: map[string]*trial.StreamResult{trial.Main: {Stream: trial.Stream{Pacing: trial.Pacing{Mode: trial.Open}}}},
			Usage:   trial.Usage{Ticks: map[string]trial.CPUTicks{"cpu1": {Steal: steal, Total: 50}}}}
		if found := in.doubts(&m, trial.Expect{}, 1); (len(found) > 0) != doubted {
			t.Errorf("%d of 50 ticks stolen: doubts %+v", steal, found)
		}
	}
}

// Counts survive every doubt of the instrument.
func TestNoRuleSpoilsCounts(t *testing.T) {
	for _, r := range DoubtRules() {
		if r.Aspect == trial.Counts || r.Bound <= 0 || r.Why == "" {
			t.Errorf("%+v", r)
		}
	}
	if slices.Contains(spoilt(), trial.Counts) {
		t.Error("a death spoils counts: it is a result, counted as failures")
	}
}
