package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"authbench/bench/plan"
	"authbench/bench/report"
	"authbench/bench/trial"
)

// referenceRun is the run that is committed.
const referenceRun = "reference"

func planCommand(stdout io.Writer) *cobra.Command {
	t := plan.Default()
	var touch, out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan --rate N [RUN]",
		Short: "Size replicas, stores and cost of every arm for a load, from what a run measured",
		Long: "Size replicas, stores and cost of every arm for a load, from what a run measured.\n\n" +
			"RUN is a run's folder; without it, the newest in results/ that measured the experiment cost, or results/reference.\n" +
			"CPU per request is that of the run's machine and load: a plan for other machines needs a run on one of them.",
		Example: "  bin/authbench plan --rate 100000 --users 5000000 results/reference\n" +
			"  bin/authbench plan --rate 20000 --users 1000000 --touch throttled --rtt 1ms --price-node 0.2 --price-store 0.05 --out plan/",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t.Touch = plan.Touch(touch)
			if err := t.Check(); err != nil {
				return usage(err)
			}
			folder, err := planFolder(args)
			if err != nil {
				return err
			}
			p, err := planned(folder, t)
			if err != nil {
				return err
			}
			if out != "" {
				if err := report.WritePlan(trial.Folder(out), p, string(folder)); err != nil {
					return err
				}
			}
			if asJSON {
				e := json.NewEncoder(stdout)
				e.SetIndent("", "  ")
				return e.Encode(p)
			}
			return report.Plan(stdout, p, string(folder), terminalWidth(stdout))
		},
	}
	f := c.Flags()
	f.Float64Var(&t.Rate, "rate", 0, "authenticated requests a second")
	f.Float64Var(&t.Users, "users", 0, "sessions alive at once; 0: as many as log-ins and lifetime make")
	f.Float64Var(&t.Logins, "logins", 0, "log-ins a second; 0: each session begins with one, users / lifetime")
	f.DurationVar(&t.Lifetime, "lifetime", t.Lifetime, "of a session or token, after which its user logs in again")
	f.StringVar(&touch, "touch", string(t.Touch),
		"when the use of a session is written to its store: none, throttled (once a minute) or every (with each request)")
	f.IntVar(&t.Cores, "cores", t.Cores, "of a node; each serves one replica")
	f.Float64Var(&t.Headroom, "headroom", t.Headroom, "share of CPU and of a store's memory to keep free")
	f.DurationVar(&t.RoundTrip, "rtt", t.RoundTrip, "network round trip between replica and store: it takes latency and connections, no CPU")
	f.IntVar(&t.StoreCores, "store-cores", t.StoreCores, "of a PostgreSQL server at most; a Redis uses one")
	f.Float64Var(&t.StoreMemory, "store-memory", t.StoreMemory, "GiB of one store server or shard")
	f.Float64Var(&t.PriceNode, "price-node", 0, "of a node, for an hour, in any currency")
	f.Float64Var(&t.PriceStore, "price-store", 0, "of one core of a store, for an hour")
	f.StringVar(&out, "out", "", "folder to write plan.json, plan.txt, plan.svg and plan.png to")
	f.BoolVar(&asJSON, "json", false, "print JSON: every figure, its trials and its formula")
	return c
}

func planned(folder trial.Folder, t plan.Target) (plan.Plan, error) {
	run, trials, err := folder.Read()
	if err != nil {
		return plan.Plan{}, err
	}
	goBench, err := os.ReadFile(folder.Path(goBenchFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan.Plan{}, err
	}
	basis, err := plan.Read(run, trials, string(goBench))
	if err != nil {
		return plan.Plan{}, fmt.Errorf("plan: %w", err)
	}
	return plan.Make(basis, t)
}

// planFolder is the run that is named, or else the newest that can be planned from.
func planFolder(args []string) (trial.Folder, error) {
	if len(args) > 0 {
		return trial.Folder(args[0]), nil
	}
	project, err := projectDir()
	if err != nil {
		return "", err
	}
	if wd, err := os.Getwd(); err == nil && wd == project {
		project = "" // names are shorter
	}
	return newestRun(filepath.Join(project, "results"))
}

// newestRun is the run among results that began last, of those of the format of
// today that measured what a plan needs and have ended; or else the reference.
func newestRun(results string) (trial.Folder, error) {
	manifests, err := filepath.Glob(filepath.Join(results, "*", "run.json"))
	if err != nil {
		return "", err
	}
	newest := trial.Folder(filepath.Join(results, referenceRun))
	var begun time.Time
	for _, m := range manifests {
		folder := trial.Folder(filepath.Dir(m))
		run, err := folder.ReadRun()
		if err != nil || filepath.Base(string(folder)) == referenceRun || run.Status == "running" ||
			!slices.Contains(run.Experiments, plan.Experiment) {
			continue
		}
		if run.Started.After(begun) {
			newest, begun = folder, run.Started
		}
	}
	return newest, nil
}
