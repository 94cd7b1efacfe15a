package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// goBenchFile holds the Go micro-benchmarks' own output within a run's folder.
const goBenchFile = "gobench.txt"

// goBench runs the Go micro-benchmarks, built by make setup as bin/cost.test,
// on the system's CPU, and keeps their output.
func (r *runner) goBench(ctx context.Context) error {
	path := r.folder.Path(goBenchFile)
	if _, err := os.Stat(path); err == nil {
		return nil // a resumed run has them already
	}
	bin, err := binDir()
	if err != nil {
		return err
	}
	binary := filepath.Join(bin, "cost.test")
	if _, err := os.Stat(binary); err != nil {
		return errors.New("the Go micro-benchmarks are not built: run make setup, or leave them out with --no-go-bench")
	}
	r.progress.say("Go micro-benchmarks (%d x %s each)", r.profile.BenchCount, r.profile.BenchTime)
	cmd := exec.CommandContext(ctx, "taskset", "-c", r.run.Machine.SystemCPUs, binary, "-test.run=^$", "-test.bench=.", "-test.benchmem",
		"-test.benchtime="+r.profile.BenchTime, "-test.count="+strconv.Itoa(r.profile.BenchCount), "-test.timeout=30m")
	cmd.Dir = filepath.Join(r.project, "bench", "cost")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var out, errs bytes.Buffer // apart: what libraries log is no benchmark line
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("Go micro-benchmarks: %w; end of their output:\n%s%s", err, tail(out.Bytes()), tail(errs.Bytes()))
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }
