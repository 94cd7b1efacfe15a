// Package storetest starts real databases for tests and benchmarks: a
// redis-server or a PostgreSQL of the test's own, on a free loopback port, in a
// temporary folder, ended and removed with the test.
//
// In comes a testing.TB; out comes a [Server] with the URL to reach it by, and
// the means to break it: Stop, Start, Pause, Resume. A missing program fails
// the test, with the command that installs it: what is tested against a
// stand-in is not tested. With -short, no database is started and the test is
// skipped.
package storetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds the wait for a database to answer.
const startTimeout = 20 * time.Second

// Server is one running database.
type Server struct {
	// URL is as the store package reads it.
	URL string

	tb      testing.TB
	command func() *exec.Cmd // a new one for each start
	alive   func() error     // nil once the database answers
	stop    syscall.Signal   // ends it at once, with no leave-taking
	logFile string
	running *exec.Cmd
	exited  chan struct{}
}

// Start starts a stopped server at the same address, with what its folder
// still holds, and waits until it answers.
func (s *Server) Start() {
	s.tb.Helper()
	if err := s.start(); err != nil {
		s.tb.Fatalf("%v\n%s", err, s.logTail())
	}
}

func (s *Server) start() error {
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	exited := make(chan struct{})
	s.running, s.exited = cmd, exited
	go func() { cmd.Wait(); close(exited) }()
	for deadline := time.Now().Add(startTimeout); ; {
		err := s.alive()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended at once: %v", cmd.Path, cmd.ProcessState)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer after %v: %w", cmd.Path, startTimeout, err)
		}
	}
}

// Stop ends the server at once, as a crash would, and waits until it is gone.
func (s *Server) Stop() {
	if s.running == nil {
		return
	}
	s.Resume()
	s.running.Process.Signal(s.stop)
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		s.running.Process.Kill()
		<-s.exited
	}
	s.running = nil
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a frozen server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// signal reaches the process and its children: PostgreSQL serves each
// connection by one.
func (s *Server) signal(sig syscall.Signal) {
	if s.running == nil {
		return
	}
	pid := s.running.Process.Pid
	s.running.Process.Signal(sig)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		var n int
		if _, err := fmt.Sscan(child, &n); err == nil {
			syscall.Kill(n, sig)
		}
	}
}

func (s *Server) logTail() string {
	b, _ := os.ReadFile(s.logFile)
	return string(b[max(0, len(b)-2000):])
}

// launch starts a server on a free port. Another process may take the port
// before the server does, so it tries a few.
func launch(tb testing.TB, make func(port int) *Server) *Server {
	tb.Helper()
	var s *Server
	var err error
	for range 3 {
		s = make(freePort(tb))
		s.tb = tb
		if err = s.start(); err == nil {
			tb.Cleanup(s.Stop)
			return s
		}
		s.Stop()
	}
	tb.Fatalf("%v\n%s", err, s.logTail())
	return nil
}

func freePort(tb testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tempDir is a folder that any user may enter, unlike tb.TempDir's.
func tempDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("", "authbench-store-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// skipShort skips a test of a database where go test has -short.
func skipShort(tb testing.TB, database string) {
	tb.Helper()
	if testing.Short() {
		tb.Skipf("starts %s: make test", database)
	}
}

// find returns the path of a program, looked for in PATH and then in the
// places that the patterns name, the last of them first.
func find(tb testing.TB, name, install string, patterns ...string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	tb.Fatalf("%s is not installed: %s", name, install)
	return ""
}
