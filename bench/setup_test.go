package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dockerWith makes a PATH on which an engine answers whose Compose plugin is of some
// version, "" for none, and on which go builds everything but the plugin,
// which takes minutes: of that it makes an empty file.
func dockerWith(t *testing.T, compose string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{
		"docker": `case "$1" in version) exit 0 ;; esac; [ -n "` + compose + `" ] && echo "` + compose + `"`,
		"go": `PATH=${PATH#*:}; case "$*" in *build*tools/compose*) ;; *) exec go "$@" ;; esac
while [ "$1" != -o ]; do shift; done; : >tools/compose/"$2"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

// A Docker engine without a Compose plugin that is new enough gets one, for this
// user alone, and is told before; a plugin that somebody has put there stays.
func TestSetupGetsTheComposePlugin(t *testing.T) {
	t.Parallel()
	starts(t, "tools/setup.sh")
	for _, c := range []struct {
		name, version, level, there string
		want                        []string // in this order; none: it says nothing of a plugin
		builds                      bool
	}{
		{"none", "", "compose", "", []string{"docker has no Compose plugin of 2.20 or newer", "will build", "building the Compose plugin v5."},
			true},
		{"too old", "v2.19.1", "compose", "",
			[]string{"docker has no Compose plugin of 2.20 or newer", "will build", "building the Compose plugin v5."}, true},
		{"new enough", "2.20.0", "compose", "", nil, false},
		{"not needed", "", "compare", "", nil, false},
		{"somebody's own", "2.19.1", "compose", "theirs", []string{"it is left as it is"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := t.TempDir()
			plugin := filepath.Join(config, "cli-plugins", "docker-compose")
			if c.there != "" {
				if err := os.MkdirAll(filepath.Dir(plugin), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(plugin, []byte(c.there), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			out, err := command(t, []string{dockerWith(t, c.version), "DOCKER_CONFIG=" + config}, "tools/setup.sh", c.level)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			at := 0
			for _, w := range c.want {
				i := strings.Index(out[at:], w)
				if i < 0 {
					t.Fatalf("it does not say %q, or not in its turn:\n%s", w, out)
				}
				at += i
			}
			if c.want == nil && strings.Contains(out, "plugin") {
				t.Errorf("it speaks of a plugin:\n%s", out)
			}
			b, err := os.ReadFile(plugin)
			if built := err == nil && c.there == ""; built != c.builds || string(b) != c.there {
				t.Errorf("the plugin is %q, %v; want it built: %v", b, err, c.builds)
			}
		})
	}
}
