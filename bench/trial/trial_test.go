package trial_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/trial"
)

func stream() trial.Stream {
	return trial.Stream{Name: trial.Main, Request: "GET /me", Connections: 4, Pacing: trial.Pacing{Mode: trial.Open, Rate: 100}}
}

func spec() trial.Spec {
	return trial.Single("cost", trial.CellSpec{
		Cell: trial.NewCell("arm", "jwt/ES256", "replicas", 3),
		System: trial.System{Arm: "jwt/ES256", Replicas: 3, Balancer: trial.RoundRobin, Users: 10,
			Budgets: map[trial.Tier]float64{trial.ReplicaTier: 0.1},
			Server:  map[string]string{trial.SettingLifetime: "1h0m0s", trial.SettingPool: "8"}},
		Steps: []trial.Step{{Name: "common", Seconds: 1, Streams: []trial.Stream{stream()}}},
	})
}

func TestSpecIdentity(t *testing.T) {
	a, b := spec(), spec()
	b.Cells[0].Label = "b"
	if a.Hash() != b.Hash() {
		t.Error("a label changes the identity: the halves of an A/A comparison could differ unseen")
	}
	if a.Key(1, 1) == b.Key(1, 1) {
		t.Error("two labels share a file name")
	}
	if b.Cells[0].Label != "b" {
		t.Error("hashing took the label away")
	}
	b = spec()
	b.Cells[0].Steps[0].Streams[0].Pacing.Rate = 101
	if a.Hash() == b.Hash() {
		t.Error("another rate has the same identity")
	}
	if s := a.Cells[0].System; s.Lifetime() != time.Hour || s.Pool() != 8 {
		t.Errorf("lifetime %v, pool %d", s.Lifetime(), s.Pool())
	}
}

