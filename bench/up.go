package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbench/bench/arm"
	"authbench/bench/load"
	"authbench/bench/stack"
	"authbench/bench/trial"
)

func upCommand(stdout io.Writer) *cobra.Command {
	var armName, balancerName, kind string
	var s trial.System
	var lifetime time.Duration
	c := &cobra.Command{
		Use:   "up",
		Short: "Start one arm behind nginx and leave it running until Ctrl-C, to look at by hand",
		Example: "  bin/authbench up --arm session/redis --replicas 3\n" +
			"  bin/authbench up --arm jwt/ES256 --balancer least_conn",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s.Arm = trial.Arm(armName)
			if _, err = arm.Lookup(s.Arm); err != nil {
				return usage(err)
			}
			if s.Balancer, err = trial.ParseBalancer(balancerName); err != nil {
				return usage(err)
			}
			if kind, err = stack.ParseKind(kind); err != nil {
				return usage(err)
			}
			if s.Replicas < 1 || s.Replicas > 64 {
				return usage(fmt.Errorf("--replicas %d: want 1 to 64", s.Replicas))
			}
			s.Server = map[string]string{trial.SettingLifetime: lifetime.String(), trial.SettingPool: "16"}
			return up(c.Context(), kind, s, stdout)
		},
	}
	f := c.Flags()
	f.StringVar(&armName, "arm", "session/redis", "what to start: "+arm.Names())
	f.StringVar(&balancerName, "balancer", "round_robin", "round_robin, least_conn, ip_hash, cookie_hash or sticky")
	f.StringVar(&kind, "runtime", stack.KindAuto, "native, compose or auto, as for run")
	f.IntVar(&s.Replicas, "replicas", 3, "number of replicas")
	f.IntVar(&s.Users, "users", 100, "seeded accounts user-000000 and on")
	f.DurationVar(&lifetime, "lifetime", time.Hour, "of a credential")
	return c
}

// balancerSettings are what sticky.js needs for a balancer that looks at more than the request.
func balancerSettings(b trial.Balancer) string {
	switch b {
	case trial.CookieHash:
		return " -e CLIENT_COOKIE=1"
	case trial.IPHash:
		return " --local-ips " + strings.Join(load.Sources(24), ",")
	}
	return ""
}

func up(ctx context.Context, kind string, of trial.System, stdout io.Writer) (err error) {
	kind, why, err := chooseRuntime(kind)
	if err != nil {
		return err
	}
	if why != "" { // first: a runtime that does not open is one that was chosen for this reason
		fmt.Fprintln(stdout, why)
	}
	rt, err := openRuntime(ctx, kind, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	for _, w := range rt.warnings() {
		fmt.Fprintln(stdout, "warning:", w)
	}
	s, err := rt.Up(ctx, trial.CellSpec{Cell: trial.NewCell("arm", of.Arm), System: of,
		Steps: []trial.Step{{Name: "by hand", Script: &trial.Script{File: "browse.js"}}}}) // whose users log in
	if err != nil {
		return err
	}
	for _, w := range s.Warnings[len(rt.Warnings()):] {
		fmt.Fprintln(stdout, "warning:", w)
	}
	fmt.Fprintf(stdout, "%s, %d replicas, %s\n\n", of.Arm, of.Replicas, of.Balancer)
	fmt.Fprintf(stdout, "  balancer   %s\n", s.URL)
	for _, r := range s.Replicas {
		fmt.Fprintf(stdout, "  %-10s %s   private: %s/metrics %s/config\n", r.Name, r.URL, r.PrivateURL, r.PrivateURL)
	}
	fmt.Fprintf(stdout, "\nTry it (accounts user-000000 to user-%06d and admin; password \"correct horse battery staple\"):\n\n", of.Users-1)
	k6 := fmt.Sprintf("bin/k6 run -e BASE_URL=%s -e AUTH=%s -e USERS=", s.URL, arm.Of(of.Arm).Family)
	fmt.Fprintf(stdout, "  %s%d -e PROFILE=smoke loadtests/browse.js\n", k6, of.Users)
	if of.Arm != trial.Control {
		fmt.Fprintf(stdout, "  %s%d%s loadtests/sticky.js\n", k6, min(of.Users, 24), balancerSettings(of.Balancer))
		fmt.Fprintf(stdout, "  %s%d -e REPLICAS=%s loadtests/revoke.js\n", k6, min(of.Users, 10), strings.Join(s.ReplicaURLs(), ","))
	}
	fmt.Fprintf(stdout, "\n  curl --include --json '{\"username\":\"user-000000\",\"password\":\"correct horse battery staple\"}' %s/login\n",
		s.URL)
	fmt.Fprintf(stdout, "\n  curl --json '{\"users\":%d}' %s/mint >users.jsonl\n", of.Users, s.Replicas[0].PrivateURL)
	fmt.Fprintf(stdout, "  bin/authbench load --url %s/me --rate 1000 --credentials users.jsonl\n", s.URL)
	fmt.Fprintf(stdout, "\nPress Ctrl-C to stop.\n")
	for died := time.NewTicker(time.Second); ; {
		select {
		case <-died.C:
			if err := s.Died(); err != nil {
				return errors.Join(err, s.Down(ctx))
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return s.Down(down)
}
