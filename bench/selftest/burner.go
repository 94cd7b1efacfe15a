package selftest

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/campaign"
	"authbench/bench/experiment"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// burnerCause names the remark that says what the burner took.
const burnerCause = "burner"

// Burning makes trials of whose cells some ask for a burner: it starts one before
// the systems and ends it after them.
type Burning struct {
	campaign.Maker
	Program string          // authbench, whose command burn is the burner
	CPUs    string          // the system's, as a list
	Ledger  *process.Ledger // that sees to the burner's end
}

// Close implements what [campaign.Campaign] closes.
func (b Burning) Close() error {
	if c, ok := b.Maker.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}

// Make implements [campaign.Maker].
func (b Burning) Make(ctx context.Context, spec trial.Spec, order []int, seed uint64) (made campaign.Made, err error) {
	level, _ := strconv.Atoi(strings.TrimSuffix(spec.Cells[0].Cell.Get(experiment.BurnerFactor), "%"))
	if level == 0 {
		return b.Maker.Make(ctx, spec, order, seed)
	}
	burner, err := b.Ledger.Start(process.Command{Name: burnerCause, Path: b.Program, Args: []string{"burn", strconv.Itoa(level)},
		CPUs: b.CPUs, StopSignal: unix.SIGKILL})
	if err != nil {
		return made, err
	}
	started := time.Now()
	made, err = b.Maker.Make(ctx, spec, order, seed)
	used := burner.CPU()
	elapsed := time.Since(started)
	d := trial.Doubt{Cause: burnerCause, Unit: "share of the system's CPUs"}
	if died := burner.Died(); died != nil {
		d.Spoils, d.Text = trial.Aspects(), died.Error()
	} else {
		cpus, _ := process.ParseCPUs(b.CPUs) // our own list
		d.Amount = used.Seconds() / elapsed.Seconds() / float64(max(1, len(cpus)))
		d.Text = fmt.Sprintf("a burner of ours took %.0f %% of the system's CPUs", 100*d.Amount)
	}
	made.Doubts = append(made.Doubts, d)
	if serr := burner.Stop(context.WithoutCancel(ctx)); err == nil {
		err = serr
	}
	return made, err
}

// Turns of a burner.
const (
	turn = 10 * time.Millisecond // of work and rest
	debt = 100 * time.Millisecond
)

// Burn keeps every CPU that this process may use busy for a share of the time,
// in percent, until ctx ends. It counts CPU time, not wall time: what it does not
// get in one turn it takes in the next ones, up to a bound. It walks through more
// memory than a core's own caches hold, as other work would.
func Burn(ctx context.Context, level int) error {
	if level < 1 || level > 99 {
		return fmt.Errorf("a burner of %d %%: want 1 to 99", level)
	}
	cpus, err := process.AvailableCPUs()
	if err != nil {
		return err
	}
	failed := make(chan error, len(cpus))
	for _, cpu := range cpus {
		go func() { failed <- burnOn(ctx, cpu, float64(level)/100) }()
	}
	for range cpus {
		if berr := <-failed; err == nil {
			err = berr
		}
	}
	return err
}

func burnOn(ctx context.Context, cpu int, share float64) error {
	runtime.LockOSThread() // never unlocked: bound to one CPU, it ends with the goroutine
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bind to CPU %d: %w", cpu, err)
	}
	memory, at := make([]byte, 4<<20), 0
	owed, last := time.Duration(0), time.Now()
	tick := time.NewTicker(turn)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		owed = min(owed+time.Duration(share*float64(now.Sub(last))), debt)
		last = now
		for start := threadCPU(); owed > 0; {
			for range 1000 {
				memory[at]++
				at = (at + 64) % len(memory)
			}
			used := threadCPU()
			owed -= used - start
			start = used
		}
	}
}

func threadCPU() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // cannot fail on Linux
	return time.Duration(ts.Nano())
}
