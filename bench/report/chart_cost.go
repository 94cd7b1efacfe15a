package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"

	"gonum.org/v1/plot"
)

const commonStep = "load=common"

// costTiers are the tiers whose CPU authentication uses, in the order of the stack.
var costTiers = []trial.Tier{trial.ReplicaTier, trial.StoreTier, trial.BalancerTier}

func costFigures(d *data) []figure {
	return []figure{authCost(d), costByLoad(d), latency(d), storeOperations(d), requestBytes(d)}
}

// commonRate says at which offered rate the common step ran.
func (d *data) commonRate() string {
	for _, r := range d.results("cost", commonStep) {
		if rate := r.Stream.Pacing.Rate; rate > 0 {
			return number(rate) + " requests/s"
		}
	}
	return "the common rate"
}

func authCost(d *data) figure {
	f := figure{ID: "auth-cost", Experiment: "cost",
		Question: "How much CPU does authenticating one request cost, and where?",
		Caption: fmt.Sprintf("CPU per successful request minus the control's in the same block, at %s in every arm. Whiskers: 95 %% interval of the whole. %s",
			d.commonRate(), d.sample("cost")),
		Table: table{Head: []string{"arm", "replicas µs", "store µs", "balancer µs", "whole µs", "95 % interval", "blocks"}}}
	chart := rowChart{XLabel: "CPU per request over the control (µs)",
		Key: []keyEntry{{0, "replicas"}, {1, "store"}, {2, "balancer"}}}
	for _, a := range d.arms("cost") {
		whole := d.estimate("auth_cpu_us", "cost", trial.Of(a, commonStep))
		if a == trial.Control || whole.N == 0 {
			continue
		}
		r := row{Label: armLabel(a), Colour: armColour(a), Whisker: whole, Note: number(whole.Estimate) + nbsp + "µs"}
		cells := []string{armLabel(a)}
		for _, tier := range costTiers {
			part := d.estimate("auth_cpu_us_"+string(tier), "cost", trial.Of(a, commonStep))
			r.Bars = append(r.Bars, part.Estimate)
			cells = append(cells, figureOf(part, number))
		}
		chart.Rows = append(chart.Rows, r)
		f.Table.Rows = append(f.Table.Rows, append(cells, number(whole.Estimate), limits(whole, number), strconv.Itoa(whole.N)))
		f.Alt += fmt.Sprintf("%s: %s µs. ", armLabel(a), number(whole.Estimate))
	}
	return f.with(chart, len(chart.Rows))
}

var loadPercent = regexp.MustCompile(`^load=(\d+)%$`)

func costByLoad(d *data) figure {
	f := figure{ID: "cost-by-load", Experiment: "cost",
		Question: "How does CPU per request change with load?",
		Caption: "Whole CPU of balancer, replicas and store per successful request, at shares of each arm's own capacity. " +
			"It falls as load rises, so a cost holds only at its load. Whiskers: 95 % interval. " + d.sample("cost"),
		Table: table{Head: []string{"arm"}}}
	chart := lineChart{XLabel: "load, in percent of the arm's own capacity", YLabel: "CPU per request (µs)", FromZero: true}
	var steps []string
	for _, name := range d.steps("cost") {
		if m := loadPercent.FindStringSubmatch(name); m != nil {
			steps = append(steps, name)
			x, _ := strconv.ParseFloat(m[1], 64)
			chart.XTicks = append(chart.XTicks, plot.Tick{Value: x, Label: m[1] + " %"})
			f.Table.Head = append(f.Table.Head, "µs at "+m[1]+" %")
		}
	}
	for _, a := range d.arms("cost") {
		s := series{Name: armLabel(a), Colour: armColour(a)}
		cells := []string{armLabel(a)}
		for i, name := range steps {
			y := d.estimate("cpu_us_per_request", "cost", trial.Of(a, name))
			cells = append(cells, interval(y, number))
			if y.N > 0 {
				s.Points = append(s.Points, point{chart.XTicks[i].Value, y})
			}
		}
		if len(s.Points) > 0 {
			chart.Series = append(chart.Series, s)
			f.Table.Rows = append(f.Table.Rows, cells)
			f.Alt += fmt.Sprintf("%s: %s. ", s.Name, strings.Join(cells[1:], ", "))
		}
	}
	return f.with(chart, len(chart.Series))
}

