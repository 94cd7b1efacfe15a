package rivals

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"
)

const bin = "../../bin" // make test builds what is in it

// starts skips a test with -short.
func starts(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts nginx and load generators: make test")
	}
}

// One short round with every real generator: each must have sent requests, none
// may fail, and all must show in the table.
func TestGeneratorsSideBySide(t *testing.T) {
	starts(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	o, err := Run(ctx, &out, Settings{Bin: bin, Rounds: 1, Seconds: 1, Memory: []int{3000}})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Bounds) != 5 || o.Bounds[0].What != "x wrk" || !(o.Bounds[0].Value > 0) {
		t.Errorf("the driver's bounds: %+v", o.Bounds)
	}
	rows := map[string]int{}
	for line := range strings.Lines(out.String()) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] == "generator" || f[1] != "open" && f[1] != "closed" {
			continue
		}
		rows[f[0]]++
		done, _ := strconv.ParseFloat(f[3], 64)
		cpu, _ := strconv.ParseFloat(f[4], 64)
		if done < 100 || cpu <= 0 || f[6] != "0" {
			t.Errorf("a generator that did nothing, cost nothing or failed: %s", line)
		}
	}
	if rows["driver"] != 4 || rows["wrk"] != 1 || rows["vegeta"] != 2 || rows["k6"] != 2 {
		t.Errorf("rows %v in\n%s", rows, out.String())
	}
	if _, memory, _ := strings.Cut(out.String(), "Memory of"); !strings.Contains(memory, " 3000 requests: ") {
		t.Errorf("no run of 3000 requests for memory in\n%s", out.String())
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	c := &contest{out: &out, Settings: Settings{Rounds: 3, Seconds: 2}}
	of := func(cpu ...float64) (rs []result) { // 10,000 requests each
		for _, s := range cpu {
			rs = append(rs, result{requests: 10_000, seconds: 2, cpu: s, lag50us: 20, lag99us: 1200})
		}
		return rs
	}
	entries := []entry{
		{tool: "driver", mode: trial.Open, rate: 50_000}, {tool: "wrk", mode: trial.Closed}, {tool: "vegeta", mode: trial.Closed},
		{tool: "k6", mode: trial.Closed},
		{tool: "driver", mode: trial.Open, rate: openRate}, {tool: "driver", mode: trial.Open, rate: equalRate},
		{tool: "vegeta", mode: trial.Open, rate: equalRate}, {tool: "k6", mode: trial.Open, rate: equalRate},
	}
	lost := of(0.2, 0.2, 0.2)
	lost[1].dropped = 7
	o := c.print(entries, [][]result{of(0.1, 9, 0.12), of(0.1, 0.1, 0.1), of(0.15, 0.1, 0.3), of(1, 1, 1), lost, of(0.3), of(0.6), of(1.2)},
		[]trial.Usage{{Seconds: 10, Foreign: 0.1}, {Seconds: 10, Steal: 0.12, Foreign: 0.2},
			{Seconds: 10, Missing: map[string]string{"foreign CPU": "nobody counted"}}}, 0.25)
	var keeps []bool
	for _, b := range o.Bounds {
		keeps = append(keeps, b.Kept())
	}
	if !o.Disturbed || !slices.Equal(keeps, []bool{true, false, true, false, false}) {
		t.Errorf("disturbed %v, bounds %+v", o.Disturbed, o.Bounds)
	}
	for _, want := range []string{
		"driver  open  50000  5000  12.0  0  0  20  1200",
		"wrk  closed  max  5000  10.0  0  0  -  -",
		"driver  open  30000  5000  20.0  7  0  20  1200",
		"1.20 x wrk, bound 2.50: kept",
		"0.80 x vegeta, bound 0.60: MISSED",
		"0.12 x k6, bound 0.25: kept",
		"0.50 x vegeta\n", "0.25 x k6\n",
		"7 dropped, bound 0: MISSED",
		"pacer lag p99 1.20 ms, bound 1 ms: MISSED",
		"0.00, 0.01  0.12, 0.02  0.00, 0.00 (not known: foreign CPU: nobody counted)",
		"Others used this machine",
		"compares \"sub\" in every answer",
	} {
		if !strings.Contains(squeeze(out.String()), squeeze(want)) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// squeeze makes runs of blanks one.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " ")+strings.Repeat("\n", strings.Count(line, "\n")))
	}
	return strings.Join(lines, "")
}

func TestBadSettings(t *testing.T) {
	good := Settings{Bin: bin, Rounds: 1, Seconds: 1}
	for want, change := range map[string]func(*Settings){
		"rounds is 0: want 1 to 100":    func(s *Settings) { s.Rounds = 0 },
		"seconds is 61: want 1 to 60":   func(s *Settings) { s.Seconds = 61 },
		"memory is for 10 requests":     func(s *Settings) { s.Memory = []int{1000, 10} },
		"authbench is missing: make be": func(s *Settings) { s.Bin = t.TempDir() },
	} {
		s := good
		change(&s)
		var out bytes.Buffer
		if _, err := Run(t.Context(), &out, s); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%+v: %v, want %q; printed %q", s, err, want, &out)
		}
	}
}

// A generator that fails ends the comparison with what it said itself; so does
// whoever interrupts it.
func TestFailingGenerator(t *testing.T) {
	starts(t)
	dir := t.TempDir()
	for _, name := range []string{"authbench", "vegeta", "k6"} {
		path, err := filepath.Abs(filepath.Join(bin, name))
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := Settings{Bin: dir, Rounds: 1, Seconds: 60}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, &bytes.Buffer{}, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	k6 := filepath.Join(dir, "k6")
	if err := errors.Join(os.Remove(k6), os.WriteFile(k6, []byte("#!/bin/sh\necho out of users >&2\nexit 3\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), &bytes.Buffer{}, s); err == nil || !strings.Contains(err.Error(), "out of users") {
		t.Errorf("a k6 that fails: %v", err)
	}
}
