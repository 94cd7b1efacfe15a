package report

import (
	"fmt"
	"strconv"
	"strings"

	"authbench/bench/trial"

	"gonum.org/v1/plot"
)

// Steps of the scale experiment.
const (
	saturationStep = "saturation"
	capacityStep   = "capacity"
)

// distortion is the control's own efficiency below which CPU budgets, not
// authentication, shape the curve.
const distortion = 0.9

func scaleFigures(d *data) []figure {
	return []figure{scaleThroughput(d), scaleEfficiency(d), capacity(d)}
}

func atReplicas(a trial.Arm, n int, step string) trial.Selector {
	return trial.Selector{Cell: trial.NewCell("arm", a, "replicas", n), Step: step}
}

// byReplicas fills a line chart and its table: one line an arm, one x a replica count.
func byReplicas(d *data, f *figure, chart *lineChart, arms []trial.Arm, value func(trial.Arm, int) trial.Interval) {
	counts := d.replicaCounts("scale")
	f.Table.Head = []string{"arm"}
	for _, n := range counts {
		chart.XTicks = append(chart.XTicks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
		f.Table.Head = append(f.Table.Head, fmt.Sprintf("N = %d", n))
	}
	for _, a := range arms {
		s := series{Name: armLabel(a), Colour: armColour(a)}
		cells := []string{armLabel(a)}
		for _, n := range counts {
			y := value(a, n)
			cells = append(cells, interval(y, number))
			if y.N > 0 {
				s.Points = append(s.Points, point{float64(n), y})
			}
		}
		if len(s.Points) > 0 {
			chart.Series = append(chart.Series, s)
			f.Table.Rows = append(f.Table.Rows, cells)
			f.Alt += fmt.Sprintf("%s: %s. ", s.Name, strings.Join(cells[1:], ", "))
		}
	}
}

func scaleThroughput(d *data) figure {
	f := figure{ID: "scale-throughput", Experiment: "scale",
		Question: "How much more do N replicas serve?",
		Caption: fmt.Sprintf("Successful requests per second at saturation (closed loop, the same number in flight per replica)%s. Whiskers: 95 %% interval. %s",
			d.replicaBudget(), d.sample("scale"))}
	chart := lineChart{XLabel: "replicas (N)", YLabel: "requests/s", FromZero: true}
	byReplicas(d, &f, &chart, d.arms("scale"), func(a trial.Arm, n int) trial.Interval {
		return d.estimate("throughput_per_second", "scale", atReplicas(a, n, saturationStep))
	})
	if d := controlDistortion(d); d != "" {
		f.Doubts = append(f.Doubts, d)
	}
	return f.with(chart, len(chart.Series))
}

func scaleEfficiency(d *data) figure {
	f := figure{ID: "scale-efficiency", Experiment: "scale",
		Question: "Does authentication cost scalability?",
		Caption: "Efficiency X(N) / (N X(1)) relative to the control's at the same N: at 1.0 an arm scales as the server does without authentication. " +
			"Whiskers: 95 % interval. " + d.sample("scale")}
	chart := lineChart{XLabel: "replicas (N)", YLabel: "efficiency relative to the control's", Reference: 1}
	var arms []trial.Arm
	for _, a := range d.arms("scale") {
		if a != trial.Control {
			arms = append(arms, a)
		}
	}
	byReplicas(d, &f, &chart, arms, func(a trial.Arm, n int) trial.Interval {
		return d.estimate("efficiency_vs_control", "scale", atReplicas(a, n, saturationStep))
	})
	return f.with(chart, len(chart.Series))
}

// controlDistortion says where the control's own curve bends too much.
func controlDistortion(d *data) string {
	var bent []string
	for _, n := range d.replicaCounts("scale") {
		e := d.estimate("efficiency", "scale", atReplicas(trial.Control, n, saturationStep))
		if e.N > 0 && e.Estimate < distortion {
			bent = append(bent, fmt.Sprintf("%s at N = %d", number(e.Estimate), n))
		}
	}
	if len(bent) == 0 {
		return ""
	}
	return fmt.Sprintf("absolute curves are distorted: the control itself reaches an efficiency of only %s", strings.Join(bent, ", "))
}

// capacity is a table without a chart: the highest rate that held the objective.
func capacity(d *data) figure {
	f := figure{ID: "capacity", Experiment: "scale",
		Question: "Which rate does an arm sustain within the latency objective?",
		Caption: fmt.Sprintf("Highest offered rate (requests/s, open loop) at which p99 stayed within %s, with no error and none dropped. %s",
			d.objective(), d.sample("scale"))}
	byReplicas(d, &f, &lineChart{}, d.arms("scale"), func(a trial.Arm, n int) trial.Interval {
		return d.estimate("capacity_per_second", "scale", atReplicas(a, n, capacityStep))
	})
	return f
}

// objective is the bound on p99 that the capacity search used.
func (d *data) objective() string {
	for _, at := range d.cells("scale") {
		if m, found := at.Trial.Step(at.Cell, capacityStep); found && m.Search != nil {
			return number(m.Search.SLO.P99Milliseconds) + " ms"
		}
	}
	return "its bound"
}

func (d *data) replicaBudget() string {
	for _, at := range d.cells("scale") {
		if b := at.Spec().System.Budgets[trial.ReplicaTier]; b > 0 {
			return fmt.Sprintf(", replicas of %s CPU each", number(b))
		}
	}
	return ""
}
