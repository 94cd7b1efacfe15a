package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"authbench/bench/trial"

	"github.com/spf13/cobra"
)

func upCommand(stdout, stderr io.Writer) *cobra.Command {
	var armName, balancerName string
	spec := trial.Spec{Experiment: "up", Pool: 16, Load: trial.Load{Script: "browse.js"}}
	var lifetime time.Duration
	c := &cobra.Command{
		Use:   "up",
		Short: "Start one arm behind nginx and leave it running until Ctrl-C, to look at by hand",
		Example: "  bin/authbench up --arm session/redis --replicas 3\n" +
			"  bin/authbench up --arm jwt/ES256 --balancer least_conn",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if spec.Arm, err = trial.ParseArm(armName); err != nil {
				return usage(err)
			}
			if spec.Balancer, err = trial.ParseBalancer(balancerName); err != nil {
				return usage(err)
			}
			if spec.Replicas < 1 || spec.Replicas > 64 {
				return usage(fmt.Errorf("--replicas %d: 1 to 64 are allowed", spec.Replicas))
			}
			spec.Lifetime = trial.Duration(lifetime)
			return up(c.Context(), spec, stdout)
		},
	}
	f := c.Flags()
	f.StringVar(&armName, "arm", "session/redis", "what to start: "+trial.ArmNames())
	f.StringVar(&balancerName, "balancer", "round_robin", "round_robin, least_conn, ip_hash, cookie_hash or sticky")
	f.IntVar(&spec.Replicas, "replicas", 3, "number of replicas")
	f.IntVar(&spec.Users, "users", 100, "seeded accounts user-000000 and on")
	f.DurationVar(&lifetime, "lifetime", time.Hour, "of a credential")
	return c
}

func up(ctx context.Context, spec trial.Spec, stdout io.Writer) error {
	rt, _, err := openRuntime(1)
	if err != nil {
		return err
	}
	defer rt.Close()
	s, err := rt.Up(ctx, spec)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s, %d replicas, %s\n\n", spec.Arm, spec.Replicas, spec.Balancer)
	fmt.Fprintf(stdout, "  balancer   %s\n", s.URL)
	for _, r := range s.Replicas {
		fmt.Fprintf(stdout, "  %-10s %s   private: %s/metrics %s/config\n", r.Name, r.URL, r.PrivateURL, r.PrivateURL)
	}
	fmt.Fprintf(stdout, "\nTry it (accounts user-000000 to user-%06d and admin; password \"correct horse battery staple\"):\n\n", spec.Users-1)
	fmt.Fprintf(stdout, "  bin/k6 run -e BASE_URL=%s -e AUTH=%s -e PROFILE=smoke loadtests/browse.js\n", s.URL, spec.Arm.Auth)
	if spec.Arm.Auth != "none" {
		fmt.Fprintf(stdout, "  bin/k6 run -e BASE_URL=%s -e AUTH=%s loadtests/sticky.js\n", s.URL, spec.Arm.Auth)
		fmt.Fprintf(stdout, "  bin/k6 run -e BASE_URL=%s -e AUTH=%s -e REPLICAS=%s loadtests/revoke.js\n", s.URL, spec.Arm.Auth, strings.Join(s.ReplicaURLs(), ","))
	}
	fmt.Fprintf(stdout, "\nCtrl-C ends it.\n")
	<-ctx.Done()
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return s.Down(down)
}
