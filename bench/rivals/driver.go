package rivals

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"authbench/bench/load"
	"authbench/bench/solo"
	"authbench/bench/trial"
)

// ours runs the driver once, as in a measured trial: with users whose answers
// are all checked, from several networks. The CPU time is its whole process'.
func (c *contest) ours(ctx context.Context, e entry) (r solo.Result, cpu float64, err error) {
	args := []string{"load", "--json", "--url=" + c.target.URL + "/me", "--credentials=" + c.users, "--warm-up=0s",
		fmt.Sprintf("--connections=%d", connections), fmt.Sprintf("--sources=%d", sources),
		"--for=" + time.Duration(e.seconds*float64(time.Second)).String()}
	if e.mode == trial.Closed {
		args = append(args, fmt.Sprintf("--closed=%d", connections))
	} else {
		args = append(args, "--rate="+strconv.FormatFloat(e.rate, 'f', -1, 64))
	}
	out, cpu, err := c.command(ctx, "authbench", args)
	if err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, 0, fmt.Errorf("the driver's answer: %w", err)
	}
	return r, cpu, nil
}

func (c *contest) driver(ctx context.Context, e entry) (result, error) {
	o, cpu, err := c.ours(ctx, e)
	if err != nil {
		return result{}, err
	}
	r := result{requests: o.Completed, seconds: o.Seconds, cpu: cpu, dropped: o.Dropped, failed: failed(o)}
	if lag := o.PacerLag; lag != nil {
		r.lag50us, r.lag99us = 1000*lag.P50, 1000*lag.P99
	}
	return r, nil
}

func failed(r solo.Result) int64 { return r.Completed - r.Outcomes[trial.Success].Requests }

// search is what the driver's maximum is held to. Above this p99 latencies are
// the queue's.
var search = trial.Search{Steps: 12, SLO: trial.SLO{P99Milliseconds: 100}, From: equalRate, Resolution: 0.1, Repeats: 1}

const searchSeconds = 1

// maximum is the highest rate at which the driver drops nothing and still
// answers for its latencies.
func (c *contest) maximum(ctx context.Context) (float64, error) {
	found, err := load.Search(search, 0, func(rate float64) (trial.Try, error) {
		r, _, err := c.ours(ctx, entry{mode: trial.Open, rate: rate, seconds: searchSeconds})
		t := trial.Try{Outcome: trial.Held, P99Milliseconds: r.Outcomes[trial.Success].Latency.P99, Seconds: r.Seconds}
		if r.Dropped > 0 || failed(r) > 0 || t.P99Milliseconds > search.SLO.P99Milliseconds {
			t.Outcome = trial.Broke
			t.Why = fmt.Sprintf("%d dropped, %d failed, p99 %.1f ms", r.Dropped, failed(r), t.P99Milliseconds)
		}
		return t, err
	})
	if err == nil && found.Holds == 0 {
		err = fmt.Errorf("the driver held no rate: is this machine busy with something else? %s", found.Why)
	}
	return found.Holds, err
}

// memory shows what the driver holds at more and more requests.
func (c *contest) memory(ctx context.Context) error {
	if len(c.Memory) == 0 {
		return nil
	}
	fmt.Fprintf(c.out, "\nMemory of the driver's process, open loop at %.0f/s:\n", openRate)
	for _, n := range c.Memory {
		r, _, err := c.ours(ctx, entry{mode: trial.Open, rate: openRate, seconds: float64(n) / openRate})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "  %10d requests: %5.1f MiB resident at most, %4.1f MiB heap, %.1f MiB obtained from the system\n",
			r.Completed, mib(r.Generator.MaxRSSBytes), mib(r.Generator.HeapBytes), mib(r.Generator.SystemBytes))
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
