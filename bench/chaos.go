package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"authbench/bench/arm"
	"authbench/bench/campaign"
	"authbench/bench/chaos"
	"authbench/bench/experiment"
	"authbench/bench/fault"
	"authbench/bench/load"
	"authbench/bench/report"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// chaosOptions are the flags of authbench chaos.
type chaosOptions struct {
	system systemFlags
	faults []string
	length time.Duration
	rate   float64
	out    string
}

func chaosCommand(stdout, stderr io.Writer) *cobra.Command {
	var o chaosOptions
	c := &cobra.Command{
		Use:   "chaos --fault KIND:TARGET[@AT+LASTS][,SETTING=VALUE...]",
		Short: "Break a running arm on schedule, and see second by second what its users get",
		Long: "Break a running arm on schedule, and see second by second what its users get.\n\n" +
			"It starts the arm, offers requests at a rate that does not wait for answers, breaks what --fault says (see authbench list faults),\n" +
			"and prints a line a second: answers by class, requests that were let in and should not have been, and latency. Without times\n" +
			"a fault takes the middle third. In the end it says in a paragraph what happened, and leaves a run's folder with the chart.\n" +
			"Ctrl-C ends early and shows what there was. The exit status is 0 unless a fault was never in effect or an answer named\n" +
			"another user.",
		Example: "  bin/authbench chaos --arm session/redis --fault kill:redis --for 30s\n" +
			"  bin/authbench chaos --arm jwt/ES256 --fault rotate:keys@5s+0s --fault kill:r2@10s+5s\n" +
			"  bin/authbench chaos --arm session/postgres --replicas 2 --rate 500 --fault slow:postgres@10s+10s,latency=100ms",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			kind, asked, err := o.read()
			if err != nil {
				return usage(err)
			}
			return runChaos(c.Context(), o, kind, asked, stdout, stderr)
		},
	}
	o.system.define(c, "session/redis", "", 3, 1000)
	f := c.Flags()
	f.Lookup("balancer").Usage += "; default: sticky where sessions live in a replica's memory, else round_robin"
	f.StringArrayVar(&o.faults, "fault", nil, "what breaks, such as kill:redis or slow:redis@10s+5s,latency=100ms; may be given several times")
	f.DurationVar(&o.length, "for", 30*time.Second, "how long to load")
	f.Float64Var(&o.rate, "rate", 200, "requests per second of valid users, whatever the answers do")
	f.StringVar(&o.out, "out", "", "the folder of the trial and its chart (default: results/chaos-<time>)")
	return c
}

// read says what about the flags makes no sense, before anything is started.
func (o *chaosOptions) read() (kind string, asked experiment.Chaos, err error) {
	if o.system.balancer == "" {
		o.system.balancer = string(arm.Of(trial.Arm(o.system.arm)).Balancer())
		if _, err := arm.Lookup(trial.Arm(o.system.arm)); err != nil {
			return "", asked, err
		}
	}
	if kind, asked.System, err = o.system.read(); err != nil {
		return "", asked, err
	}
	asked.Rate, asked.Seconds = o.rate, o.length.Seconds()
	switch {
	case o.length < time.Second || o.length > 24*time.Hour:
		return "", asked, fmt.Errorf("--for %v: want 1s to 24h0m0s", o.length)
	case !(o.rate > 0) || o.rate > 1e6:
		return "", asked, fmt.Errorf("--rate %g: want more than 0 and at most a million requests per second", o.rate)
	case asked.System.Users < 10:
		return "", asked, fmt.Errorf("--users %d: want at least 10", asked.System.Users)
	case len(o.faults) == 0:
		return "", asked, errors.New("want at least one --fault, such as kill:redis: see authbench list faults")
	}
	for _, text := range o.faults {
		f, err := o.fault(text, asked.System)
		if err != nil {
			return "", asked, err
		}
		if opened, err := fault.Open(f); err == nil && opened.Needs() == stack.CanProxy {
			asked.System.Proxied = true
		}
		asked.Faults, asked.Words = append(asked.Faults, f), append(asked.Words, fault.Text(f))
	}
	specs, err := asked.Experiment().Trials(nil)
	if err == nil {
		err = specs[0].Check()
	}
	return kind, asked, err
}

