package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Ledger is a runtime folder and the children started through it. Its file
// records each child, so that a later Sweep can end what we could not.
type Ledger struct {
	dir  string
	file *os.File

	mu       sync.Mutex
	children []*Process
	groups   []string
	closed   bool

	// The kernel signals a child when the thread that started it ends, so all
	// are started by one thread that lives as long as the ledger.
	starts chan func()
}

// Open makes a runtime folder under the system's temporary directory, after
// cleaning those of owners that are dead. What could not be cleaned is no
// reason not to start; it is in the warning, as is a TMPDIR that will not do.
// After an error nothing of it is left.
func Open() (l *Ledger, warning, err error) {
	warning = Sweep()
	base, unfit, err := baseFolder()
	warning = errors.Join(warning, unfit)
	if err != nil {
		return nil, warning, err
	}
	self, err := Identify(os.Getpid())
	if err != nil {
		return nil, warning, fmt.Errorf("read our own start time: %w", err)
	}
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%d-%d-", self.PID, self.Start))
	if err != nil {
		return nil, warning, fmt.Errorf("make a runtime folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	// 0711: PostgreSQL, which runs as another user when we are root, must get to
	// its own folder inside; nobody else can list names or read.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, warning, err
	}
	file, err := os.OpenFile(filepath.Join(dir, ledgerFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, warning, fmt.Errorf("make the ledger: %w", err)
	}
	l = &Ledger{dir: dir, file: file, starts: make(chan func())}
	if err := l.record(entry{Boot: bootID(), Namespace: pidNamespace()}); err != nil {
		return nil, warning, err
	}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, bound and grouped now and then, ends with the goroutine
		for start := range l.starts {
			start()
		}
	}()
	return l, warning, nil
}

// Dir is the runtime folder: for all that must not outlive the run.
func (l *Ledger) Dir() string { return l.dir }

// Folder makes a folder inside the runtime folder, readable by us alone.
func (l *Ledger) Folder(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder in the runtime folder: %w", err)
	}
	return dir, nil
}

// Start starts a child. It is signalled when we die.
func (l *Ledger) Start(c Command) (*Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("start %s: %w", c.Name, os.ErrClosed)
	}
	if c.Name == "" || strings.ContainsRune(c.Name, '/') {
		return nil, fmt.Errorf("start %s: the name %q cannot name a log", c.Path, c.Name)
	}
	p, err := l.prepare(c)
	if err != nil {
		return nil, err
	}
	result := make(chan error)
	l.starts <- func() { result <- l.spawn(p, c) }
	if err := <-result; err != nil {
		p.logFile.Close()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	l.children = append(slices.DeleteFunc(l.children, (*Process).ended), p)
	go p.reap()
	return p, nil
}

// Run starts a child and waits for its end, as exec.Cmd's Run does. When ctx ends
// first the child is stopped, and the error wraps ctx's.
func (l *Ledger) Run(ctx context.Context, c Command) error {
	p, err := l.Start(c)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		return p.Wait()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s was stopped: %w", c.Name, ctx.Err()), p.Stop(context.WithoutCancel(ctx)))
	}
}

// spawn runs on the starting thread. A child inherits the thread's CPUs.
func (l *Ledger) spawn(p *Process, c Command) error {
	if c.CPUs != "" {
		set, err := cpuSet(c.CPUs)
		if err != nil {
			return err
		}
		var before unix.CPUSet
		if err := unix.SchedGetaffinity(0, &before); err != nil {
			return fmt.Errorf("read the CPU affinity: %w", err)
		}
		if err := unix.SchedSetaffinity(0, set); err != nil {
			return fmt.Errorf("bind to CPUs %s: %w", c.CPUs, err)
		}
		defer unix.SchedSetaffinity(0, &before)
	}
	if err := inGroups(c.Groups, p.cmd.SysProcAttr, p.cmd.Start); err != nil {
		if p.cmd.Process != nil { // started, but our thread did not get home
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
		return err
	}
	p.PID = p.cmd.Process.Pid
	id, err := Identify(p.PID) // even a child that has ended is there until it is collected
	if err == nil {
		p.Start = id.Start
		err = l.record(entry{Name: c.Name, PID: id.PID, Start: id.Start})
	}
	if err != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	return err
}

// MakeGroup makes a control group that is removed with the ledger. It is
// recorded before it exists, so that no moment can leave it behind.
func (l *Ledger) MakeGroup(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.groups, dir) {
		return nil
	}
	if err := l.record(entry{Group: dir}); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	l.groups = append(l.groups, dir)
	return nil
}

// Close ends all children, the last started first, and removes groups and
// folder. Closing twice is fine.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, p := range slices.Backward(l.children) {
		errs = append(errs, p.Stop(context.Background()))
	}
	close(l.starts) // not before: with the thread's end the kernel signals its children
	endMarked(l.dir)
	for _, g := range slices.Backward(l.groups) {
		errs = append(errs, removeGroup(g))
	}
	l.file.Close()
	errs = append(errs, os.RemoveAll(l.dir))
	return errors.Join(errs...)
}
