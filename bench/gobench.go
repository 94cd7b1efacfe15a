package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"authbench/bench/process"
)

// goBenchFile holds the Go micro-benchmarks' own output within a run's folder.
const goBenchFile = "gobench.txt"

// goBench runs the Go micro-benchmarks, built by make setup as bin/micro.test,
// on the system's CPU, and keeps their output.
func (r *runner) goBench(ctx context.Context, ledger *process.Ledger) error {
	if _, err := os.Stat(r.Folder.Path(goBenchFile)); err == nil {
		return nil // a resumed run has them already
	}
	bin, err := binDir()
	if err != nil {
		return err
	}
	binary := filepath.Join(bin, "micro.test")
	if _, err := os.Stat(binary); err != nil {
		return errors.New("the Go micro-benchmarks are not built: run make setup, or leave them out with --no-go-bench")
	}
	r.Progress.Say("Go micro-benchmarks (%d x %s each)", r.profile.BenchCount, r.profile.BenchTime)
	var out bytes.Buffer // without stderr: what libraries log is no benchmark line
	err = ledger.Run(ctx, process.Command{
		Name: "micro.test", Path: binary, CPUs: r.Run.Machine.SystemCPUs, Dir: filepath.Join(r.project, "bench", "micro"),
		StopSignal: syscall.SIGINT, Stdout: &out,
		Args: []string{"-test.run=^$", "-test.bench=.", "-test.benchmem", "-test.benchtime=" + r.profile.BenchTime,
			"-test.count=" + strconv.Itoa(r.profile.BenchCount), "-test.timeout=30m"},
	})
	if err != nil {
		return fmt.Errorf("Go micro-benchmarks: %w", err)
	}
	return r.Folder.WriteFile(goBenchFile, out.Bytes())
}
