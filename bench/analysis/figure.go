package analysis

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"authbench/bench/trial"
)

// Summary is a metric of a cell over blocks as a chart shows it: a mean with its
// 95 % interval, a share of all chances with its exact interval (N is the chances,
// also of events that none showed), or a percentile of all latencies with the
// lowest and the highest block. N is 0 where no block has it, or the metric is none.
func Summary(name string, blocks []Block, s trial.Selector) trial.Interval {
	m, err := Lookup(name)
	switch {
	case err != nil:
		return trial.Interval{}
	case m.Counted():
		if i := Pooled(name, blocks, s); !m.many || i.Estimate == 0 {
			return i
		} // events of one request are not independent: blocks are the sample
	}
	vs, err := Values(name, blocks, s)
	if err != nil || len(vs) == 0 {
		return trial.Interval{}
	}
	if m.Percentile() {
		merged, _ := Merged(blocks, s, m.Aspect, trial.Success)
		return trial.Interval{Estimate: merged.Quantile(m.quantile).Seconds() * 1e6, Low: slices.Min(vs), High: slices.Max(vs), N: len(vs)}
	}
	return Estimate(vs)
}

var figureName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckFigures says what about figures cannot be drawn, whatever the trials. The
// names go into taken, which holds those of others.
func CheckFigures(figures []trial.Figure, taken map[string]bool) error {
	var errs []error
	for _, f := range figures {
		if !figureName.MatchString(f.Name) || taken[f.Name] || f.Name == trial.SummaryFigure || f.Name == trial.MicroFigure {
			errs = append(errs, fmt.Errorf("figure %q: want names of letters, digits and dashes, each once in all experiments", f.Name))
		}
		taken[f.Name] = true
		if err := checkFigure(f); err != nil {
			errs = append(errs, fmt.Errorf("figure %s: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

func checkFigure(f trial.Figure) error {
	if !slices.Contains(trial.Charts(), f.Chart) {
		var known []string
		for _, c := range trial.Charts() {
			known = append(known, string(c))
		}
		return fmt.Errorf("unknown chart kind %q: want one of %s", f.Chart, strings.Join(known, ", "))
	}
	names := f.All()
	if f.Bent != nil {
		names = append(names, f.Bent.Metric)
	}
	for _, name := range names {
		if _, err := Lookup(name); err != nil {
			return err
		}
	}
	across := f.Chart == trial.Lines || f.Chart == trial.Grid || f.Chart == trial.Model
	modelled := f.Chart == trial.Model || f.Chart == trial.Crossings
	switch {
	case f.Title == "":
		return errors.New("no title: want the question that it answers")
	case len(f.Metrics) == 0:
		return errors.New("no metric: want at least one")
	case modelled != (f.Modelled != nil):
		return fmt.Errorf("%s, and what is modelled: want both or neither", f.Chart)
	case modelled && (f.Modelled.Replicas < 2 || len(f.Modelled.StoreCores) == 0):
		return fmt.Errorf("a model of %d replicas, stores of %v cores: want at least 2, and one size of a store",
			f.Modelled.Replicas, f.Modelled.StoreCores)
	case f.Along != "" && len(f.Metrics) != 1:
		return fmt.Errorf("%d metrics along %s: want one", len(f.Metrics), f.Along)
	case f.Of.Step == "" && f.Along == "":
		return errors.New("no step: want one, or a factor of steps to go along")
	case across && f.Along == "":
		return fmt.Errorf("%s along no factor: want one", f.Chart)
	case !across && f.Chart != trial.Table && f.Chart != trial.Crossings && f.Along != "":
		return fmt.Errorf("%s along %s: want lines, a grid or a table", f.Chart, f.Along)
	case !slices.Contains([]string{"", "ms"}, f.Unit):
		return fmt.Errorf("unknown unit %q: want ms, or none for the metric's own", f.Unit)
	}
	return nil
}
