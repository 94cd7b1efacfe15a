package main

import (
	"io"

	"github.com/spf13/cobra"

	"authbench/bench/rivals"
)

func benchLoadCommand(stdout io.Writer) *cobra.Command {
	var s rivals.Settings
	c := &cobra.Command{
		Use:   "bench-load",
		Short: "Compare the load driver with wrk, vegeta and k6 on one target",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := s.Check(); err != nil {
				return usage(err)
			}
			if s.Bin, err = binDir(); err != nil {
				return err
			}
			_, err = rivals.Run(c.Context(), stdout, s)
			return err
		},
	}
	f := c.Flags()
	f.IntVar(&s.Rounds, "rounds", 5, "how often each generator runs at each load")
	f.IntVar(&s.Seconds, "seconds", 2, "how long it runs each time")
	f.IntSliceVar(&s.Memory, "memory", []int{100_000, 1_000_000},
		"requests after which to show the driver's memory, a run each; 10000000 take five to six minutes")
	return c
}
