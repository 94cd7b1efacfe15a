package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"authbench/bench/process"
)

// TestAPlaceForTheRuntimeFolder names places that will not do: the next one is
// taken, and the warning says what was wrong.
func TestAPlaceForTheRuntimeFolder(t *testing.T) {
	closed := filepath.Join(openFolder(t), "user", "0")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(openFolder(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared, here := openFolder(t), openFolder(t)
	if err := os.Mkdir(filepath.Join(shared, filepath.Base(base(t))), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(shared, filepath.Base(base(t))), 0o777); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"/nonexistent/x":               "no such file",
		file:                           "is not a folder",
		shared:                         "only we may write to",
		"/" + strings.Repeat("x", 900): "901 bytes",
	}
	if os.Getuid() == 0 {
		places[closed] = "chmod o+x"
	}
	for dir, want := range places {
		t.Setenv("TMPDIR", dir)
		l, warning, err := process.Open()
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if warning == nil || !strings.Contains(warning.Error(), want) || !strings.HasPrefix(l.Dir(), "/tmp/") {
			t.Errorf("%s: folder %s, warning %v; want one in /tmp and %q", dir, l.Dir(), warning, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	// A relative one is relative to where we are, and stays where it is when we go elsewhere.
	t.Chdir(here)
	if err := os.Mkdir("here", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", "here")
	l, warning, err := process.Open()
	if err != nil || warning != nil || !filepath.IsAbs(l.Dir()) || filepath.Base(filepath.Dir(filepath.Dir(l.Dir()))) != "here" {
		t.Fatalf("relative: %v %v %v", l, warning, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// base is the folder that all runs of this user share.
func base(t *testing.T) string {
	t.Helper()
	return filepath.Dir(open(t).Dir())
}
