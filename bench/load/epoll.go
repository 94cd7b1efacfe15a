package load

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epoll waits for many sockets at once, with nanoseconds (epoll_wait has
// milliseconds). It calls the kernel without telling Go's scheduler, even where
// the call blocks: handing the processor back and forth at every wait cost a
// third of all CPU. The price is that this goroutine keeps its processor while
// it waits, so waits must be short (a tick) and others need a processor of their
// own. The garbage collector is not held up: the signal by which Go preempts a
// running goroutine interrupts the wait.
type epoll struct {
	fd      int
	timeout unix.Timespec
	ready   [64]unix.EpollEvent
}

// interest is edge-triggered, so one registration lasts a connection's life:
// "writable" is reported once when it is connected and after a full send buffer.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	e := &epoll{fd: fd}
	if _, err := e.wait(0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%w (Linux 5.11 or newer is needed)", err)
	}
	return e, nil
}

// add watches a socket until it is closed. Its events carry slot and generation;
// the latter tells an event of a socket that was closed in the same batch from
// one of its successor.
func (e *epoll) add(fd int, slot, generation int32) error {
	event := unix.EpollEvent{Events: interest, Fd: slot, Pad: generation}
	if err := unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// wait returns what is ready, at the latest after the timeout. The slice is
// valid until the next call.
func (e *epoll) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	e.timeout = unix.NsecToTimespec(max(int64(timeout), 0))
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.fd), uintptr(unsafe.Pointer(&e.ready)), uintptr(len(e.ready)),
		uintptr(unsafe.Pointer(&e.timeout)), 0, 0)
	switch errno {
	case 0:
		return e.ready[:n], nil
	case unix.EINTR: // Go's own signals; the caller asks again
		return nil, nil
	}
	return nil, fmt.Errorf("epoll_pwait2: %w", errno)
}

func (e *epoll) close() error { return unix.Close(e.fd) }

// send writes to a non-blocking socket without Go's scheduler in between.
func send(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// receive reads from a non-blocking socket; 0 without error is its end.
func receive(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// dial starts to connect a non-blocking socket from the given address, or from
// any if it is zero. The connection is there, or has failed, when epoll reports
// the socket writable.
func dial(to *unix.SockaddrInet4, from [4]byte) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && from != [4]byte{} {
		// The port is chosen when connecting, when the whole pair is known: ports of
		// other destinations do not count.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from})
		}
	}
	if err == nil {
		if err = unix.Connect(fd, to); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect from %v: %w", from, err)
	}
	return fd, nil
}

// socketError is how connecting ended.
func socketError(fd int) error {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && v != 0 {
		err = unix.Errno(v)
	}
	return err
}

// fineTimers makes the calling thread's timers fire on time instead of up to
// 50 microseconds late, and returns what puts the default back.
func fineTimers() (restore func()) {
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // if refused, pacer lag shows it
	return func() { unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }
}
