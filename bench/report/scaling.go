package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"

	"authbench/bench/analysis"
	"authbench/bench/plan"
	"authbench/bench/trial"
)

// scaling is what a figure draws by the model.
type scaling struct {
	curves  []plan.Curve
	crossed []plan.Crossing            // of an arm without a store that begins below one with it
	control func(replicas int) float64 // requests a second that so many of the control serve
}

// scaling is worked out once for all figures of a report.
func (a asked) scaling() scaling {
	a.modelling.Lock()
	defer a.modelling.Unlock()
	key := fmt.Sprint(*a.Modelled)
	if s, known := a.scalings[key]; known {
		return s
	}
	var s scaling
	if basis, err := plan.Read(a.run, a.trials, ""); err == nil { // else nothing says what a request costs
		if curves, crossed, err := basis.Scaling(a.Modelled.StoreCores, a.Modelled.Replicas); err == nil {
			s = scaling{curves, crossed, basis.Control}
		}
	}
	a.scalings[key] = s
	return s
}

// larger says whether a curve is of an arm that has one with a smaller store.
func (s scaling) larger(c plan.Curve) bool {
	return slices.ContainsFunc(s.curves, func(o plan.Curve) bool { return o.Arm == c.Arm && o.StoreCores < c.StoreCores })
}

// name is a curve's arm, and how much of a store it has where that differs.
func (s scaling) name(c plan.Curve) string {
	for _, o := range s.curves {
		if o.Arm == c.Arm && o.StoreCores != c.StoreCores {
			return armLabel(c.Arm) + ", " + plural(c.StoreCores, "core", "cores")
		}
	}
	return armLabel(c.Arm)
}

// tabled are the numbers of replicas that a curve's table shows.
var tabled = []int{1, 4, 16, 64}

