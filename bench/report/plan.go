package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"authbench/bench/arm"
	"authbench/bench/plan"
	"authbench/bench/trial"
)

// Plan writes what a target takes of every arm as two tables that fit into 100
// columns, with what they rest on below. from names the run's folder.
func Plan(w io.Writer, p plan.Plan, from string, width int) error {
	const columns = 100
	width = min(max(width, 80), columns)
	var b strings.Builder
	for _, l := range planHead(p, from) {
		for _, part := range fold(l, width) {
			b.WriteString(part + "\n")
		}
	}
	marks := numbered(p)
	for _, t := range []table{planTaken(p, marks), planHeld(p)} {
		b.WriteString("\n")
		writeColumns(&b, t, columns)
	}
	b.WriteString("\n")
	for _, note := range planNotes(p, marks) {
		for i, part := range fold(note, width-2) {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(part + "\n")
		}
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), nbsp, " "))
	return err
}

// WritePlan writes a plan to a folder: plan.json, plan.txt, and the chart as plan.svg and plan.png.
func WritePlan(folder trial.Folder, p plan.Plan, from string) error {
	files := map[string][]byte{}
	var text strings.Builder
	if err := Plan(&text, p, from, 100); err != nil {
		return err
	}
	files["plan.txt"] = []byte(text.String())
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("plan.json: %w", err)
	}
	files["plan.json"] = append(b, '\n')
	f := framed{planFigure(p)}
	if files["plan.svg"], err = svgOf(f, wide); err != nil {
		return fmt.Errorf("plan.svg: %w", err)
	}
	if files["plan.png"], err = pngOf(f, wide); err != nil {
		return fmt.Errorf("plan.png: %w", err)
	}
	return folder.WriteFiles(files)
}

func planHead(p plan.Plan, from string) []string {
	t := p.Target
	servers := "stores of " + number(t.StoreMemory) + nbsp + "GiB"
	sessions := "no session that anything is to be kept of"
	if p.Sessions > 0 {
		sessions = fmt.Sprintf("%s sessions of %s, %s log-ins/s, touch %s", number(p.Sessions),
			levelText(t.Lifetime.String()), number(p.Logins), t.Touch)
	}
	prices := ""
	if t.PriceNode > 0 || t.PriceStore > 0 {
		prices = fmt.Sprintf("; an hour of a node at %s, of a store's core at %s", number(t.PriceNode), number(t.PriceStore))
	}
	fewest, most := math.MaxInt, 0
	for _, a := range p.Arms {
		fewest, most = min(fewest, len(a.Trials)), max(most, len(a.Trials))
	}
	starts := strconv.Itoa(fewest)
	if most > fewest {
		starts += " to " + strconv.Itoa(most)
	}
	return []string{
		fmt.Sprintf("plan for %s requests/s, %s", number(t.Rate), sessions),
		fmt.Sprintf("on nodes of %s, %s kept free, %s (PostgreSQL of %s at most), %s to the store and back%s",
			plural(t.Cores, "core", "cores"), percent(t.Headroom), servers, plural(t.StoreCores, "core", "cores"),
			levelText(t.RoundTrip.String()), prices),
		fmt.Sprintf("from %s: CPU per request as the experiment %s measured it at %s, %s starts an arm; [ ] is 95 %%",
			from, p.Demands.Experiment, p.Demands.Step, starts),
	}
}

