package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"authbench/bench/arm"
	"authbench/bench/campaign"
	"authbench/bench/probe"
	"authbench/bench/process"
	"authbench/bench/solo"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

// capacityOptions are the flags of authbench capacity.
type capacityOptions struct {
	system   systemFlags
	cpu      float64
	target   string
	headers  []string
	file     string
	slo      time.Duration
	percent  float64
	within   time.Duration
	asJSON   bool
	settings solo.Settings
	hunt     solo.Hunt
}

func capacityCommand(stdout, stderr io.Writer) *cobra.Command {
	var o capacityOptions
	var ofArm []string
	c := &cobra.Command{
		Use:   "capacity (--arm NAME | --target URL)",
		Short: "Search for the highest rate that an arm, or any server of this machine, holds within a latency objective",
		Long: "Search for the highest rate that an arm, or any server of this machine, holds within a latency objective.\n\n" +
			"A try offers requests at a rate that does not wait for answers, and holds if p99 is within --slo-p99, nothing failed and\n" +
			"nothing was dropped. The search doubles the rate from --from until one breaks, halves what lies between, and repeats both\n" +
			"ends: the capacity is the interval from the highest rate of which every try held to the lowest of which every try broke.\n" +
			"A try that the machine spoiled is made again. The generator's own ceiling is measured first, and is never called a\n" +
			"capacity. Ctrl-C ends early and shows what was found so far. The exit status is 0 if a capacity was found, and 1 if none\n" +
			"was: no rate holds, the generator's ceiling came first, or the machine spoiled too much.",
		Example: "  bin/authbench capacity --arm session/redis --replicas 2\n" +
			"  bin/authbench capacity --arm jwt/ES256 --cpu 0.2 --slo-p99 250ms --json\n" +
			"  bin/authbench capacity --target http://127.0.0.1:8080/me --header 'Authorization: Bearer abc'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(c, ofArm); err != nil {
				return usage(err)
			}
			say := stdout
			if o.asJSON {
				say = stderr
			}
			o.hunt.Tell = func(t trial.Try) { solo.TellTry(say, t) }
			search := o.ofTarget
			if o.target == "" {
				search = o.ofArm
			}
			return o.show(stdout)(search(c.Context(), say))
		},
	}
	ofArm = append(o.system.define(c, "", "", 1, 10_000), "cpu")
	f := c.Flags()
	f.Lookup("balancer").Usage += "; default: sticky where sessions live in a replica's memory, else round_robin"
	f.Float64Var(&o.cpu, "cpu", 0, "CPUs that each replica may use, such as 0.2; 0 sets no limit")
	f.StringVar(&o.target, "target", "", "what to load instead of an arm, such as http://127.0.0.1:8080/me; localhost or 127.0.0.0/8 only")
	f.StringArrayVar(&o.headers, "header", nil, "of --target: 'Authorization: ...' or 'Cookie: ...', for every request")
	f.StringVar(&o.file, "credentials", "", "of --target: file of credentials, used in turn, as for load")
	f.DurationVar(&o.slo, "slo-p99", 100*time.Millisecond, "the bound on the 99th percentile of latency")
	f.Float64Var(&o.hunt.From, "from", 100, "the first rate to try, in requests per second")
	f.Float64Var(&o.percent, "resolution", 5, "how far apart what holds and what breaks may be, in percent")
	f.IntVar(&o.hunt.Repeats, "repeats", 3, "how often each end of the interval is tried again, all with the same outcome")
	f.DurationVar(&o.settings.For, "for", 0, "how long a try is (default: long enough to show a queue that grows, 4s for 100ms and 5 %)")
	f.DurationVar(&o.within, "within", 10*time.Minute, "how long to search: no try begins later")
	f.IntVar(&o.hunt.Steps, "tries", 80, "how many rates to try at most, repeats included")
	f.IntVar(&o.settings.Connections, "connections", 64, "connections, kept open")
	f.IntVar(&o.settings.Sources, "sources", 0, "networks (/24 of 127.0.0.0/8) that requests come from; 0: any address, and 16 for an arm")
	f.StringVar((*string)(&o.settings.Arrivals), "arrivals", string(trial.Poisson), "even or poisson")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, and the tries on standard error")
	return c
}

