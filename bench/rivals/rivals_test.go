package main

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"authbench/bench/process"
)

// One short round with every real generator: each must have sent requests, none
// may fail, and all must show in the table.
func TestGeneratorsSideBySide(t *testing.T) {
	ledger, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	cpus, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b := &loadBench{ledger: ledger, out: &out, rounds: 1, seconds: 1, generator: strconv.Itoa(cpus[0])}
	if err := b.find("../bin"); err != nil {
		t.Fatal(err)
	}
	b.self = authbench(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := b.startNginx(ctx, strconv.Itoa(cpus[len(cpus)-1])); err != nil {
		t.Fatal(err)
	}
	if err := b.compare(ctx); err != nil {
		t.Fatal(err)
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
}

func TestLoadTable(t *testing.T) {
	var out bytes.Buffer
	b := &loadBench{out: &out, rounds: 3, seconds: 2}
	result := func(cpu ...float64) (rs []loadResult) { // 10,000 requests each
		for _, c := range cpu {
			rs = append(rs, loadResult{requests: 10_000, seconds: 2, cpu: c, lag50us: 20, lag99us: 1200})
		}
		return rs
	}
	cases := []loadCase{
		{tool: "driver", loop: "open", rate: 50_000}, {tool: "wrk", loop: "closed"}, {tool: "vegeta", loop: "closed"}, {tool: "k6", loop: "closed"},
		{tool: "driver", loop: "open", rate: openRate}, {tool: "driver", loop: "open", rate: equalRate}, {tool: "vegeta", loop: "open", rate: equalRate}, {tool: "k6", loop: "open", rate: equalRate},
	}
	lost := result(0.2, 0.2, 0.2)
	lost[1].dropped = 7
	b.print(cases, [][]loadResult{result(0.1, 9, 0.12), result(0.1, 0.1, 0.1), result(0.15, 0.1, 0.3), result(1, 1, 1), lost, result(0.3), result(0.6), result(1.2)},
		[]roundDoubt{{0, 0.01}, {12, 0.02}, {1, 0}}, 0.25)
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
		"0, 0.01  12, 0.02  1, 0.00",
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
