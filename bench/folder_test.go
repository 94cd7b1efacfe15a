package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"authbench/bench/trial"
)

// beginSmall starts a cost run that does not end soon by itself, and returns when
// it has kept a trial. Its standard error is in the buffer, to be read after Wait.
func beginSmall(t *testing.T) (cmd *exec.Cmd, folder trial.Folder, stderr *bytes.Buffer) {
	t.Helper()
	config, out := smallRun(t)
	text, err := os.ReadFile(config)
	if err == nil {
		text = regexp.MustCompile(`cost_blocks: \d+`).ReplaceAll(text, []byte("cost_blocks: 100"))
		err = os.WriteFile(config, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(authbench(t), "run", "--profile", "smoke", "--config", config, "--experiments", "cost", "--no-go-bench", "--out", out)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	// Under nohup it would inherit that the terminal's end does not matter; what we listen to it gets as it is by default.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	folder = trial.Folder(out)
	poll(t, "a trial", func() bool {
		kept, err := os.ReadDir(folder.Path("trials"))
		return err == nil && len(kept) > 0
	})
	return cmd, folder, stderr
}

// Of two that would measure into one folder the second is told who does, and a
// terminal that goes away ends the first as an interruption does.
func TestOneRunAFolderUntilItsTerminalGoes(t *testing.T) {
	t.Parallel()
	cmd, folder, stderr := beginSmall(t)
	holder := fmt.Sprintf("(process %d)", cmd.Process.Pid)
	for _, args := range [][]string{{"run", "--resume", string(folder)}, {"run", "--no-go-bench", "--out", string(folder)}} {
		if _, stderr, code := invoke(t, args...); code != exitFailure || !strings.Contains(stderr, holder) ||
			!strings.Contains(stderr, string(folder)) {
			t.Errorf("%v: status %d, %q; want %d and %s", args, code, stderr, exitFailure, holder)
		}
	}
	if stdout, stderr, code := invoke(t, "report", string(folder)); code != 0 || !strings.Contains(stdout, "report.html") {
		t.Errorf("a report meanwhile: status %d, %q", code, stderr)
	}
	for range 2 { // the kernel sends it, and the shell once more
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stderr.String(), "--resume "+string(folder)) {
		t.Errorf("status %d, stderr %q; want %d and the command that goes on", code, stderr, exitInterrupted)
	}
	if run, err := folder.ReadRun(); err != nil || run.Status != "interrupted" {
		t.Errorf("manifest: %q, %v", run.Status, err)
	}
	assertNothingLeft(t, cmd.Process.Pid)
	if _, err := os.Stat(folder.Path(".lock")); err == nil {
		t.Error("the lock's file is still there")
	}
}

// nohup says that the terminal's end is not the run's, and nor is that of who reads along.
func TestRunGoesOnWithoutItsTerminal(t *testing.T) {
	t.Parallel()
	config, out := smallRun(t)
	cmd := exec.Command("nohup", authbench(t), "run", "--profile", "smoke", "--config", config, "--experiments", "revoke",
		"--no-go-bench", "--out", out)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	write.Close()
	read.Close() // whatever it says now is a broken pipe
	poll(t, "a trial", func() bool {
		kept, err := os.ReadDir(filepath.Join(out, "trials"))
		return err == nil && len(kept) > 0
	})
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if run, err := trial.Folder(out).ReadRun(); err != nil || run.Status != "complete" {
		t.Errorf("manifest: %q, %v; want a run carried to its end", run.Status, err)
	}
}
