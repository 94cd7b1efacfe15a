package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// problemListener makes the answers that net/http writes by itself, to
// requests that no handler gets to see, problems like all other errors: 400 for
// what is not HTTP, 431 for headers that are too large, 501 for an encoding.
type problemListener struct{ net.Listener }

// Accept implements net.Listener.
func (l problemListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &problemConn{tcp}, nil
	}
	return conn, nil
}

// problemConn has the whole *net.TCPConn in it, since net/http looks for
// CloseWrite.
type problemConn struct{ *net.TCPConn }

// ownHeaders is what follows the status line of net/http's own answers, and of
// no handler's here.
var ownHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

const statusLine = "HTTP/1.1 "

// Write implements net.Conn. Answers of handlers pass after a look at one byte.
func (c *problemConn) Write(b []byte) (int, error) {
	if len(b) < len(statusLine)+3 || b[len(statusLine)] < '4' {
		return c.TCPConn.Write(b)
	}
	line, _, ours := bytes.Cut(b, ownHeaders)
	status, err := strconv.Atoi(string(b[len(statusLine) : len(statusLine)+3]))
	if !ours || err != nil || bytes.Contains(line, []byte("\n")) {
		return c.TCPConn.Write(b)
	}
	if _, err := c.TCPConn.Write(ownProblem(status)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func ownProblem(status int) []byte {
	detail := "this is not a request that can be read"
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		detail = "request line and headers have at most 16 KiB"
	case http.StatusNotImplemented:
		detail = "this transfer encoding is not known"
	}
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
	return fmt.Appendf(nil,
		"%s%d %s\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		statusLine, status, http.StatusText(status), len(body), body)
}
