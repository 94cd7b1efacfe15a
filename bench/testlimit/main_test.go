package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain plays a test binary where it is told so.
func TestMain(m *testing.M) {
	switch os.Getenv("TESTLIMIT_ROLE") {
	case "hangs":
		fmt.Println("=== RUN   TestHangs")
		hang()
	case "fails":
		fmt.Println("--- FAIL: TestFails")
		os.Exit(1)
	case "goes on":
		for i := range 30 {
			fmt.Println("=== RUN   Test", i)
			<-time.After(100 * time.Millisecond)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func hang() { <-time.After(time.Hour) }

func TestOnlyATestThatHangsIsEnded(t *testing.T) {
	for _, c := range []struct {
		role   string
		limit  time.Duration
		status int
		stdout string
		stderr []string // all of them
	}{
		{"hangs", 3 * time.Second, 2, "=== RUN   TestHangs\n", []string{"no test began or ended, for 3s", "SIGQUIT", "testlimit.hang("}},
		{"fails", time.Minute, 1, "--- FAIL: TestFails\n", nil},
		{"goes on", 2500 * time.Millisecond, 0, "=== RUN   Test 29\n", nil},
	} {
		t.Run(c.role, func(t *testing.T) {
			t.Setenv("TESTLIMIT_ROLE", c.role)
			var stdout, stderr bytes.Buffer
			if status := run(c.limit, []string{os.Args[0]}, &stdout, &stderr); status != c.status || !strings.HasSuffix(stdout.String(), c.stdout) {
				t.Errorf("status %d, stdout %q; want %d and %q\n%s", status, &stdout, c.status, c.stdout, &stderr)
			}
			for _, want := range c.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr lacks %q:\n%s", want, &stderr)
				}
			}
		})
	}
}
