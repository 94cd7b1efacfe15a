package main

import (
	"net/http"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// maxExtraWork bounds -extra-work: a thread that works for 10 ms is preempted,
// and another goroutine's work would be taken for its own.
const maxExtraWork = 10 * time.Millisecond

// working is h with so much CPU time burned before each request. It is a known
// difference between two replicas that are otherwise the same, by which a
// measurement can be tested. Without extra work it is h itself.
func working(h http.Handler, extra time.Duration) http.Handler {
	if extra <= 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		burn(extra)
		h.ServeHTTP(w, r)
	})
}

// burn uses CPU time, not wall time: what the kernel or the hypervisor takes away
// meanwhile is not counted. Reading the clock is work too, of which half a reading
// lies before the first, half after the last, and half is overshot on average:
// with that taken off, d is what it burns. On a system without such a clock it
// burns nothing.
func burn(d time.Duration) {
	runtime.LockOSThread() // the clock is the thread's
	defer runtime.UnlockOSThread()
	start := threadCPU()
	if start == 0 {
		return
	}
	now := threadCPU()
	for reading := now - start; now-start < d-reading*3/2; {
		now = threadCPU()
	}
}

// threadCPU is the CPU time of this thread; 0 where it cannot be read.
func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