// show prints what a search found. The error is the search's, or says why no
// capacity was found.
func (o *capacityOptions) show(stdout io.Writer) func(*solo.Found, error) error {
	return func(found *solo.Found, err error) error {
		if found == nil {
			return err
		}
		write := found.WriteText
		if o.asJSON {
			write = found.WriteJSON
		}
		if werr := write(stdout); err == nil {
			err = werr
		}
		if err == nil {
			err = found.Failure()
		}
		return err
	}
}

// leastTry is how long a try is at least, unless asked for otherwise.
const leastTry = 2 * time.Second

// check says what about the flags makes no sense, and fills in the rest.
func (o *capacityOptions) check(c *cobra.Command, ofArm []string) error {
	armGiven, targetGiven := o.system.arm != "", o.target != ""
	if armGiven == targetGiven {
		return errors.New("want either --arm or --target: an arm is started for the search, a target is a server that runs already")
	}
	for _, name := range ofArm {
		if targetGiven && c.Flags().Changed(name) {
			return fmt.Errorf("--%s goes with --arm: a target runs already", name)
		}
	}
	for _, name := range []string{"header", "credentials"} {
		if armGiven && c.Flags().Changed(name) {
			return fmt.Errorf("--%s goes with --target: an arm's users get credentials of their own", name)
		}
	}
	if err := o.checkNumbers(c); err != nil {
		return err
	}
	o.hunt.SLO.P99Milliseconds = o.slo.Seconds() * 1000
	o.hunt.Resolution, o.hunt.Seconds = o.percent/100, o.within.Seconds()
	if err := o.hunt.Check(); err != nil {
		return err
	}
	if !c.Flags().Changed("for") {
		o.settings.For = max(leastTry, time.Duration(o.hunt.TrySeconds()*float64(time.Second)).Round(time.Millisecond))
	}
	o.settings.Rate = o.hunt.From
	if armGiven {
		if !c.Flags().Changed("sources") {
			o.settings.Sources = min(16, o.settings.Connections, o.system.system.Users)
		}
		if o.system.balancer == "" {
			o.system.balancer = string(arm.Of(trial.Arm(o.system.arm)).Balancer())
		}
		if _, _, err := o.system.read(); err != nil {
			return err
		}
		return tryOut(o.settings, make([]trial.Credential, min(o.system.system.Users, 254)), "http://127.0.0.1:1/me")
	}
	credentials, err := solo.Credentials(o.file, o.headers)
	if err != nil {
		return err
	}
	o.settings.URL, o.settings.Credentials = o.target, credentials
	return tryOut(o.settings, credentials, o.target)
}

// tryOut says what about settings makes no sense, before a system is started that
// they are for. Nothing is sent.
func tryOut(s solo.Settings, credentials []trial.Credential, url string) error {
	s.URL, s.Credentials = url, credentials
	l, err := solo.New(s)
	if err != nil {
		return err
	}
	return l.Close()
}

// checkNumbers says which number is out of bounds.
func (o *capacityOptions) checkNumbers(c *cobra.Command) error {
	for _, n := range []struct {
		flag  string
		value any
		good  bool
		want  string
	}{
		{"cpu", o.cpu, o.cpu == 0 || o.cpu >= 0.1, "at least 0.1, or 0 for no limit"},
		{"users", o.system.system.Users, o.system.system.Users >= 1, "at least 1"},
		{"slo-p99", o.slo, o.slo > 0, "more than 0s"},
		{"from", o.hunt.From, o.hunt.From > 0 && o.hunt.From <= 1e6, "more than 0 and at most a million requests per second"},
		{"resolution", o.percent, o.percent >= 1 && o.percent <= 100, "1 to 100 percent"},
		{"repeats", o.hunt.Repeats, o.hunt.Repeats >= 1 && o.hunt.Repeats <= 20, "1 to 20"},
		{"tries", o.hunt.Steps, o.hunt.Steps >= 1 && o.hunt.Steps <= 1000, "1 to 1000"},
		{"within", o.within, o.within > 0, "more than 0s"},
		{"for", o.settings.For, o.settings.For >= time.Millisecond || !c.Flags().Changed("for"), "a millisecond to 24h0m0s"},
	} {
		if !n.good {
			return fmt.Errorf("--%s %v: want %s", n.flag, n.value, n.want)
		}
	}
	return nil
}

