package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"authbench/bench/process"
	"authbench/bench/stack/stacktest"
	"authbench/bench/trial"
)

// serverBinary is the real server, built once for all tests.
var serverBinary string

func TestMain(m *testing.M) {
	if os.Getenv("STACK_TEST_ROLE") != "" {
		playRole()
	}
	dir, err := os.MkdirTemp("", "authbench-stack-test-")
	if err == nil {
		serverBinary = filepath.Join(dir, "server")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", serverBinary, "authbench/servers").CombinedOutput(); err != nil {
			err = fmt.Errorf("build the server: %w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// newNative makes a runtime whose folder is the test's own.
func newNative(t *testing.T) *Runtime {
	t.Helper()
	surround(t, "own", 0o711, 0o022)
	n, err := NewNative(Options{ServerBinary: serverBinary, SystemCPUs: lastCPU(t), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// containers skips a test where containers cannot be had.
var containers = stacktest.Containers(Obtain, ErrNoContainers, "../..")

// newCompose makes a runtime of containers, where they can be had.
func newCompose(t *testing.T) *Runtime {
	t.Helper()
	containers(t)
	surround(t, "own", 0o711, 0o022)
	n, err := NewCompose(t.Context(), Options{Project: "../..", SystemCPUs: lastCPU(t), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func lastCPU(t *testing.T) string {
	cpus, err := process.AvailableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	return process.FormatCPUs(cpus[len(cpus)-1:])
}

// cell is a spec whose credentials are minted.
func cell(a trial.Arm, replicas int, b trial.Balancer) trial.CellSpec {
	return trial.CellSpec{Cell: trial.NewCell("arm", a), System: trial.System{Arm: a, Replicas: replicas, Balancer: b, Users: 60,
		Server: map[string]string{trial.SettingLifetime: "1h0m0s", trial.SettingArgon2: "m=64,t=1,p=1", trial.SettingPool: "4"}}}
}

func up(t *testing.T, n *Runtime, spec trial.CellSpec) *Stack {
	t.Helper()
	s, err := n.Up(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
