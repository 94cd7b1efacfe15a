package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestDrain_IdleConnections: one that is idle when the replica stops serves one
// more request, whose answer says that it is the last.
func TestDrain_IdleConnections(t *testing.T) {
	r := start(t, "-auth", "none", "-drain-idle", "30s")
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(conn)
	ask := func() *http.Response {
		fmt.Fprint(conn, "POST /logout HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("error %v, %+v", err, res)
		}
		return res
	}
	if ask().Close {
		t.Error("the connection is closed before the replica stops")
	}
	r.stop()
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", r.Listen)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if !ask().Close {
		t.Error("the last answer does not say so")
	}
}

// TestDrain_QueuedConnections: what the system has connected and nobody has
// accepted is not reset when the listener closes.
func TestDrain_QueuedConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	var clients []net.Conn
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	queue := problemListener{l}.last()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	for range n {
		c, err := queue.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "x")
		c.Close()
	}
	if _, err := queue.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v at the end", err)
	}
	for _, c := range clients {
		if b, err := bufio.NewReader(c).ReadByte(); err != nil || b != 'x' {
			t.Errorf("read %q, error %v", b, err)
		}
	}
}