// ofArm searches for the capacity of an arm that it starts.
func (o *capacityOptions) ofArm(ctx context.Context, say io.Writer) (found *solo.Found, err error) {
	kind, of, err := o.system.read()
	if err != nil {
		return nil, err
	}
	if o.cpu > 0 {
		of.Budgets = map[trial.Tier]float64{trial.ReplicaTier: o.cpu}
		of.Server[trial.SettingStoreTimeout] = (2 * time.Second).String() // well above the longest freeze of a quota
	}
	step := trial.Step{Name: "capacity", Streams: []trial.Stream{{Name: trial.Main, Request: "GET /me"}}} // so that credentials are made
	rt, s, err := startSystem(ctx, kind, of, step, say)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bringDown(ctx, s), rt.Close()) }()
	meter, err := system{s, rt.cpus()}.Meter(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, meter.Close()) }()
	cpus, err := process.ParseCPUs(rt.system)
	if err != nil {
		return nil, err
	}
	o.settings.URL, o.settings.Credentials = s.URL+"/me", s.Credentials
	o.hunt.Meter, o.hunt.Spoilt, o.hunt.Room = meter, campaign.NewInstrument(rt.generator, rt.system).Spoilt, s.Room(len(cpus))
	l, err := solo.New(o.settings)
	if err != nil {
		return nil, usage(err)
	}
	defer l.Close()
	fmt.Fprintf(say, "%s, replicas: %d, balancer: %s\n%v\n", of.Arm, of.Replicas, of.Balancer, o.settings)
	return o.search(ctx, l, func() (float64, string, error) { return l.Ceiling(ctx, s.NginxStatusURL, o.hunt) }, say)
}

// ofTarget searches for the capacity of a server that runs.
func (o *capacityOptions) ofTarget(ctx context.Context, say io.Writer) (found *solo.Found, err error) {
	cpus, err := process.AvailableCPUs()
	if err != nil {
		return nil, err
	}
	m := machine{generator: process.FormatCPUs(cpus), system: process.FormatCPUs(cpus)}
	p, err := probe.New(ctx, probe.Targets{CPUs: m.cpus()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	o.hunt.Meter = besides{&meter{probe: p}}
	o.hunt.Spoilt = campaign.NewInstrument(m.generator, m.system).Spoilt
	l, err := solo.New(o.settings)
	if err != nil {
		return nil, usage(err)
	}
	defer l.Close()
	fmt.Fprintln(say, o.settings)
	return o.search(ctx, l, func() (float64, string, error) { return o.ceilingOfSite(ctx, l, say) }, say)
}

// search sees that the server answers, has the generator's ceiling measured and
// searches, and says so.
func (o *capacityOptions) search(ctx context.Context, l *solo.Load, ceiling func() (rate float64, why string, err error), say io.Writer) (
	*solo.Found, error) {
	err := l.Answers(ctx)
	why := ""
	if err == nil {
		o.hunt.Ceiling, why, err = ceiling()
	}
	if err != nil {
		return nil, err
	}
	if why == "" {
		fmt.Fprintf(say, "the generator's ceiling is %g requests/s, measured on nginx's own status page\n", o.hunt.Ceiling)
	} else {
		fmt.Fprintf(say, "the generator's ceiling is not known, so the search ends where the generator uses most of a CPU: %s\n", why)
	}
	fmt.Fprintf(say, "a try of %v holds with %s; the search takes %v at most\n\n", o.settings.For, o.hunt.SLO, o.within)
	found, err := l.Capacity(ctx, o.hunt)
	fmt.Fprintln(say)
	return found, err
}

// besides is a meter beside a server whose processes are not known.
type besides struct{ *meter }

func (b besides) Stop(ctx context.Context) (trial.Usage, error) {
	u, err := b.meter.Stop(ctx)
	if u.Missing == nil {
		u.Missing = map[string]string{}
	}
	u.Missing[trial.MissingForeign] = "which processes serve the target is not known"
	return u, err
}

// ceilingOfSite measures the generator's own against an nginx that is started for it.
func (o *capacityOptions) ceilingOfSite(ctx context.Context, l *solo.Load, say io.Writer) (rate float64, why string, err error) {
	if stack.FindProgram("nginx") == "" {
		return 0, "nginx, which it is measured on, is not installed", nil
	}
	ledger, warning, err := process.Open()
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if warning != nil {
		fmt.Fprintln(say, "warning:", warning)
	}
	s, err := stack.StartSite(ctx, ledger, "", "{}")
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, s.Down(context.WithoutCancel(ctx))) }()
	return l.Ceiling(ctx, s.NginxStatusURL, o.hunt)
}
