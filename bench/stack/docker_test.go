package stack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What stands in the way is named in one line, with what to do.
func TestNoEngineToUse(t *testing.T) {
	if _, err := docker(t.Context(), "--version"); err != nil {
		t.Skipf("there is no docker command here: %v", err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no engine":  {map[string]string{"DOCKER_HOST": "unix:///no/such/socket"}, "no Docker engine answers: start it"},
		"far engine": {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:1"}, "no Docker engine answers: start it"},
		"no command": {map[string]string{"PATH": "/no/such/folder"}, "there is no docker command: install"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			_, err := NewCompose(t.Context(), Options{Project: "../.."})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want one line with %q", err, c.want)
			}
		})
	}
}

// The words are those of docker commands 20 to 28.
func TestWhatDockerSaysIsExplained(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get ...",
			"add the user to the group docker"},
		{"docker: unknown command: docker compose\n\nRun 'docker --help' for more information", "no Compose plugin"},
		{"unknown shorthand flag: 'p' in -p\n\nUsage:  docker [OPTIONS] COMMAND", "no Compose plugin"},
		{"unknown flag: --short\n\nUsage:  docker [OPTIONS] COMMAND", "no Compose plugin: install docker-compose-plugin"},
		{"#1 building\nfailed to solve: something\n", "failed to solve: something"},
	} {
		if err := dockerError([]string{"compose"}, os.ErrInvalid, c.said); !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want one line with %q", c.said, err, c.want)
		}
	}
}

func TestAnImageThatCannotBeHad(t *testing.T) {
	n := newCompose(t) // says why there are no containers here
	c := n.host.(*compose)
	if _, err := ensureImage(t.Context(), "authbench.invalid/none:1"); err == nil ||
		!strings.Contains(err.Error(), "image authbench.invalid/none:1 is not here and cannot be pulled: ") {
		t.Errorf("%v; want the image's name", err)
	}
	dir := t.TempDir()
	c.opts.Project = dir
	if err := c.open(t.Context(), engine{}); err == nil || !strings.Contains(err.Error(), "docker-compose.yml") {
		t.Errorf("%v; want the file that is missing", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte("services:\n  nginx: {image: nginx}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.open(t.Context(), engine{}); err == nil || !strings.Contains(err.Error(), "session-1") {
		t.Errorf("%v; want the service that is missing", err)
	}
}

// A stack needs a plugin that is new enough, and images.
func TestWhatContainersLackIsNamed(t *testing.T) {
	for version, old := range map[string]bool{"2.19.1": true, "v2.3.3+ds1": true, "1.29.2": true, "2.20.0": false, "v5.0.2": false,
		"10.0": false, "dev": false} {
		if err := checkCompose(version); (err != nil) != old ||
			err != nil && !strings.Contains(err.Error(), version+", and 2.20 or newer is needed: install") {
			t.Errorf("Compose %s: %v; too old: %v", version, err, old)
		}
	}
	newCompose(t) // says why there are no containers here
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS("../../deploy")); err != nil {
		t.Fatal(err)
	}
	for services, want := range map[string]string{
		"  a: {image: authbench.invalid/none:1}\n": "image authbench.invalid/none:1 is not here and cannot be pulled: ",
		// built here, or never started by itself
		"  a: {image: authbench/none:1}\n  b: {profiles: [rare], image: authbench.invalid/rare:1}\n": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte("services:\n"+services), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Obtain(t.Context(), dir)
		if want == "" && err != nil ||
			want != "" && (!errors.Is(err, ErrNoContainers) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v; want one line with %q", services, err, want)
		}
	}
	t.Setenv("DOCKER_HOST", "unix:///no/such/socket")
	if err := Obtain(t.Context(), dir); !errors.Is(err, ErrNoContainers) ||
		!strings.Contains(err.Error(), "no Docker engine answers: start it") {
		t.Errorf("%v; want what is lacking", err)
	}
}
