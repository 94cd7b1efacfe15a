package report

import (
	"fmt"
	"strconv"

	"gonum.org/v1/plot"

	"authbench/bench/plan"
)

// planFigure is the chart of what each arm serves with one store, against the target.
func planFigure(p plan.Plan) figure {
	f := figure{ID: "plan", Question: "How far does each arm go with one store?",
		Caption: fmt.Sprintf("Requests a second that N replicas of one core serve at most, closed, with one Redis (one core) or one PostgreSQL "+
			"(%s), predicted from CPU per request at %s in run %s. Rings: an arm without a store overtakes one with it. Whiskers: 95 %% "+
			"interval over blocks. Nothing is kept free here.", plural(p.Target.StoreCores, "core", "cores"), p.Demands.Step, p.Run),
		Table: table{Head: []string{"arm", "replicas", "requests/s", "95 % interval"}}}
	chart := lineChart{Log: true, XLabel: "replicas of one core (logarithmic)", YLabel: "requests/s (logarithmic)",
		Levels: []level{{Name: "target: " + number(p.Target.Rate) + "/s", Y: p.Target.Rate}}}
	for i, c := range p.Curves {
		s := series{Name: armLabel(c.Arm), Colour: armColour(c.Arm)}
		for k, n := range c.Replicas {
			if i == 0 {
				chart.XTicks = append(chart.XTicks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
			}
			s.Points = append(s.Points, point{X: float64(n), Y: c.Rate[k]})
			f.Table.Rows = append(f.Table.Rows, []string{armLabel(c.Arm), strconv.Itoa(n), number(c.Rate[k].Estimate), limits(c.Rate[k], number)})
		}
		chart.Series = append(chart.Series, s)
		f.Alt += fmt.Sprintf("%s: %s/s with %d replicas. ", s.Name, number(c.Rate[len(c.Rate)-1].Estimate), c.Replicas[len(c.Replicas)-1])
	}
	for _, c := range p.Crossings {
		chart.Rings = append(chart.Rings, ring{X: c.From.Estimate, Y: c.At})
	}
	return f.with(chart, len(f.Table.Rows))
}
