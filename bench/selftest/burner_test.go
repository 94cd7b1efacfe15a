package selftest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"authbench/bench/campaign"
	"authbench/bench/experiment"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// paper makes trials of nothing; while it does, it looks for burners.
type paper struct {
	burning []string // command lines of our children
	err     error
	closed  bool
}

func (p *paper) Lacks(trial.Needs) string { return "" }

func (p *paper) Make(context.Context, trial.Spec, []int, uint64) (campaign.Made, error) {
	p.burning = burners()
	return campaign.Made{Warnings: []string{"made"}}, p.err
}

func (p *paper) Close() error {
	p.closed = true
	return nil
}

// burners are the command lines of our children that burn.
func burners() (lines []string) {
	for _, id := range process.Tree(os.Getpid()) {
		b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id.PID), "cmdline"))
		if words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00"); len(words) > 1 && words[1] == "burn" {
			lines = append(lines, strings.Join(words[1:], " "))
		}
	}
	return lines
}

// A burner runs while a trial that asks for one is made, and no longer, also
// where the trial fails; what it took is said in the trial.
func TestBurnerLastsAsLongAsItsTrial(t *testing.T) {
	program, err := filepath.Abs("../../bin/authbench")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Fatalf("%v: run make test, or make build before go test", err)
	}
	ledger, _, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	cpus, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	for _, c := range []struct {
		level string
		fails error
		want  []string
	}{{"0%", nil, nil}, {"30%", nil, []string{"burn 30"}}, {"60%", failed, []string{"burn 60"}}} {
		p := &paper{err: c.fails}
		b := Burning{Maker: p, Program: program, CPUs: process.FormatCPUs(cpus[:1]), Ledger: ledger}
		cell := trial.CellSpec{Cell: trial.NewCell("arm", trial.Control, experiment.BurnerFactor, c.level)}
		made, err := b.Make(t.Context(), trial.Single(experiment.Burner, cell), nil, 1)
		if !errors.Is(err, c.fails) || !slices.Equal(p.burning, c.want) || len(made.Warnings) != 1 {
			t.Errorf("%s: meanwhile %q, %+v, %v; want %q", c.level, p.burning, made, err, c.want)
		}
		if left := burners(); len(left) > 0 {
			t.Errorf("%s: %q is left", c.level, left)
		}
		if said := len(made.Doubts) == 1 && made.Doubts[0].Cause == burnerCause && made.Doubts[0].Spoils == nil; said != (c.want != nil) {
			t.Errorf("%s: doubts %+v", c.level, made.Doubts)
		}
		if err := b.Close(); err != nil || !p.closed {
			t.Errorf("what makes the trials is closed: %v, %v", p.closed, err)
		}
	}
}
