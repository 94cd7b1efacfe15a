package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type teapot struct{}

func (teapot) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

// A request burns what it is told to, in CPU time, and is then answered as ever;
// without extra work nothing stands in between.
func TestExtraWork(t *testing.T) {
	const extra = 2 * time.Millisecond
	w, before := httptest.NewRecorder(), processCPU(t)
	working(teapot{}, extra).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/me", nil))
	if used := processCPU(t) - before; w.Code != http.StatusTeapot || used < extra*9/10 {
		t.Errorf("status %d after %v of CPU time; want %d after about %v", w.Code, used, http.StatusTeapot, extra)
	}
	if h := working(teapot{}, 0); h != (teapot{}) {
		t.Errorf("without extra work a %T stands in between", h)
	}
}

func processCPU(t *testing.T) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
