package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"authbench/bench/analysis"
	"authbench/bench/arm"
	"authbench/bench/experiment"
	"authbench/bench/fault"
)

// lists are what there is to choose from: rows under a head.
var lists = map[string]func() (head []string, rows [][]string){
	"arms": func() (head []string, rows [][]string) {
		for _, k := range arm.All() {
			var stores []string
			for _, u := range k.Stores {
				name := u.Store
				if !u.Asked {
					name += " (standby)"
				}
				stores = append(stores, name)
			}
			rows = append(rows, []string{string(k.Name), string(k.Carrier), string(k.State), strings.Join(stores, ", "), string(k.Ends)})
		}
		return []string{"ARM", "CARRIED IN", "STATE LIVES IN", "STORES", "LOG-OUT TAKES EFFECT"}, rows
	},
	"experiments": func() (head []string, rows [][]string) {
		for _, e := range standard() {
			var claims []string
			for _, r := range e.Rules {
				claims = append(claims, r.Claim)
			}
			rows = append(rows, []string{e.Name, strings.Join(claims, " "), e.Question})
		}
		return []string{"EXPERIMENT", "CLAIMS", "QUESTION"}, rows
	},
	"claims": func() (head []string, rows [][]string) {
		for _, e := range standard() {
			for _, r := range e.Rules {
				rows = append(rows, []string{r.Claim, e.Name, r.Metric, r.Statement})
			}
		}
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		return []string{"CLAIM", "EXPERIMENT", "METRIC", "STATEMENT"}, rows
	},
	"metrics": func() (head []string, rows [][]string) {
		for _, m := range analysis.Metrics() {
			rows = append(rows, []string{m.Name, m.Unit, string(m.Aspect), m.Title})
		}
		return []string{"METRIC", "UNIT", "RESTS ON", "TITLE"}, rows
	},
	"faults": func() (head []string, rows [][]string) {
		for _, k := range fault.All() {
			rows = append(rows, []string{k.Name, k.Does}, []string{"  target", k.On()})
			for _, s := range k.Settings {
				rows = append(rows, []string{"  " + s.Name, s.Does})
			}
		}
		return []string{"FAULT", "WHAT IT DOES, TO WHAT, AND ITS SETTINGS"}, rows
	},
}

func standard() []experiment.Experiment {
	p, err := experiment.ParseProfile("standard")
	if err != nil {
		panic(err) // it is one of ours
	}
	return experiment.All(p)
}

func listCommand(stdout io.Writer) *cobra.Command {
	var names []string
	for name := range lists {
		names = append(names, name)
	}
	slices.Sort(names)
	return &cobra.Command{
		Use:       "list " + strings.Join(names, "|"),
		Short:     "Print what there is to choose from",
		ValidArgs: names,
		Args: cobra.MatchAll(cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			if lists[args[0]] == nil {
				return fmt.Errorf("unknown list %q: want one of %s", args[0], strings.Join(names, ", "))
			}
			return nil
		}),
		RunE: func(_ *cobra.Command, args []string) error {
			head, rows := lists[args[0]]()
			w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
			for _, row := range append([][]string{head}, rows...) {
				fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
			}
			return w.Flush()
		},
	}
}
