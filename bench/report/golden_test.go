package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what comes out as the new golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: make it with go test ./bench/report -update, and read it", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; if it should, look at it and run go test ./bench/report -update:\n%s", name, d)
	}
}

func TestGoldenTexts(t *testing.T) {
	run, trials, verdicts := smallRun()
	f := rendered(t, run, trials, verdicts, gobenchOutput(t))
	for _, name := range []string{"REPORT.md", "bench.txt", "verdicts.json"} {
		golden(t, name, contents(t, f, name))
	}
}

func TestGoldenTerminal(t *testing.T) {
	run, trials, verdicts := smallRun()
	for name, width := range map[string]int{"terminal-80.txt": 80, "terminal-160.txt": 160} {
		var b bytes.Buffer
		if err := Terminal(&b, run, trials, verdicts, width); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
}