func TestCell(t *testing.T) {
	c := trial.NewCell("arm", "jwt/HS256", "replicas", 4, "balancer", trial.Sticky)
	text, err := c.MarshalText()
	if err != nil || string(text) != "arm=jwt/HS256 replicas=4 balancer=sticky" {
		t.Errorf("%q, %v", text, err)
	}
	var back trial.Cell
	if err := back.UnmarshalText(text); err != nil || cmp.Diff(c, back) != "" {
		t.Errorf("%v, %v", back, err)
	}
	if c.Arm() != "jwt/HS256" || c.Get("replicas") != "4" || c.Get("lifetime") != "" || c.Words() != "jwt/HS256, replicas=4, balancer=sticky" {
		t.Errorf("%v: arm %s, words %q", c, c.Arm(), c.Words())
	}
	if w := c.With("replicas", 8).With("touch", "never"); w.String() != "arm=jwt/HS256 replicas=8 balancer=sticky touch=never" ||
		c.Get("replicas") != "4" {
		t.Errorf("%v, and the original %v", w, c)
	}
	if !c.Holds(trial.NewCell("replicas", 4)) || c.Holds(trial.NewCell("replicas", 8)) || c.Holds(trial.NewCell("lifetime", "1h")) ||
		!c.Holds(nil) {
		t.Error("a partial cell matches the wrong ones")
	}
	for text, want := range map[string]string{"arm": "no factor=level", "arm=": "no factor=level", "a=1 a=2": "twice"} {
		if err := back.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSpecsThatMakeNoSense(t *testing.T) {
	if err := spec().Check(); err != nil {
		t.Errorf("a good spec: %v", err)
	}
	for want, change := range map[string]func(*trial.Spec){
		"no cells": func(s *trial.Spec) { s.Cells = nil },
		"run at once": func(s *trial.Spec) {
			s.Cells = append(s.Cells, trial.CellSpec{Cell: s.Cells[0].Cell, System: s.Cells[0].System})
		},
		"has a system of arm none": func(s *trial.Spec) { s.Cells[0].System.Arm = trial.Control },
		"want names, each once":    func(s *trial.Spec) { s.Cells[0].Steps = append(s.Cells[0].Steps, s.Cells[0].Steps[0]) },
		"nothing loads it":         func(s *trial.Spec) { s.Cells[0].Steps[0].Streams = nil },
		"a search wants one stream": func(s *trial.Spec) {
			s.Cells[0].Steps[0].Search = &trial.Search{Steps: 1, SLO: trial.SLO{P99Milliseconds: 1}}
			s.Cells[0].Steps[0].Script = &trial.Script{File: "x.js"}
		},
		"of the first cell": func(s *trial.Spec) {
			s.Cells = append(s.Cells, s.Cells[0])
			s.Cells[0].Steps = slices.Clone(s.Cells[0].Steps)
			s.Cells[0].Steps[0].Search = &trial.Search{Steps: 1, SLO: trial.SLO{P99Milliseconds: 1}, From: 1, Resolution: 0.1, Repeats: 1}
		},
		"a search of 0 tries: want": func(s *trial.Spec) { s.Cells[0].Steps[0].Search = &trial.Search{} },
		"from 0.5 to 1.5 s of 1 s": func(s *trial.Spec) {
			s.Cells[0].Steps[0].Faults = []trial.Fault{{Kind: "kill", Target: "redis", At: 0.5, Lasts: 1}}
		},
		"two faults of redis overlap": func(s *trial.Spec) {
			s.Cells[0].Steps[0].Faults = []trial.Fault{{Kind: "kill", Target: "redis", Lasts: 0.5},
				{Kind: "hang", Target: "redis", At: 0.4, Lasts: 0.5}}
		},
		`experiment "Wrong user": want a name`: func(s *trial.Spec) { s.Experiment = "Wrong user" },
		`unknown request "GET /nowhere"`:       func(s *trial.Spec) { s.Cells[0].Steps[0].Streams[0].Request = "GET /nowhere" },
	} {
		s := spec()
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// A cell may stand idle beside one whose capacity is searched for.
func TestACellMayBeIdleBesideASearch(t *testing.T) {
	s := spec()
	idle := s.Cells[0]
	idle.Steps = slices.Clone(idle.Steps)
	idle.Steps[0].Streams = nil
	s.Cells = append(s.Cells, idle)
	s.Cells[0].Steps = s.Cells[0].Steps[:1]
	s.Cells[1].Steps = s.Cells[1].Steps[:1]
	s.Cells[0].Steps[0].Search = &trial.Search{Steps: 1, SLO: trial.SLO{P99Milliseconds: 1}, From: 1, Resolution: 0.1, Repeats: 1}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestFolderKeepsTrialsWholeAndUnchanged(t *testing.T) {
	f := trial.Folder(t.TempDir())
	h := trial.NewHistogram()
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	want := trial.Trial{Key: spec().Key(1, 1), Spec: spec(), Block: 1, Attempt: 1, Order: 7, Status: trial.OK,
		Started: time.Unix(1e9, 0).UTC(),
		Steps: []trial.Measurement{{Step: "common", Streams: map[string]*trial.StreamResult{trial.Main: {
			Stream: stream(), Completed: 1000, Outcomes: map[string]int64{trial.Success: 1000},
			Latency: map[string]*trial.Histogram{trial.Success: h}}}}}}
	if err := f.WriteTrial(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Trials()
	if err != nil || len(got) != 1 {
		t.Fatalf("%d trials, %v", len(got), err)
	}
	read, wrote := got[0].Steps[0].Streams[trial.Main], want.Steps[0].Streams[trial.Main]
	gotHist := read.Latency[trial.Success]
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		if gotHist.Quantile(q) != h.Quantile(q) {
			t.Errorf("q%v: %v after reading, %v before writing", q, gotHist.Quantile(q), h.Quantile(q))
		}
	}
	read.Latency, wrote.Latency = nil, nil
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("a trial changed on its way through its file:\n%s", d)
	}
	if err := f.WriteTrial(want); err == nil {
		t.Error("a second write of the same trial was accepted")
	}

	path := f.Path("trials", want.Key+".json")
	whole, _ := os.ReadFile(path)
	for name, damaged := range map[string][]byte{
		"truncated": whole[:len(whole)/2],
		"altered":   []byte(strings.Replace(string(whole), `"completed":1000`, `"completed":9000`, 1)),
		"empty":     {},
	} {
		os.WriteFile(path, damaged, 0o644)
		if _, err := f.Trials(); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s file: %v; want ErrDamaged and the file's name", name, err)
		}
	}
}

func TestRunGuardsItsRules(t *testing.T) {
	f := trial.Folder(t.TempDir())
	if _, err := f.ReadRun(); err == nil || !strings.Contains(err.Error(), "run.json") {
		t.Errorf("empty folder: %v", err)
	}
	r := trial.Run{Name: "x", Status: "complete", Profile: "smoke", Runtime: "native", Experiments: []string{"cost"},
		Rules: []trial.Rule{{Claim: "C01", Margin: 2, Compare: []trial.Comparison{{Name: "one-sided", A: trial.Of(trial.Control, "common")}}}}}
	r.RuleHashes = []string{r.Rules[0].Hash()}
	if err := f.WriteRun(r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadRun(); err != nil {
		t.Fatal(err)
	}
	r.Rules[0].Margin = 20 // somebody moves the goal posts
	if err := f.WriteRun(r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadRun(); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), "C01") {
		t.Errorf("a changed rule: %v; want ErrDamaged that names the claim", err)
	}
}

// A histogram that was read tells the same as the one that was written, and goes
// on counting.
func TestHistogramIsTheSameWhenRead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 10, 1000, 50_000} {
		h := trial.NewHistogram()
		for range n {
			h.Record(time.Duration(math.Exp(random.Float64()*22)) + time.Duration(random.IntN(2))*time.Minute)
		}
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var read, merged trial.Histogram
		if err := errors.Join(json.Unmarshal(b, &read), json.Unmarshal(b, &merged)); err != nil {
			t.Fatal(err)
		}
		for _, q := range []float64{0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			if got, want := read.Quantile(q), h.Quantile(q); got != want {
				t.Errorf("%d durations, quantile %g: %v when read, %v before", n, q, got, want)
			}
		}
		if read.Count() != h.Count() || read.Max() != h.Max() {
			t.Errorf("%d durations: %d of at most %v when read, %d of at most %v before", n, read.Count(), read.Max(), h.Count(), h.Max())
		}
		for _, again := range []*trial.Histogram{&read, &merged} {
			if c, err := json.Marshal(again); err != nil || string(c) != string(b) {
				t.Errorf("%d durations: written again it differs, %v", n, err)
			}
			again.Merge(h)
			again.Record(time.Second)
			if again.Count() != 2*h.Count()+1 || again.Max() < h.Max() {
				t.Errorf("%d durations, merged with themselves and one more: %d, at most %v", n, again.Count(), again.Max())
			}
		}
		twice := trial.NewHistogram()
		twice.Merge(h)
		var other trial.Histogram
		if err := json.Unmarshal(b, &other); err != nil {
			t.Fatal(err)
		}
		twice.Merge(&other)
		if twice.Count() != 2*h.Count() || twice.Quantile(0.5) != h.Quantile(0.5) && n > 2 {
			t.Errorf("%d durations: merged with what was read %d, median %v; want %d and %v", n, twice.Count(), twice.Quantile(0.5),
				2*h.Count(), h.Quantile(0.5))
		}
	}
}

func TestWhatIsNoHistogram(t *testing.T) {
	for _, text := range []string{`""`, `"x"`, `"HISTFAA"`, `7`, `"HISTFAAAAAA="`, `"HISTFAAAACF42pJpmSzMwMAg"`} {
		var h trial.Histogram
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s was read as a histogram", text)
		}
	}
}

