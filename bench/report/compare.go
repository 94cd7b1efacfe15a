package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"authbench/bench/trial"
)

// benchFile is a run in Go's benchmark format.
const benchFile = "bench.txt"

// Compare writes benchstat's table of two runs: B against A, a row for each
// cell. benchstat is the path of its binary.
func Compare(ctx context.Context, w io.Writer, benchstat string, a, b trial.Folder) error {
	if _, err := exec.LookPath(benchstat); err != nil {
		return fmt.Errorf("compare: no benchstat at %s: run make setup, which builds it", benchstat)
	}
	args := []string{
		"-ignore", "commit,profile,cpu,goos,goarch", // runs are compared across these; the files say which
		"-filter", "-/label:b", // the other half of an A/A pair is the control once more
	}
	labels := runLabels(a, b)
	for i, f := range []trial.Folder{a, b} {
		path := f.Path(benchFile)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("compare: %s holds no %s: name a run's folder, or make its report with: authbench report %s", f, benchFile, f)
		} else if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		args = append(args, labels[i]+"="+path)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, benchstat, args...)
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compare: benchstat: %w: %s", err, oneLine(stderr.String()))
	}
	return nil
}

// runLabels head the columns: the folders' own names where they tell them apart.
func runLabels(a, b trial.Folder) [2]string {
	clean := func(f trial.Folder) string {
		return strings.NewReplacer("=", "_", ",", "_").Replace(filepath.Base(filepath.Clean(string(f))))
	}
	if x, y := clean(a), clean(b); x != y {
		return [2]string{x, y}
	}
	return [2]string{"A", "B"}
}
