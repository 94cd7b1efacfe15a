package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"authbench/servers/matrix"
	"authbench/servers/store/storetest"
)

// processTB lets the databases of the checks live as long as the test process:
// starting a PostgreSQL for each would take longer than the checks themselves.
type processTB struct {
	testing.TB
	cleanups []func()
}

func (*processTB) Helper()                   {}
func (*processTB) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (*processTB) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (p *processTB) Cleanup(f func())        { p.cleanups = append(p.cleanups, f) }

var (
	process        = &processTB{}
	sharedPostgres = sync.OnceValue(func() *storetest.Server { return storetest.Postgres(process) })
)

// skipShort skips, with -short, a test that uses them.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL and Redis: make test")
	}
}

// ran are the cells of the matrix that a test has taken up, as "G05 jwt/HS256".
var ran sync.Map

// sideBySide is how many tests that may run side by side do: most of them wait,
// for a credential's end or a timeout.
const sideBySide = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		panic(err)
	}
	status := m.Run()
	if status == 0 && wholeRun() {
		if missed := missedCells(); len(missed) > 0 {
			fmt.Fprintf(os.Stderr, "SECURITY.md: no test ran for %s\n", strings.Join(missed, ", "))
			status = 1
		}
	}
	for _, f := range slices.Backward(process.cleanups) {
		f()
	}
	os.Exit(status)
}

// wholeRun says whether all tests were asked for.
func wholeRun() bool {
	if testing.Short() {
		return false
	}
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}

// missedCells lists the cells of SECURITY.md that hold and were not run.
func missedCells() (missed []string) {
	for _, r := range readMatrix(process) {
		for _, arm := range matrix.Arms() {
			if _, ok := ran.Load(r.ID + " " + arm); !ok && r.Holds(arm) {
				missed = append(missed, r.ID+" "+arm)
			}
		}
	}
	return missed
}
