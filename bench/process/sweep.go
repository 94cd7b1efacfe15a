package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const ledgerFile = "ledger"

// mark, with the runtime folder, is in the environment of every child and so of
// what the child starts: it finds grandchildren whose parent is gone.
const mark = markName + "="

const markName = "AUTHBENCH_FOLDER"

// entry is one line of a ledger: first where and when its PIDs are valid, then
// a child or a control group each.
type entry struct {
	Boot      string `json:"boot,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	PID       int    `json:"pid,omitempty"`
	Start     uint64 `json:"start,omitempty"`
	Group     string `json:"group,omitempty"`
}

func (l *Ledger) record(e entry) error {
	b, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(b, '\n')) // one write: a reader never sees half a line but the last
	}
	if err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	return nil
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

func pidNamespace() string {
	s, _ := os.Readlink("/proc/self/ns/pid")
	return s
}

// OwnerName names us: no other process has it on this machine until it starts
// anew, nor on another that shares a container engine with it. For what a ledger cannot hold, such as containers.
func OwnerName() (string, error) {
	self, err := Identify(os.Getpid())
	if err != nil {
		return "", fmt.Errorf("read our own start time: %w", err)
	}
	return fmt.Sprintf("%s-%d-%d", machineAndNamespace(), self.PID, self.Start), nil
}

// OwnerIsDead says whether an [OwnerName] is that of a process that has ended.
// An owner in another PID namespace may live where we cannot see it.
func OwnerIsDead(name string) bool {
	var id ID
	rest, ours := strings.CutPrefix(name, machineAndNamespace()+"-")
	n, err := fmt.Sscanf(rest, "%d-%d", &id.PID, &id.Start)
	return ours && err == nil && n == 2 && !id.Alive()
}

// machineAndNamespace is where our PIDs are valid, in hexadecimal digits.
func machineAndNamespace() string {
	id, _ := os.ReadFile("/etc/machine-id") // every PID namespace of a boot has the same number on all machines
	sum := sha256.Sum256(append(id, pidNamespace()...))
	return hex.EncodeToString(sum[:6])
}

// Sweep ends and removes what runs that were killed have left behind: children
// whose PID and start time are the recorded ones, control groups, folders. Runs
// that live are left alone, as is everything in another PID namespace.
func Sweep() error {
	var errs []error
	for _, parent := range parents() {
		base := filepath.Join(parent, baseName())
		if ownFolder(base) != nil {
			continue // not there, or not ours
		}
		folders, err := os.ReadDir(base)
		if err != nil {
			errs = append(errs, fmt.Errorf("look for leftovers: %w", err))
		}
		for _, f := range folders {
			var owner ID
			if n, _ := fmt.Sscanf(f.Name(), "%d-%d-", &owner.PID, &owner.Start); n == 2 && !owner.Alive() {
				errs = append(errs, sweep(filepath.Join(base, f.Name())))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("leftovers of an earlier run: %w", err)
	}
	return nil
}

// sweep cleans one folder of a dead owner.
func sweep(dir string) error {
	entries, err := readLedger(filepath.Join(dir, ledgerFile))
	if err != nil {
		return err
	}
	sameBoot := true
	if len(entries) > 0 {
		sameBoot = entries[0].Boot == bootID()
		if sameBoot && entries[0].Namespace != pidNamespace() {
			return nil // its owner may live where we cannot see it
		}
	}
	var errs []error
	if sameBoot {
		endMarked(dir)
		for _, e := range slices.Backward(entries) {
			switch {
			case e.PID > 0:
				endLeftover(ID{e.PID, e.Start})
			case e.Group != "":
				errs = append(errs, removeGroup(e.Group))
			}
		}
	}
	errs = append(errs, os.RemoveAll(dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean leftovers in %s: %w", dir, err)
	}
	return nil
}

// endLeftover kills a recorded child, its group and all below it. While the
// leader lives, its group's number is its own.
func endLeftover(id ID) {
	if !id.Alive() {
		return
	}
	below := Tree(id.PID)
	unix.Kill(-id.PID, unix.SIGKILL)
	for _, b := range below {
		b.signal(unix.SIGKILL)
	}
}

// endMarked kills the processes whose environment names the folder.
func endMarked(dir string) {
	want := []byte(mark + dir)
	procs, _ := os.ReadDir("/proc")
	for _, e := range procs {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		id, err := Identify(pid)
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // of another user, or gone
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(v, want) {
				id.signal(unix.SIGKILL)
			}
		}
	}
}

func readLedger(path string) ([]entry, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // killed before it was written: there is no child
	}
	if err != nil {
		return nil, fmt.Errorf("read a ledger: %w", err)
	}
	var entries []entry
	for line := range bytes.Lines(b) {
		var e entry
		if json.Unmarshal(line, &e) == nil { // the last line may be cut; its child had not been left running
			entries = append(entries, e)
		}
	}
	return entries, nil
}
