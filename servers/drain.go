package main

import (
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// connections counts those that are open.
type connections struct{ atomic.Int64 }

// watch is a ConnState of http.Server.
func (c *connections) watch(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.Add(-1)
	}
}

// wait returns when none is open, or after the time given.
func (c *connections) wait(most time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(most); c.Load() > 0 && time.Now().Before(end); {
		<-tick.C
	}
}

// last closes the listener and returns another, of the connections that the
// system had made but nobody had accepted: Close alone would reset them, whatever
// they had sent. Between the last accept and the end of listening is no time to
// speak of.
func (l problemListener) last() net.Listener {
	defer l.Close()
	queue := &queued{address: l.Addr()}
	listener, ok := l.Listener.(syscall.Conn)
	if !ok {
		return queue
	}
	raw, err := listener.SyscallConn()
	if err != nil {
		return queue
	}
	raw.Control(func(fd uintptr) {
		for {
			conn, _, err := syscall.Accept4(int(fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if err == syscall.EINTR || err == syscall.ECONNABORTED {
				continue
			}
			if err != nil { // EAGAIN: none is left
				syscall.Shutdown(int(fd), syscall.SHUT_RDWR)
				return
			}
			queue.fds = append(queue.fds, conn)
		}
	})
	return problemListener{queue}
}

// queued is a listener of connections that there are already.
type queued struct {
	fds     []int
	address net.Addr
}

// Accept implements net.Listener.
func (q *queued) Accept() (net.Conn, error) {
	for len(q.fds) > 0 {
		file := os.NewFile(uintptr(q.fds[0]), "connection")
		q.fds = q.fds[1:]
		conn, err := net.FileConn(file)
		file.Close()
		if err == nil {
			return conn, nil
		}
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (q *queued) Close() error { return nil }

// Addr implements net.Listener.
func (q *queued) Addr() net.Addr { return q.address }
