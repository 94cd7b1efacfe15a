package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// Machine describes this machine. Which CPUs serve whom is left to the caller.
// What cannot be found out is empty.
func Machine() trial.Machine {
	var m trial.Machine
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	m.OS = strings.Trim(valueIn("/etc/os-release", "PRETTY_NAME", "="), `"`)
	m.CPU = valueIn("/proc/cpuinfo", "model name", ":")
	if m.CPU == "" { // not x86
		b, _ := os.ReadFile("/proc/device-tree/model")
		m.CPU = strings.Trim(string(b), "\x00\n")
	}
	stat, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(stat)) {
		if strings.HasPrefix(line, "cpu") && !strings.HasPrefix(line, "cpu ") {
			m.CPUs++
		}
	}
	kib, _, _ := strings.Cut(valueIn("/proc/meminfo", "MemTotal", ":"), " ")
	if n, err := strconv.ParseInt(kib, 10, 64); err == nil {
		m.MemoryMiB = n / 1024
	}
	return m
}

// valueIn is the first value of a key in a file of keys and values.
func valueIn(path, key, separator string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Software says what a binary is: the first line that it prints when asked for
// its version with args, and its hash. Without args its version is empty.
func Software(name, path string, args ...string) (trial.Software, error) {
	s := trial.Software{Name: name}
	path, err := exec.LookPath(path)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return s, fmt.Errorf("%s: hash %s: %w", name, path, err)
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	if len(args) == 0 {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = process.Environment()
	out, err := cmd.CombinedOutput() // nginx says it on standard error
	if err != nil {
		return s, fmt.Errorf("%s: ask %s %s for its version: %w", name, path, strings.Join(args, " "), err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	s.Version = strings.TrimSpace(line)
	return s, nil
}
