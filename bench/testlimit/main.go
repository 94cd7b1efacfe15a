// Command testlimit gives every test a time limit of its own, which go test
// does not have: go test -json -exec 'testlimit 5m' runs each test binary
// through it. A test binary that has printed nothing for that long, neither that
// a test begins or ends nor a line of a test's own, is ended by SIGQUIT, upon
// which it prints what every goroutine is doing. With parallel tests that is as
// long after the last of the others.
//
// It needs -json or -v: without them a test binary says nothing until its end.
package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const exitUsage = 2 // as go test and Go's own crashes have it

func main() {
	limit, err := time.ParseDuration(append(os.Args, "", "")[1])
	if err != nil || len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: testlimit LIMIT PROGRAM [ARG]...: a duration such as 5m and a test binary")
		os.Exit(exitUsage)
	}
	os.Exit(run(limit, os.Args[2:], os.Stdout, os.Stderr))
}

// run returns the exit status of a program, which it ends when nothing has come
// to its standard output for as long as the limit.
func run(limit time.Duration, program []string, stdout, stderr io.Writer) int {
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second // where a process that it left holds the output
	runtime.LockOSThread()           // whose end Pdeathsig means
	defer runtime.UnlockOSThread()
	var hung atomic.Bool
	quit := func() {
		hung.Store(true)
		cmd.Process.Signal(syscall.SIGQUIT)
		time.AfterFunc(cmd.WaitDelay, func() { cmd.Process.Kill() })
	}
	timer := time.AfterFunc(math.MaxInt64, quit) // set once there is something to end
	defer timer.Stop()
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		timer.Reset(limit)
		return stdout.Write(p)
	})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT) // go test's own time limit is a SIGQUIT
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(stderr, "testlimit: %v\n", err)
		return exitUsage
	}
	timer.Reset(limit)
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	if hung.Load() {
		fmt.Fprintf(stderr, "testlimit: nothing was printed, and no test began or ended, for %v: see above where it hangs\n", limit)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintf(stderr, "testlimit: %v\n", err)
		return max(cmd.ProcessState.ExitCode(), 1) // -1 if a signal ended it
	}
	return 0
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
