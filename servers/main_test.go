package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

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
	sharedRedis    = sync.OnceValue(func() *storetest.Server { return storetest.Redis(process) })
	sharedPostgres = sync.OnceValue(func() *storetest.Server { return storetest.Postgres(process) })
)

func TestMain(m *testing.M) {
	status := m.Run()
	for _, f := range slices.Backward(process.cleanups) {
		f()
	}
	os.Exit(status)
}
