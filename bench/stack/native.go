package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// native runs the system as processes of this machine (Linux).
type native struct {
	opts     Options
	ledger   *process.Ledger
	groups   *groups // nil where they cannot be used
	caps     Capabilities
	user     ordinary
	programs programs
	keysDir  string // folder of the signing keys: one for the whole run
}

// programs are the paths of what we start.
type programs struct{ server, nginx, redis, postgres, initdb string }

// NewNative makes a runtime of processes: it cleans what killed runs have left,
// finds the programs and finds out about CPU budgets. It starts nothing yet.
func NewNative(opts Options) (*Runtime, error) {
	ps, err := findPrograms(opts.ServerBinary)
	if err != nil {
		return nil, err
	}
	u, err := ordinaryUser()
	if err != nil {
		return nil, err
	}
	l, warning, err := process.Open()
	if err != nil {
		return nil, err
	}
	n := &native{opts: opts, ledger: l, user: u, programs: ps}
	if n.groups, err = newGroups(l); err != nil {
		n.caps = Capabilities{Budgeting: "none", Reason: err.Error()}
	} else {
		n.caps = Capabilities{Budgets: true, Budgeting: fmt.Sprintf("cgroup v%d", n.groups.version)}
	}
	if n.keysDir, err = l.Folder("keys"); err != nil {
		return nil, errors.Join(err, n.close())
	}
	rt := newRuntime(KindNative, n, opts)
	if warning != nil {
		rt.warnings = append(rt.warnings, warning.Error())
	}
	return rt, nil
}

func (n *native) capabilities() Capabilities { return n.caps }

func (n *native) close() error { return n.ledger.Close() }

// component makes, or takes up again, the accounting of a part that will start.
func (n *native) component(p place, name string, tier trial.Tier) (*Component, error) {
	c := &Component{name: name, tier: tier}
	if n.groups == nil {
		return c, nil
	}
	g, err := n.groups.group(string(p) + name)
	if err != nil {
		return nil, err
	}
	c.group, c.limit = g, g.setBudget
	return c, nil
}

// userFolder makes a folder in the runtime folder that belongs to the ordinary user.
func (n *native) userFolder(name string) (string, error) {
	dir, err := n.ledger.Folder(name)
	if err != nil {
		return "", err
	}
	return dir, n.user.own(dir)
}

// findPrograms looks in PATH and where packages put what PATH does not have.
func findPrograms(server string) (p programs, err error) {
	if p.server, err = filepath.Abs(server); err == nil {
		_, err = os.Stat(p.server)
	}
	if err != nil {
		return p, fmt.Errorf("the server is not built: %w: run make setup", err)
	}
	var missing []string
	for _, w := range []struct {
		name string
		path *string
	}{{"nginx", &p.nginx}, {"redis-server", &p.redis}, {"postgres", &p.postgres}, {"initdb", &p.initdb}} {
		if *w.path = FindProgram(w.name); *w.path == "" {
			missing = append(missing, w.name)
		}
	}
	if len(missing) > 0 {
		return p, fmt.Errorf("missing: %s: run make setup", strings.Join(missing, ", "))
	}
	return p, nil
}

// FindProgram returns the path of a program, or "". Besides PATH it looks where
// Debian and Red Hat keep servers; of several PostgreSQLs it takes the newest.
func FindProgram(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	best, version := "", -1.0
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/pgsql-*/bin/", "/usr/local/pgsql/bin/", "/usr/sbin/",
		"/usr/local/sbin/", "/sbin/"} {
		paths, _ := filepath.Glob(pattern + name)
		for _, p := range paths {
			v, _ := strconv.ParseFloat(strings.TrimPrefix(filepath.Base(filepath.Dir(filepath.Dir(p))), "pgsql-"), 64)
			if _, err := exec.LookPath(p); err == nil && v > version {
				best, version = p, v
			}
		}
	}
	return best
}
