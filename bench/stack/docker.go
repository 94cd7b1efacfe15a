package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"authbench/bench/process"
)

// docker runs the docker command with some arguments and returns what it
// printed. Its process group is its own: Ctrl-C in a terminal must reach us
// alone, so that we can end what we started in order.
func docker(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = process.DockerEnvironment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // the Compose plugin is a process below
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("docker %s: %w", args[0], ctx.Err())
	}
	return nil, dockerError(args, err, errs.String())
}

const howToGetCompose = "install docker-compose-plugin (https://docs.docker.com/compose/install/linux/), or build it by " +
	"`tools/setup.sh compose`"

// dockerError says what to do about the failures that a newcomer meets, and
// otherwise what the command said last.
func dockerError(args []string, err error, said string) error {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("there is no docker command: install Docker Engine and its Compose plugin (https://docs.docker.com/engine/install/)")
	case has("permission denied while trying to connect"):
		return errors.New("this user may not use the Docker engine: run as root, or add the user to the group docker and log in again")
	case has("Cannot connect to the Docker daemon", "failed to connect to the docker API", "error during connect"):
		return fmt.Errorf("no Docker engine answers: start it, or point DOCKER_HOST at one (%s)", lastLine(said))
	case has("unknown command: docker compose", "'compose' is not a docker command",
		"unknown shorthand flag: 'p' in -p", "unknown flag: --short"): // what a docker command without the plugin makes of our flags
		return errors.New("the docker command has no Compose plugin: " + howToGetCompose)
	}
	return fmt.Errorf("docker %s: %w: %s", args[0], err, lastLine(said))
}

// lastLine is the last line that is not empty.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// engine is what we need to know of a Docker engine.
type engine struct {
	ServerVersion string
	CgroupVersion string
	CPUCfsQuota   bool // budgets can be set
	CPUSet        bool // containers can be bound to CPUs
}

// findEngine asks the engine about itself, and for the Compose plugin.
func findEngine(ctx context.Context) (e engine, err error) {
	out, err := docker(ctx, "info", "--format", "{{json .}}")
	if err != nil {
		return e, err
	}
	var said struct {
		engine
		ServerErrors []string
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return e, fmt.Errorf("docker info: %w", err)
	}
	if len(said.ServerErrors) > 0 { // the command itself succeeds without an engine
		return e, dockerError([]string{"info"}, errors.New("no engine"), strings.Join(said.ServerErrors, "\n"))
	}
	if out, err = docker(ctx, "compose", "version", "--short"); err != nil {
		return e, err
	}
	return said.engine, checkCompose(strings.TrimSpace(string(out)))
}

// checkCompose refuses a plugin that is too old to know all that we ask of it:
// before 2.20. What is no version, such as a build of somebody's own, is let be.
func checkCompose(version string) error {
	var major, minor int
	if n, _ := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &major, &minor); n == 2 && (major < 2 || major == 2 && minor < 20) {
		return fmt.Errorf("the Compose plugin is version %s, and 2.20 or newer is needed: %s", version, howToGetCompose)
	}
	return nil
}

// ensureImage pulls an image that is not here, and says which it is.
func ensureImage(ctx context.Context, ref string) (id string, err error) {
	inspect := []string{"image", "inspect", "--format", "{{.Id}}", ref}
	out, err := docker(ctx, inspect...)
	if err != nil {
		if _, err := docker(ctx, "pull", "--quiet", ref); err != nil {
			return "", fmt.Errorf("image %s is not here and cannot be pulled: %w", ref, err)
		}
		if out, err = docker(ctx, inspect...); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "sha256:"), nil
}

// ErrNoContainers is wrapped by an error of [Obtain] that says what is lacking here.
var ErrNoContainers = errors.New("no containers here")

// Obtain gets what every stack of a project is made of: an engine, its Compose
// plugin and the images that are pulled, all of docker-compose.yml that start by
// themselves, k6, and what the server's image is built in. What cannot be had
// wraps [ErrNoContainers].
func Obtain(ctx context.Context, project string) error {
	if _, err := findEngine(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNoContainers, err)
	}
	images, err := docker(ctx, "compose", "--env-file", os.DevNull, "--file", filepath.Join(project, "docker-compose.yml"),
		"--profile", "k6", "config", "--images")
	if err != nil {
		return err
	}
	dockerfile, err := os.ReadFile(filepath.Join(project, "deploy", "compose", "Dockerfile"))
	if err != nil {
		return fmt.Errorf("what the server's image is made of: %w", err)
	}
	refs := strings.Fields(string(images))
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(dockerfile), -1) {
		refs = append(refs, from[1])
	}
	for _, ref := range refs {
		if strings.HasPrefix(ref, "authbench/") || ref == "scratch" { // built here, or nothing
			continue
		}
		if _, err := ensureImage(ctx, ref); err != nil {
			return fmt.Errorf("%w: %w", ErrNoContainers, err)
		}
	}
	return nil
}

// Containers says what containers can do here, without starting any.
func Containers(ctx context.Context) (Capabilities, error) {
	e, err := findEngine(ctx)
	return e.capabilities(), err
}

func (e engine) capabilities() Capabilities {
	if !e.CPUCfsQuota {
		return Capabilities{Budgeting: "none", Reason: "the Docker engine says that it has no CPU quotas"}
	}
	return Capabilities{Budgets: true, Budgeting: "cgroup v" + e.CgroupVersion}
}