// modelChart draws what replicas would serve, and the points that were measured.
func (a asked) modelChart(f *figure) drawing {
	s := a.scaling()
	chart := lineChart{Log: true, XLabel: a.Levels, YLabel: a.Values}
	f.Table.Head = []string{"arm", "store"}
	for _, n := range tabled {
		f.Table.Head = append(f.Table.Head, plural(n, "replica", "replicas"))
	}
	f.Table.Head = append(f.Table.Head, "the store's most", "reached with replicas")
	columns, _ := a.across()
	for _, c := range columns {
		f.Table.Head = append(f.Table.Head, "measured, "+a.Along+" = "+c.level)
	}
	for n := 1; n <= a.Modelled.Replicas; n *= 2 {
		chart.XTicks = append(chart.XTicks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	for _, c := range s.curves {
		line := series{Name: s.name(c), Colour: armColour(c.Arm), Before: s.larger(c)}
		for k, n := range c.Replicas {
			line.Points = append(line.Points, point{float64(n), c.Rate[k]})
		}
		row := []string{armLabel(c.Arm), storeText(c)}
		for _, n := range tabled {
			at := trial.Interval{}
			if k := slices.Index(c.Replicas, n); k >= 0 {
				at = c.Rate[k]
			}
			row = append(row, interval(at, number))
		}
		row = append(row, interval(c.Ceiling, number), interval(c.Knee, number))
		seen := series{Colour: line.Colour}
		for _, level := range columns {
			v := trial.Interval{}
			if !line.Before { // the store of what was measured is not larger
				v = a.scaledUp(s, c.Arm, level.level)
			}
			row = append(row, interval(v, number))
			if v.N > 0 {
				seen.Points = append(seen.Points, point{levelNumber(level.level), v})
			}
		}
		chart.Series, chart.Marks = append(chart.Series, line), append(chart.Marks, seen)
		f.Table.Rows = append(f.Table.Rows, row)
		f.Alt += fmt.Sprintf("%s: %s/s with 1 replica, %s/s with %d. ", line.Name, number(c.Rate[0].Estimate),
			number(c.Rate[len(c.Rate)-1].Estimate), a.Modelled.Replicas)
		if c.Ceiling.N > 0 {
			chart.Levels = append(chart.Levels, level{Y: c.Ceiling.Estimate})
		}
	}
	for _, x := range s.overtaken() {
		chart.Rings = append(chart.Rings, ring{x.From.Estimate, x.At})
	}
	f.Caption += s.told()
	return chart
}

func storeText(c plan.Curve) string {
	if c.StoreCores == 0 {
		return absent
	}
	return plural(c.StoreCores, "core", "cores")
}

// scaledUp is what a cell of small replicas served, as of replicas of a whole
// core: so many times what the model gives as many of the control.
func (a asked) scaledUp(s scaling, arm trial.Arm, level string) trial.Interval {
	for _, at := range a.cells {
		if c := at.Spec(); c.System.Arm == arm && c.Cell.Get(a.Along) == level {
			return scaled(a.value(a.Metrics[0].Metric, a.at(c.Cell)), s.control(c.System.Replicas))
		}
	}
	return trial.Interval{}
}

// overtaken are the crossings with arms that have a store of the first size, by
// the arm that is overtaken and then by replicas.
func (s scaling) overtaken() (found []plan.Crossing) {
	for _, x := range s.crossed {
		if !slices.ContainsFunc(s.crossed, func(o plan.Crossing) bool { return o.Over == x.Over && o.StoreCores < x.StoreCores }) {
			found = append(found, x)
		}
	}
	place := func(x plan.Crossing) int {
		return slices.IndexFunc(s.curves, func(c plan.Curve) bool { return c.Arm == x.Over })
	}
	slices.SortStableFunc(found, func(x, y plan.Crossing) int {
		return cmp.Or(place(x)-place(y), cmp.Compare(x.From.Estimate, y.From.Estimate))
	})
	return found
}

// told says them in whole replicas, a sentence for each arm that is overtaken.
func (s scaling) told() (told string) {
	over := trial.Arm("")
	for _, x := range s.overtaken() {
		n := int(math.Ceil(x.From.Estimate))
		if x.Over == over {
			told += fmt.Sprintf(", than %s until %d", armLabel(x.Arm), n)
			continue
		}
		if over != "" {
			told += "."
		}
		over = x.Over
		told += fmt.Sprintf(" %s with %s serves more than %s until there are %d replicas", armLabel(over),
			plural(x.StoreCores, "store core", "store cores"), armLabel(x.Arm), n)
	}
	if told == "" {
		return ""
	}
	return " Rings:" + told + "."
}

// crossings is the table of how each arm without a store stands to each with one.
func (a asked) crossings(f *figure) {
	s := a.scaling()
	f.Table.Head = []string{"serves more", "than", "from so many replicas on"}
	for _, own := range s.curves {
		for _, over := range s.curves {
			if own.StoreCores > 0 || over.StoreCores == 0 {
				continue
			}
			text := "1"
			if own.Rate[0].Estimate < over.Rate[0].Estimate {
				text = fmt.Sprintf("more than %d", a.Modelled.Replicas)
			}
			for _, x := range s.crossed {
				if x.Arm == own.Arm && x.Over == over.Arm && x.StoreCores == over.StoreCores {
					text = interval(x.From, number)
				}
			}
			f.Table.Rows = append(f.Table.Rows, []string{armLabel(own.Arm), s.name(over), text})
		}
	}
}

// predictions is the table of what was predicted and what came out.
func (a asked) predictions(f *figure) {
	all := analysis.Hold(a.run.Predictions, a.blocks[a.experiment])
	f.Table.Head = []string{"of", "measure", "predicted", "measured", "error", "how it follows"}
	for _, p := range all {
		failed := absent
		if p.Measured.N > 0 {
			failed = signed(100*p.Error) + nbsp + "%"
		}
		f.Table.Rows = append(f.Table.Rows, []string{p.Name, a.title(trial.Shown{Metric: p.Metric}),
			a.text(p.Metric, trial.Interval{Estimate: p.Value, N: 1}), a.text(p.Metric, p.Measured), failed, p.Formula})
	}
	if median, n := analysis.MedianError(all); n > 0 {
		f.Caption += fmt.Sprintf(" The median of %s, whatever their sign, is %s.", plural(n, "error", "errors"), percent(median))
	}
}