// roughly writes two significant digits, and whole numbers in full.
func roughly(v float64) string {
	if v >= 10 {
		return number(math.Round(v))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// wholes writes a number of whole things; one that is certain has no limits.
func wholes(i trial.Interval) string {
	if i.Low == i.High {
		return figureOf(i, compact)
	}
	return interval(i, compact)
}

// compact writes what is large in thousands, millions or more, so that columns
// hold it, and of what is next to nothing no more than that.
func compact(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "<" + nbsp + "0.001"
	case v >= 1e12:
		return number(v/1e12) + "T"
	case v >= 1e9:
		return number(v/1e9) + "G"
	case v >= 1e6:
		return number(v/1e6) + "M"
	case v >= 1e5:
		return number(v/1e3) + "k"
	}
	return number(v)
}

// marked is a mark with the number it has below a table.
type marked map[plan.Mark]int

// numbered gives the marks of a plan numbers in the order in which they appear.
func numbered(p plan.Plan) marked {
	m := marked{}
	for _, a := range p.Arms {
		for _, mark := range a.Marks {
			if m[mark] == 0 {
				m[mark] = len(m) + 1
			}
		}
	}
	return m
}

// of are an arm's numbers, raised, with commas between them: ¹² would be twelve.
func (m marked) of(a plan.Sized) string {
	var numbers []string
	for _, mark := range a.Marks {
		raised := ""
		for _, digit := range strconv.Itoa(m[mark]) {
			raised += string([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[digit-'0'])
		}
		numbers = append(numbers, raised)
	}
	return strings.Join(numbers, ",")
}

// storeNames are the stores as their makers write them.
var storeNames = map[string]string{"redis": "Redis", "postgres": "PostgreSQL"}

func planTaken(p plan.Plan, marks marked) table {
	t := table{Head: []string{"what it takes\n", "replicas\nof 1 core", "nodes\nof " + plural(p.Target.Cores, "core", "cores"), "nginx\nnodes",
		"stores,\ntheir cores", "core-hours per\nmillion requests"}}
	priced := p.Target.PriceNode > 0 || p.Target.PriceStore > 0
	if priced {
		t.Head[5] = "cost of a\nmillion requests"
	}
	for _, a := range p.Arms {
		store := absent
		switch {
		case a.Store != "" && a.Stores.High == a.StoreCores.High: // one core each
			store = wholes(a.Stores) + " " + storeNames[a.Store]
		case a.Store != "" && a.Stores.Estimate > 1:
			store = compact(a.Stores.Estimate) + " " + storeNames[a.Store] + ", " + wholes(a.StoreCores)
		case a.Store != "":
			store = storeNames[a.Store] + ", " + wholes(a.StoreCores)
		case arm.Of(a.Arm).State == arm.Replica:
			store = "in the nodes"
		}
		cost := a.CoreHours
		if priced {
			cost = a.Cost
		}
		t.Rows = append(t.Rows, []string{armLabel(a.Arm) + marks.of(a), wholes(a.Replicas), wholes(a.Nodes),
			wholes(a.BalancerNodes), store, interval(cost, roughly)})
	}
	return t
}

func planHeld(p plan.Plan) table {
	t := table{Head: []string{"what it holds\n", "sessions\nin memory", "connections\nused / open", "clients\nGbit/s", "store\nGbit/s",
		"one store keeps\nreplicas busy", "p99 (ms)\nsimulated"}}
	for _, a := range p.Arms {
		memory, connections, store, feeds, p99 := absent, absent, absent, absent, absent
		if a.StoreBytes.Estimate > 0 {
			memory = compact(a.StoreBytes.Estimate/(1<<30)) + " GiB"
		}
		if a.Store != "" {
			connections = compact(a.ConnectionsInUse) + " / " + compact(a.ConnectionsOpen)
			feeds = interval(a.ReplicasPerStore, number)
		}
		if a.StoreBits > 0 {
			store = compact(a.StoreBits / 1e9)
		}
		if a.P99 > 0 {
			p99 = strconv.FormatFloat(a.P99*1e3, 'f', 1, 64)
		}
		t.Rows = append(t.Rows, []string{armLabel(a.Arm), memory, connections, compact(a.ClientBits / 1e9), store, feeds, p99})
	}
	return t
}

// writeColumns writes a table under a head of two lines, its columns as far apart as the width allows.
func writeColumns(b *strings.Builder, t table, width int) {
	rows := [][]string{make([]string, len(t.Head)), make([]string, len(t.Head))}
	for i, h := range t.Head {
		rows[0][i], rows[1][i], _ = strings.Cut(h, "\n")
	}
	rows = append(rows, t.Rows...)
	widths, sum := make([]int, len(t.Head)), 0
	for i := range t.Head {
		for _, r := range rows {
			widths[i] = max(widths[i], len([]rune(r[i])))
		}
		sum += widths[i]
	}
	gap := max(2, min(3, (width-sum)/max(1, len(widths)-1)))
	for n, r := range rows {
		line := ""
		for i, cell := range r {
			line += pad(cell, widths[i])
			if i < len(r)-1 {
				line += strings.Repeat(" ", gap)
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		if n == 1 {
			b.WriteString(strings.Repeat("─", min(width, sum+gap*(len(widths)-1))) + "\n")
		}
	}
}
