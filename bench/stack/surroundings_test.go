package stack

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"authbench/bench/trial"
)

// surround makes a folder of a name for temporary files, with a mode, and has
// this process use it with a mask until the test ends.
func surround(t *testing.T, name string, mode os.FileMode, mask int) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts nginx, Redis and PostgreSQL: make test")
	}
	top, err := os.MkdirTemp("", "stack-test-") // t.TempDir is not open to the stores' user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, change := range []error{os.Chmod(top, 0o711), os.Chmod(dir, mode)} {
		if change != nil {
			t.Fatal(change)
		}
	}
	t.Setenv("TMPDIR", dir)
	before := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(before) })
	return dir
}

// TestWhateverAFolderIsCalled starts every program in folders that a shell or a
// configuration file would misread, under masks that shut others out.
func TestWhateverAFolderIsCalled(t *testing.T) {
	for what, c := range map[string]struct {
		name string
		mode os.FileMode
		mask int
	}{
		"odd":      {"my \"tmp\"; it's $HOME #{1} \\n\t\nü%s", 0o755, 0o022},
		"long":     {strings.Repeat("/"+strings.Repeat("x", 150), 4), 0o755, 0o022}, // no Unix socket has a path of 600 bytes
		"own mask": {"masked", 0o755, 0o077},
		"closed":   {"user/0", 0o700, 0o077}, // as libpam-tmpdir makes it
	} {
		t.Run(what, func(t *testing.T) {
			dir := surround(t, c.name, c.mode, c.mask)
			n, err := NewNative(Options{ServerBinary: serverBinary, SystemCPUs: lastCPU(t), Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, arm := range []trial.Arm{"session/redis", "session/postgres"} {
				s, err := n.Up(t.Context(), cell(arm, 1, trial.RoundRobin))
				if err != nil {
					t.Errorf("%s: %v", arm, err)
					break
				}
				if err := s.Down(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if left := n.host.(*native).ledger.Dir(); exists(left) {
				t.Errorf("%s is left", left)
			}
			said := strings.Join(n.Warnings(), "\n")
			if elsewhere := os.Getuid() == 0 && c.mode == 0o700; elsewhere != strings.Contains(said, dir+" is closed to the user") {
				t.Errorf("warnings %q; want a word of a folder that is closed, and of no other", said)
			}
		})
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// TestSettingsAreTheServersOwn has a PostgreSQL that is told otherwise behind our
// back, as a file or an option of somebody's could.
func TestSettingsAreTheServersOwn(t *testing.T) {
	n := newNative(t)
	if got := n.PostgresSettings(); got != nil {
		t.Errorf("settings %v of a server that does not run", got)
	}
	programs := &n.host.(*native).programs
	programs.postgres = script(t, `exec "`+programs.postgres+`" "$@" -c fsync=off -c random_page_cost=7`)
	s := up(t, n, cell("session/postgres", 1, trial.RoundRobin))
	defer s.Down(t.Context())
	got := n.PostgresSettings()
	for name, want := range map[string]string{"fsync": "off", "random_page_cost": "7", "synchronous_commit": "on", "shared_buffers": "128MB",
		"max_wal_size": "4GB"} {
		if got[name] != want {
			t.Errorf("%s is %q in %v; want %q", name, got[name], got, want)
		}
	}
}
