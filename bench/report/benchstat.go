package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"golang.org/x/perf/benchfmt"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// benchFile is a run in Go's benchmark format.
const benchFile = "bench.txt"

// Benchstat writes benchstat's table of two runs: B against A, a row for each
// cell. benchstat is the path of its binary.
func Benchstat(ctx context.Context, w io.Writer, benchstat string, a, b trial.Folder) error {
	if _, err := exec.LookPath(benchstat); err != nil {
		return fmt.Errorf("no benchstat at %s: run make setup, which builds it", benchstat)
	}
	args := []string{
		"-ignore", "commit,profile,cpu,goos,goarch", // runs are compared across these; the files say which
		"-filter", "-/label:b", // the other half of an A/A pair is the control once more
	}
	labels := runLabels(a, b)
	args = append(args, "--") // a label may begin with a dash
	var names [2]map[string]bool
	for i, f := range []trial.Folder{a, b} {
		var err error
		if names[i], err = benchNames(f); err != nil {
			return err
		}
		args = append(args, labels[i]+"="+f.Path(benchFile))
	}
	if !overlap(names[0], names[1]) {
		return fmt.Errorf("%s and %s have no figure in common: compare runs of the same experiments and arms", a, b)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, benchstat, args...)
	cmd.Env = process.Environment()
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("benchstat: %w: %s", err, oneLine(stderr.String()))
	}
	return nil
}

// benchNames are the names of the results in a run's bench.txt. That there is
// none is an error, since benchstat would show the other run alone and be content.
func benchNames(f trial.Folder) (map[string]bool, error) {
	path, remedy := f.Path(benchFile), trial.Shell("bin/authbench", "report", string(f))
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no %s: name a run's folder, or make its report with: %s", f, benchFile, remedy)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names := map[string]bool{}
	r := benchfmt.NewReader(file, path)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			names[string(rec.Name)] = true
		case *benchfmt.SyntaxError:
			return nil, fmt.Errorf("%w: make it anew with: %s", rec, remedy)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no result in Go's benchmark format: make it anew with: %s", path, remedy)
	}
	return names, nil
}

func overlap(a, b map[string]bool) bool {
	for name := range a {
		if b[name] {
			return true
		}
	}
	return false
}