func latency(d *data) figure {
	f := figure{ID: "latency", Experiment: "cost",
		Question: "How long does a request take?",
		Caption: fmt.Sprintf("Median and 99th percentile of /me from the intended start, at %s in every arm, histograms merged over blocks; whiskers: lowest and highest block. %s",
			d.commonRate(), d.sample("cost")),
		Table: table{Head: []string{"arm", "p50 ms", "p99 ms", "offered", "completed", "dropped", "failed"}}}
	chart := rowChart{XLabel: "latency (ms, logarithmic)", Log: true, Key: []keyEntry{{keyDot, "p50"}, {keyHollow, "p99"}}}
	for _, a := range d.arms("cost") {
		sel := trial.Of(a, commonStep)
		sum := d.pooled("cost", sel)
		merged, _ := analysis.Merged(d.blocks["cost"], sel, trial.Success)
		if merged.Count() == 0 {
			continue
		}
		r := row{Label: armLabel(a), Colour: armColour(a)}
		cells := []string{armLabel(a)}
		for _, q := range []struct {
			share  float64
			metric string
		}{{0.5, "latency_p50_us"}, {0.99, "latency_p99_us"}} {
			i := d.blockRange(q.metric, "cost", sel) // a mean of percentiles would mean nothing
			i.Estimate = merged.Quantile(q.share).Seconds() * 1e6
			i = scaled(i, 1e-3)
			r.Dots = append(r.Dots, i)
			cells = append(cells, interval(i, number))
		}
		r.Note = number(r.Dots[0].Estimate) + " / " + number(r.Dots[1].Estimate) + nbsp + "ms"
		chart.Rows = append(chart.Rows, r)
		f.Table.Rows = append(f.Table.Rows, append(cells, count(sum.offered), count(sum.completed), count(sum.dropped), count(sum.completed-sum.succeeded)))
		f.Alt += fmt.Sprintf("%s: p50 %s ms, p99 %s ms. ", armLabel(a), number(r.Dots[0].Estimate), number(r.Dots[1].Estimate))
	}
	return f.with(chart, len(chart.Rows))
}

func storeOperations(d *data) figure {
	f := figure{ID: "store-operations", Experiment: "cost",
		Question: "How often does a request go to the store?",
		Caption:  "Store operations per request by the store's own counters. None seen in n requests bounds the share by 3/n. " + d.sample("cost"),
		Table:    table{Head: []string{"arm", "operations per request", "requests"}}}
	chart := rowChart{XLabel: "store operations per request"}
	for _, a := range d.arms("cost") {
		sel := trial.Of(a, commonStep)
		i, sum := d.estimate("store_operations_per_request", "cost", sel), d.pooled("cost", sel)
		if i.N == 0 {
			continue
		}
		text := interval(i, number)
		if i.Estimate == 0 && sum.completed > 0 {
			text = share(trial.Interval{N: int(sum.completed)})
		}
		chart.Rows = append(chart.Rows, row{Label: armLabel(a), Colour: armColour(a), Bars: []float64{i.Estimate}, Whisker: i, Note: text})
		f.Table.Rows = append(f.Table.Rows, []string{armLabel(a), text, count(sum.completed)})
		f.Alt += fmt.Sprintf("%s: %s. ", armLabel(a), text)
	}
	return f.with(chart, len(chart.Rows))
}

func requestBytes(d *data) figure {
	f := figure{ID: "request-bytes", Experiment: "cost",
		Question: "How large is a request?",
		Caption:  "Bytes that the client sent per request over HTTP/1.1, headers and credential included, counted at its sockets. " + d.sample("cost"),
		Table:    table{Head: []string{"arm", "bytes per request", "over the control"}}}
	chart := rowChart{XLabel: "bytes per request"}
	control := d.estimate("request_bytes", "cost", trial.Of(trial.Control, commonStep))
	for _, a := range d.arms("cost") {
		i := d.estimate("request_bytes", "cost", trial.Of(a, commonStep))
		if i.N == 0 {
			continue
		}
		over := absent
		if control.N > 0 {
			over = signed(i.Estimate - control.Estimate)
		}
		chart.Rows = append(chart.Rows, row{Label: armLabel(a), Colour: armColour(a), Bars: []float64{i.Estimate}, Whisker: i, Note: number(i.Estimate) + nbsp + "B"})
		f.Table.Rows = append(f.Table.Rows, []string{armLabel(a), interval(i, number), over})
		f.Alt += fmt.Sprintf("%s: %s bytes. ", armLabel(a), number(i.Estimate))
	}
	return f.with(chart, len(chart.Rows))
}

func count(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

func figureOf(i trial.Interval, write func(float64) string) string {
	if i.N == 0 {
		return absent
	}
	return write(i.Estimate)
}
