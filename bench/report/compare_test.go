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

func TestCompareShowsWhatChanged(t *testing.T) {
	benchstat := filepath.Join("..", "..", "bin", "benchstat")
	if _, err := os.Stat(benchstat); err != nil {
		t.Fatalf("%v: make setup builds it", err)
	}
	run, trials, verdicts := smallRun()
	before := rendered(t, run, trials, verdicts, gobenchOutput(t))
	for i := range trials {
		if m, ok := trials[i].Phase("load=common"); ok && trials[i].Spec.Arm.Store == "redis" {
			m.SentBytes *= 2
		}
	}
	run.Commit, run.Profile, run.Machine.CPU = "another", "full", "Other CPU"
	after := rendered(t, run, trials, verdicts, gobenchOutput(t))
	var b bytes.Buffer
	if err := Compare(t.Context(), &b, benchstat, before, after); err != nil {
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

func TestCompareSaysWhatToDo(t *testing.T) {
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
			err := Compare(context.Background(), &bytes.Buffer{}, c.binary, c.a, c.b)
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
