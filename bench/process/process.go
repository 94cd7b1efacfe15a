// Package process starts child processes and makes sure that they end.
//
// In: a Command (a program, its CPUs, its user, its control groups). Out: a
// running Process that can be awaited and stopped. Whatever ends us, nothing of
// ours stays: a normal end stops the children in reverse order; when we are
// killed the kernel signals them (Pdeathsig); and what escapes even that stands
// in a ledger file, from which the next start cleans up (Sweep). A process is
// only ever signalled when both its PID and its start time are the recorded
// ones, so that a recycled PID of somebody else is safe.
package process

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command says what to start. Name and Path are required.
type Command struct {
	Name       string // unique among running children; names the log
	Path       string // of the program: relative to our folder, or looked up in PATH when it has no slash
	Args       []string
	Env        []string            // added to the environment that the ledger composes
	Dir        string              // to start in; empty is the runtime folder: ours may be gone
	CPUs       string              // list such as "1" or "0-2,5"; empty leaves ours
	Credential *syscall.Credential // nil keeps our user
	Groups     []string            // control groups (directories) that the child is born in

	StopSignal  syscall.Signal // asks politely; 0 is SIGTERM
	DeathSignal syscall.Signal // sent by the kernel when we die; 0 is SIGKILL
	Grace       time.Duration  // from StopSignal to SIGKILL; 0 is 5 s

	// What the child writes goes to its log and, if set, here too. Writers are
	// called from other goroutines, one at a time each.
	Stdout, Stderr io.Writer
}

// Process is a started child, leader of its own process group.
type Process struct {
	Name  string
	PID   int
	Start uint64 // start time in clock ticks since boot: with the PID it identifies the process
	Log   string // file with all that the child wrote

	stop    syscall.Signal
	grace   time.Duration
	asked   atomic.Bool // Stop was called
	done    chan struct{}
	err     error // set before done is closed
	cmd     *exec.Cmd
	logFile *os.File
}

const (
	defaultGrace = 5 * time.Second
	killWait     = 10 * time.Second // until SIGKILL must have worked
	tailBytes    = 2000
)

// prepare makes the exec.Cmd of a command; its log is name.log in the runtime folder.
func (l *Ledger) prepare(c Command) (*Process, error) {
	path, err := exec.LookPath(c.Path)
	if err == nil {
		path, err = filepath.Abs(path) // it starts in another folder than ours
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &Process{Name: c.Name, Log: filepath.Join(l.dir, c.Name+".log"), stop: c.StopSignal, grace: c.Grace, done: make(chan struct{})}
	if p.stop == 0 {
		p.stop = syscall.SIGTERM
	}
	if p.grace == 0 {
		p.grace = defaultGrace
	}
	death := c.DeathSignal
	if death == 0 {
		death = syscall.SIGKILL
	}
	if p.logFile, err = os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("start %s: open its log: %w", c.Name, err)
	}
	cmd := exec.Command(path, c.Args...)
	cmd.Dir = cmp.Or(c.Dir, l.dir)
	cmd.Env = slices.Concat(l.environment(), c.Env, []string{mark + l.dir})
	cmd.Stdout, cmd.Stderr = tee(p.logFile, c.Stdout), tee(p.logFile, c.Stderr)
	cmd.WaitDelay = time.Second // a grandchild that keeps the pipe open must not hold us up
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death, Credential: c.Credential}
	p.cmd = cmd
	return p, nil
}

// tee returns the file itself where nobody else listens, which saves a pipe.
func tee(log *os.File, w io.Writer) io.Writer {
	if w == nil {
		return log
	}
	return io.MultiWriter(log, w)
}

// reap waits for the child's end, takes what is left of its group along, and
// only then collects it: until it is collected, its PID and group cannot be
// given to anybody else.
func (p *Process) reap() {
	awaitExit(p.PID)
	unix.Kill(-p.PID, unix.SIGKILL)
	if err := p.cmd.Wait(); err != nil {
		p.err = fmt.Errorf("%s (PID %d) ended: %w; end of %s:\n%s", p.Name, p.PID, err, p.Log, p.Tail())
	}
	p.logFile.Close()
	close(p.done)
}

func awaitExit(pid int) {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return
		}
	}
}

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the child's end. The error is nil after exit status 0;
// otherwise it wraps *exec.ExitError and carries the log's tail.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Died returns an error if the child has ended without being asked to.
func (p *Process) Died() error {
	switch {
	case !p.ended() || p.asked.Load():
		return nil
	case p.err != nil:
		return p.err
	}
	return fmt.Errorf("%s (PID %d) ended by itself with status 0; end of %s:\n%s", p.Name, p.PID, p.Log, p.Tail())
}