// FuzzHistogram reads anything that begins like a histogram: whatever follows, it must count something or nothing.
func FuzzHistogram(f *testing.F) {
	h := trial.NewHistogram()
	for i := range 100 {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	b, err := json.Marshal(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`"HISTFAAAAB542pJpmSzMwMAgzgABzFDqBQMDg/SHvg0M9h8gIhMAAAAA//8="`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h trial.Histogram
		if json.Unmarshal(b, &h) != nil {
			return
		}
		if n, q := h.Count(), h.Quantile(0.5); n < 0 || n == 0 && q != 0 {
			t.Errorf("%s: %d durations, median %v", b, n, q)
		}
	})
}

func TestHistogramMergesAndClamps(t *testing.T) {
	a, b := trial.NewHistogram(), trial.NewHistogram()
	a.Record(time.Millisecond)
	b.Record(time.Hour)
	b.Record(-time.Second)
	a.Merge(b)
	a.Merge(nil)
	if a.Count() != 3 {
		t.Errorf("count %d, want 3: a duration out of bounds must be counted at the bound", a.Count())
	}
	if a.Max() < 2*time.Minute {
		t.Errorf("max %v, want the upper bound", a.Max())
	}
	var none *trial.Histogram
	if none.Count() != 0 || none.Quantile(0.99) != 0 {
		t.Error("a histogram that is not there must count as empty")
	}
	if _, err := json.Marshal(a); err != nil {
		t.Error(err)
	}
}
