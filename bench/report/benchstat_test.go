package report

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"authbench/bench/trial"
)

func TestBenchstatShowsWhatChanged(t *testing.T) {
	benchstat := filepath.Join("..", "..", "bin", "benchstat")
	if _, err := os.Stat(benchstat); err != nil {
		t.Fatalf("%v: make setup builds it", err)
	}
	run, trials, verdicts := smallRun()
	before := rendered(t, run, trials, verdicts, gobenchOutput(t))
	for i := range trials {
		if m, ok := trials[i].Step(0, "load=common"); ok && trials[i].Spec.Cells[0].System.Arm == "session/redis" {
			m.Streams[trial.Main].SentBytes *= 2
		}
	}
	run.Commit, run.Profile, run.Machine.CPU = "another", "full", "Other CPU"
	after := rendered(t, run, trials, verdicts, gobenchOutput(t))
	var b bytes.Buffer
	if err := Benchstat(t.Context(), &b, benchstat, before, after); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{"Cost/arm=session_redis/load=common", "request-B/req", "360.0", "Verify/alg=ES256", "sec/op"} {
		if !strings.Contains(out, want) {
			t.Errorf("the comparison lacks %q:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "request-B/req"); n != 2 { // one head of two columns: one table, not one for each commit
		t.Errorf("request-B/req heads %d columns, want 2:\n%s", n, out)
	}
}

func TestBenchstatSaysWhatToDo(t *testing.T) {
	run, trials, verdicts := smallRun()
	whole := rendered(t, run, trials, verdicts, "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	empty := trial.Folder(t.TempDir())
	for name, c := range map[string]struct {
		binary string
		a, b   trial.Folder
		want   []string
	}{
		"no benchstat":  {filepath.Join(t.TempDir(), "benchstat"), whole, whole, []string{"make setup"}},
		"no first run":  {self, empty, whole, []string{string(empty), "authbench report"}},
		"no second run": {self, whole, empty, []string{string(empty), "authbench report"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Benchstat(context.Background(), &bytes.Buffer{}, c.binary, c.a, c.b)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%q: want one line with %q", err, w)
				}
			}
		})
	}
}

// benchstat shows one column for two runs of which one holds nothing, and ends well.
func TestBenchstatNeedsTwoSides(t *testing.T) {
	benchstat := filepath.Join("..", "..", "bin", "benchstat")
	run, trials, verdicts := smallRun()
	whole := rendered(t, run, trials, verdicts, "")
	text := contents(t, whole, benchFile)
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "holds no result in Go's benchmark format"},
		"foreign":   {"<html>\nnot found\n", "holds no result in Go's benchmark format"},
		"binary":    {"\x00\x01\xff", "holds no result in Go's benchmark format"},
		"cut":       {text[:strings.LastIndex(text, " ")], "missing units"},
		"no number": {text + "BenchmarkCost/x\tmany\t1 p50-us\n", "parsing iteration count"},
		"others":    {"BenchmarkSort-2 100 5 ns/op\n", "no figure in common"},
	} {
		other := trial.Folder(t.TempDir())
		if err := other.WriteFile(benchFile, []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		for _, pair := range [][2]trial.Folder{{whole, other}, {other, whole}} {
			var b bytes.Buffer
			err := Benchstat(t.Context(), &b, benchstat, pair[0], pair[1])
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), string(other)) || b.Len() > 0 {
				t.Errorf("%s: %v, printed %q; want an error that names the folder and holds %q", name, err, b.String(), c.want)
			}
		}
	}
}

func TestBenchstatTakesAnyPath(t *testing.T) {
	run, trials, verdicts := smallRun()
	text := []byte(contents(t, rendered(t, run, trials, verdicts, ""), benchFile))
	benchstat, err := filepath.Abs(filepath.Join("..", "..", "bin", "benchstat"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, f := range []trial.Folder{"other", "-dash", "v[1]", "a b", "x=1,y", "new\nline"} {
		if err := f.WriteFile(benchFile, text); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Benchstat(t.Context(), &b, benchstat, f, "other"); err != nil || strings.Count(b.String(), "request-B/req") != 2 {
			t.Errorf("%q: %v\n%s", f, err, b.String())
		}
	}
}
