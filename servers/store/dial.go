package store

import (
	"context"
	"net"
	"time"
)

// dialer connects, as net.Dialer's DialContext does.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// lateDial makes a dialer whose failures come one step later: where dial gives
// an error it returns a connection that gives that error to its first user.
//
// After as many failed dials as its pool is large go-redis stops dialing, fails
// every call at once, and asks once a second whether the server is back. It has
// no setting for that. Here a dial never fails, so each call finds out for
// itself, and the first after the server's return gets through.
func lateDial(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return failedConn{err}, nil
		}
		return conn, nil
	}
}

// failedConn is a connection that could not be made.
type failedConn struct{ err error }

func (c failedConn) Read([]byte) (int, error)         { return 0, c.err }
func (c failedConn) Write([]byte) (int, error)        { return 0, c.err }
func (c failedConn) Close() error                     { return nil }
func (c failedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c failedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c failedConn) SetDeadline(time.Time) error      { return nil }
func (c failedConn) SetReadDeadline(time.Time) error  { return nil }
func (c failedConn) SetWriteDeadline(time.Time) error { return nil }
