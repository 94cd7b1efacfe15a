package process

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// What surrounds a run must not change what it says. So every program here gets
// an environment that is composed, not inherited: of the variables of whoever
// started us only those named below are kept, each for a reason; settings of
// k6, PostgreSQL, git or Go's runtime, a locale and proxies reach nobody.
// docs/environment.md has the list for readers.
var (
	// kept by all: where programs are.
	kept = []string{"PATH"}
	// keptForDocker reach the docker command besides: its configuration, how to
	// find an engine, and as whom.
	keptForDocker = []string{"HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH",
		"DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION", "DOCKER_BUILDKIT", "SSH_AUTH_SOCK"}
	// keptForUs reach ourselves besides: where the runtime folder goes, and whose we are.
	keptForUs = []string{"TMPDIR", markName}
	// fixed is the same everywhere: messages that we look for words in are English.
	fixed = []string{"LC_ALL=C", "TZ=UTC"}
)

// Environment is what a program gets that is started to answer a question:
// neither settings nor a home with configuration files.
func Environment() []string {
	return append(keep(kept), append(slices.Clone(fixed), "HOME=/nonexistent")...)
}

// DockerEnvironment is what the docker command gets. COMPOSE_ variables and those
// that docker-compose.yml asks for are left out: they would change what is made.
func DockerEnvironment() []string {
	return append(keep(slices.Concat(kept, keptForDocker)), fixed...)
}

// environment is what the children of a ledger get. Home and temporary files
// are in the runtime folder: a configuration file of a user's is not read, and
// what a killed child forgets goes with the folder.
func (l *Ledger) environment() []string {
	return append(keep(kept), append(slices.Clone(fixed), "HOME="+l.dir, "TMPDIR="+l.dir)...)
}

// keep lists the variables of these names that are set. Without a PATH programs
// are where Linux has them.
func keep(names []string) (env []string) {
	if _, ok := os.LookupEnv("PATH"); !ok {
		env = append(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Settle makes the surroundings of this program the ones that it composes for
// itself: it starts itself anew, as the same process, unless its environment is
// that already. Libraries here read the environment too (PGSERVICE), and Go's
// runtime has read GOGC or GOMAXPROCS before any line of ours. more names
// variables that are also kept. It is the first thing that main does.
func Settle(more ...string) error {
	// Files of ours are ours to read and write whatever the mask says; to what
	// others may do it stays as the user has set it.
	unix.Umask(unix.Umask(0) &^ 0o700)
	env := append(keep(slices.Concat(kept, keptForDocker, keptForUs, more)), fixed...)
	if slices.Equal(slices.Sorted(slices.Values(env)), slices.Sorted(slices.Values(os.Environ()))) {
		return nil
	}
	exe, err := os.Executable()
	if err == nil {
		err = unix.Exec(exe, os.Args, env)
	}
	return fmt.Errorf("start anew without the settings of the environment: %w", err)
}