// Signal sends a signal to the child alone, for faults. A child that has ended
// is an error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s (PID %d): %w", p.Name, p.PID, err)
	}
	return nil
}

// Stop ends the child and everything below it: its stop signal, then SIGKILL
// after the grace or when ctx ends. It returns when the child is gone; how it
// ended is no error. Stopping twice is fine.
func (p *Process) Stop(ctx context.Context) error { return p.StopBy(ctx, p.stop) }

// StopBy is [Process.Stop] with another signal than the command's own.
func (p *Process) StopBy(ctx context.Context, stop syscall.Signal) error {
	if p.ended() {
		return nil
	}
	p.asked.Store(true)
	below := p.tree() // children of PostgreSQL lead groups of their own
	p.signalGroup(stop)
	for _, id := range below {
		id.signal(unix.SIGCONT) // what is paused hears it only now
	}
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-ctx.Done():
	case <-grace.C:
	}
	return p.kill(below)
}

// Kill ends the child and everything below it by SIGKILL, as a crash of the
// machine would. It returns when all are gone; Died does not report it. Killing
// twice is fine.
func (p *Process) Kill() error {
	if p.ended() {
		return nil
	}
	p.asked.Store(true)
	return p.kill(p.tree())
}

// kill ends the child and what was below it, and waits until all are gone:
// PostgreSQL does not start again while one of its own has the shared memory.
func (p *Process) kill(below []ID) error {
	p.signalGroup(unix.SIGKILL)
	for _, id := range below {
		if id.PID != p.PID {
			id.signal(unix.SIGKILL)
		}
	}
	late := time.After(killWait)
	still := fmt.Errorf("%s (PID %d) is still there %v after SIGKILL", p.Name, p.PID, killWait)
	select {
	case <-p.done:
	case <-late:
		return still
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(below, ID.Alive) {
		select {
		case <-tick.C:
		case <-late:
			return still
		}
	}
	return nil
}

// Pause stops the child and everything below it from running, by SIGSTOP; their
// connections and listeners stay open. It returns when all have stopped. A child
// that has ended is an error.
func (p *Process) Pause(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for { // what is born meanwhile is stopped too: its parent no longer runs
		all := p.tree()
		if p.ended() || len(all) == 0 {
			return fmt.Errorf("pause %s (PID %d): %w", p.Name, p.PID, os.ErrProcessDone)
		}
		running := false
		for _, id := range all {
			if id.runs() {
				running = true
				id.signal(unix.SIGSTOP)
			}
		}
		if !running {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("pause %s (PID %d): %w", p.Name, p.PID, ctx.Err())
		}
	}
}

// Resume lets the child and everything below it go on. One that runs is fine.
func (p *Process) Resume() {
	for _, id := range p.tree() {
		id.signal(unix.SIGCONT)
	}
}

// CPU is the CPU time of the child and everything below it, [Process.Collected]
// once it has ended.
func (p *Process) CPU() time.Duration {
	if p.ended() {
		return p.Collected()
	}
	used, _ := CPU(p.PID)
	return used
}

// Collected is the CPU time of the child that the kernel has added to ours (see
// ChildrenCPU): none before it has ended.
func (p *Process) Collected() time.Duration {
	if !p.ended() {
		return 0
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// signalGroup is silent once the child has been collected: the group's number
// may then be somebody else's.
func (p *Process) signalGroup(s syscall.Signal) {
	if id, err := Identify(p.PID); !p.ended() && err == nil && id.Start == p.Start {
		unix.Kill(-p.PID, s)
	}
}

// tree is empty once the child has been collected: its PID may then be
// somebody else's.
func (p *Process) tree() []ID {
	if t := Tree(p.PID); len(t) > 0 && t[0].Start == p.Start {
		return t
	}
	return nil
}

// PIDs lists the child and everything below it, the child first.
func (p *Process) PIDs() []int {
	var pids []int
	for _, id := range p.tree() {
		pids = append(pids, id.PID)
	}
	return pids
}

// Tail is the end of the child's log, at most about 2,000 bytes.
func (p *Process) Tail() string {
	f, err := os.Open(p.Log)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		f.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	b, _ := io.ReadAll(io.LimitReader(f, tailBytes))
	if s := strings.TrimSpace(string(b)); s != "" {
		return s
	}
	return "(the log is empty)"
}
