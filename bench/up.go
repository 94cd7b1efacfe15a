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

// systemFlags say which system to start.
type systemFlags struct {
	arm, balancer, kind string
	lifetime            time.Duration
	system              trial.System
}

// define adds the flags to a command, and returns their names.
func (s *systemFlags) define(c *cobra.Command, which trial.Arm, behind trial.Balancer, replicas, users int) (names []string) {
	f := c.Flags()
	f.StringVar(&s.arm, "arm", string(which), "what to start: "+arm.Names())
	f.StringVar(&s.balancer, "balancer", string(behind), "round_robin, least_conn, ip_hash, cookie_hash or sticky")
	f.StringVar(&s.kind, "runtime", stack.KindAuto, "native, compose or auto, as for run")
	f.IntVar(&s.system.Replicas, "replicas", replicas, "number of replicas")
	f.IntVar(&s.system.Users, "users", users, "seeded accounts user-000000 and on")
	f.DurationVar(&s.lifetime, "lifetime", time.Hour, "of a credential")
	return []string{"arm", "balancer", "runtime", "replicas", "users", "lifetime"}
}

// read checks the flags.
func (s *systemFlags) read() (kind string, of trial.System, err error) {
	of = s.system
	of.Arm = trial.Arm(s.arm)
	if _, err = arm.Lookup(of.Arm); err != nil {
		return "", of, usage(err)
	}
	if of.Balancer, err = trial.ParseBalancer(s.balancer); err != nil {
		return "", of, usage(err)
	}
	if kind, err = stack.ParseKind(s.kind); err != nil {
		return "", of, usage(err)
	}
	if of.Replicas < 1 || of.Replicas > 64 {
		return "", of, usage(fmt.Errorf("--replicas %d: want 1 to 64", of.Replicas))
	}
	of.Server = map[string]string{trial.SettingLifetime: s.lifetime.String(), trial.SettingPool: "16"}
	return kind, of, nil
}

func upCommand(stdout io.Writer) *cobra.Command {
	var flags systemFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Start one arm behind nginx and leave it running until Ctrl-C, to look at by hand",
		Example: "  bin/authbench up --arm session/redis --replicas 3\n" +
			"  bin/authbench up --arm jwt/ES256 --balancer least_conn",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			kind, of, err := flags.read()
			if err != nil {
				return err
			}
			return up(c.Context(), kind, of, stdout)
		},
	}
	flags.define(c, "session/redis", trial.RoundRobin, 3, 100)
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

// startSystem starts a system for a step, by a runtime that it says to say. What
// is returned first is to be closed in the end.
func startSystem(ctx context.Context, kind string, of trial.System, step trial.Step, say io.Writer) (rt opened, s *stack.Stack, err error) {
	kind, why, err := chooseRuntime(kind)
	if err != nil {
		return rt, nil, err
	}
	if why != "" { // first: a runtime that does not open is one that was chosen for this reason
		fmt.Fprintln(say, why)
	}
	if rt, err = openRuntime(ctx, kind, 1); err != nil {
		return rt, nil, err
	}
	for _, w := range rt.warnings() {
		fmt.Fprintln(say, "warning:", w)
	}
	s, err = rt.Up(ctx, trial.CellSpec{Cell: trial.NewCell("arm", of.Arm), System: of, Steps: []trial.Step{step}})
	if err != nil {
		return rt, nil, errors.Join(err, rt.Close())
	}
	for _, w := range s.Warnings[len(rt.Warnings()):] {
		fmt.Fprintln(say, "warning:", w)
	}
	return rt, s, nil
}

// bringDown ends a system, also when ctx is cancelled.
func bringDown(ctx context.Context, s *stack.Stack) error {
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return s.Down(down)
}

func up(ctx context.Context, kind string, of trial.System, stdout io.Writer) (err error) {
	byHand := trial.Step{Name: "by hand", Script: &trial.Script{File: "browse.js"}} // whose users log in
	rt, s, err := startSystem(ctx, kind, of, byHand, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
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
	return bringDown(ctx, s)
}