// fault reads one that the system has what to break for, at times within the load.
func (o *chaosOptions) fault(text string, of trial.System) (trial.Fault, error) {
	f, err := fault.Parse(text)
	if err == nil {
		err = fault.Fits(f, of)
	}
	if err != nil {
		return f, err
	}
	if !strings.Contains(text, "@") {
		f.At = (o.length / 3).Round(time.Second / 10).Seconds()
		f.Lasts = f.At
	}
	if end := time.Duration((f.At + f.Lasts) * float64(time.Second)); end > o.length {
		return f, fmt.Errorf("fault %s ends after %v, and the load after %v: want it sooner, or a longer --for", fault.Text(f), end, o.length)
	}
	return f, nil
}

// command is the command line that does the same again.
func (o chaosOptions) command(kind string, of trial.System, faults []string) []string {
	cmd := []string{"bin/authbench", "chaos", "--runtime", kind, "--arm", string(of.Arm), "--replicas", fmt.Sprint(of.Replicas),
		"--balancer", string(of.Balancer), "--users", fmt.Sprint(of.Users), "--lifetime", of.Lifetime().String(),
		"--rate", fmt.Sprint(o.rate), "--for", o.length.String()}
	for _, f := range faults {
		cmd = append(cmd, "--fault", f)
	}
	return cmd
}

func runChaos(ctx context.Context, o chaosOptions, kind string, asked experiment.Chaos, stdout, stderr io.Writer) error {
	kind, why, err := chooseRuntime(kind)
	if err != nil {
		return err
	}
	r, err := atOnce(trial.Chaos, o.out, kind, asked, o.command(kind, asked.System, asked.Words), stderr, asked.Experiment())
	if err != nil {
		return err
	}
	defer r.unlock()
	if why != "" {
		r.Progress.Say("%s", why)
	}
	var beside []string
	spec, err := asked.Experiment().Trials(nil)
	if err != nil {
		return err
	}
	for _, s := range spec[0].Cells[0].Steps[0].Streams {
		if s.Name != trial.Main {
			beside = append(beside, campaign.StreamKey(0, s.Name))
		}
	}
	file, isFile := stdout.(*os.File)
	live := chaos.NewLive(stdout, isFile && term.IsTerminal(int(file.Fd())), campaign.StreamKey(0, trial.Main), beside, fault.Text)
	// What says that the system is being started goes before the first line.
	begin := sync.OnceFunc(func() { r.Progress.Clear(); live.Plan(asked.Faults) })
	r.watch = campaign.Watcher{
		Second: func(s load.Second) { begin(); live.Second(s) },
		Mark:   func(m trial.Mark) { begin(); live.Mark(m) },
	}
	fmt.Fprintf(stdout, "%s, replicas: %d, balancer: %s; %g requests/s of valid users for %v\n", asked.System.Arm, asked.System.Replicas,
		asked.System.Balancer, o.rate, o.length)
	err = r.Measure(ctx, r.open, nil)
	r.Progress.Clear()
	if len(r.Trials) == 0 {
		return cmp.Or(err, errors.New("nothing was measured, for the reason given above"))
	}
	width := terminalWidth(stdout)
	if serr := report.Chaos(stdout, r.Trials[0], width); err == nil {
		err = serr
	}
	if r.Trials[0].Status != trial.OK { // no figure of it counts
		return err
	}
	return errors.Join(err, chaosReport(r, stdout))
}

// chaosReport leaves the page and the chart of a run's folder, and says where.
func chaosReport(r *runner, stdout io.Writer) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(reportMemory))
	if err := report.Write(r.Folder, r.Run, r.Trials, nil, ""); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s\n%s\n", r.Folder.Path("charts", experiment.ChaosName+".png"), r.Folder.Path("report.html"))
	for _, m := range r.Trials[0].Steps[0].Marks {
		if m.InEffect == nil {
			return fmt.Errorf("fault %s was never in effect: %s", fault.Text(m.Fault), m.Why)
		}
	}
	return err
}
