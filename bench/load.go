package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"authbench/bench/solo"
	"authbench/bench/trial"
)

func loadCommand(stdout io.Writer) *cobra.Command {
	var s solo.Settings
	var arrivals, file string
	var headers []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "load --url URL (--rate N | --closed N)",
		Short: "Load a URL on this machine at a rate that does not wait for answers, and say what came of it",
		Long: "Load a URL on this machine at a rate that does not wait for answers, and say what came of it.\n\n" +
			"Latency counts from when a request should have started, so a server that stalls is not spared the requests of\n" +
			"that time. Ctrl-C ends early and shows what was measured so far. The exit status is 0 if any request succeeded.",
		Example: "  bin/authbench load --url http://127.0.0.1:8080/me --rate 2000 --header 'Authorization: Bearer abc'\n" +
			"  bin/authbench load --url http://127.0.0.1:8080/me --closed 64 --for 30s --credentials users.jsonl --json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s.Arrivals = trial.Arrivals(arrivals)
			if s.Credentials, err = solo.Credentials(file, headers); err != nil {
				return usage(err)
			}
			l, err := solo.New(s)
			if err != nil {
				return usage(err)
			}
			defer l.Close()
			r, err := l.Run(c.Context())
			if r == nil {
				return err
			}
			write := r.WriteText
			if asJSON {
				write = r.WriteJSON
			}
			if werr := write(stdout); err == nil {
				err = werr
			}
			if err == nil {
				err = r.Failure()
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&s.URL, "url", "", "what to load, such as http://127.0.0.1:8080/me; localhost or 127.0.0.0/8 only")
	f.Float64Var(&s.Rate, "rate", 0, "open loop: requests per second, whatever the answers do")
	f.IntVar(&s.Closed, "closed", 0, "closed loop: requests in flight, each answer starts the next")
	f.StringVar(&arrivals, "arrivals", string(trial.Even), "of an open loop: even or poisson")
	f.IntVar(&s.Connections, "connections", 64, "connections, kept open")
	f.DurationVar(&s.For, "for", 10*time.Second, "how long to measure")
	f.DurationVar(&s.WarmUp, "warm-up", time.Second, "how long to load before, without measuring")
	f.IntVar(&s.Sources, "sources", 0, "networks (/24 of 127.0.0.0/8) that requests come from; 0: any address")
	f.StringArrayVar(&headers, "header", nil, "'Authorization: ...' or 'Cookie: ...', for every request")
	f.StringVar(&file, "credentials", "",
		"file of credentials, used in turn: JSON lines or a list of {\"user\", \"header\", \"cookies\"}, or what POST /mint answers")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
