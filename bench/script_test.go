package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"authbench/bench/analysis/analysistest"
	"authbench/bench/trial"
)

// TestScripts runs the command lines in testdata/script: what a person types,
// what is printed and with which status it ends, one file a topic. Besides the
// commands of package testscript and $REFERENCE, the committed run, they have
//
//	fails ARGS...          authbench with ARGS ends with status 1 and nothing on standard output
//	usage ARGS...          likewise with status 2
//	says TEXT              the last authbench's standard error is this line after its name, and no more
//	ends STATUS ARGS...    authbench with ARGS ends with this status, whatever it prints
//	measured FOLDER [LAG]  makes a run of the experiment revoke; $TRIAL is the name of one of its trials. With LAG, sessions
//	                       live for so many seconds after log-out
//	held FOLDER            has another process, $HOLDER, measure into a folder
func TestScripts(t *testing.T) {
	program := authbench(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
			env.Setenv("HOLDER", strconv.Itoa(os.Getpid()))
			reference, err := filepath.Abs("../results/reference")
			env.Setenv("REFERENCE", reference)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fails":    func(ts *testscript.TestScript, _ bool, args []string) { refused(ts, exitFailure, args) },
			"usage":    func(ts *testscript.TestScript, _ bool, args []string) { refused(ts, exitUsage, args) },
			"says":     says,
			"ends":     ends,
			"measured": measured,
			"held":     held,
		},
	})
}

func ends(ts *testscript.TestScript, _ bool, args []string) {
	status := 0
	err := ts.Exec("authbench", args[1:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("status %d, want %s", status, args[0])
	}
}

func refused(ts *testscript.TestScript, status int, args []string) {
	err := ts.Exec("authbench", args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status {
		ts.Fatalf("%v; want exit status %d", err, status)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("an error prints to standard output: %s", out)
	}
}

func says(ts *testscript.TestScript, _ bool, args []string) {
	if want := fmt.Sprintf("authbench: %s\n", args[0]); ts.ReadFile("stderr") != want {
		ts.Fatalf("it says %q, want %q", ts.ReadFile("stderr"), want)
	}
}

func measured(ts *testscript.TestScript, _ bool, args []string) {
	run, trials := analysistest.Run()
	const asked = "revoke"
	run.Experiments = []string{asked}
	run.Questions = slices.DeleteFunc(run.Questions, func(q trial.Question) bool { return q.Experiment != asked })
	run.Rules = slices.DeleteFunc(run.Rules, func(r trial.Rule) bool { return r.Experiment != asked })
	run.RuleHashes = nil
	for _, r := range run.Rules {
		run.RuleHashes = append(run.RuleHashes, r.Hash())
	}
	f := trial.Folder(ts.MkAbs(args[0]))
	ts.Check(f.WriteRun(run))
	for _, t := range trials {
		if t.Spec.Experiment == asked {
			if samples := t.Steps[0].Journey.Samples["revocation_lag_seconds"]; len(args) > 1 && samples[0] == 0 {
				lag, err := strconv.ParseFloat(args[1], 64)
				ts.Check(err)
				for i := range samples {
					samples[i] = lag * (1 + 0.001*float64(t.Block))
				}
			}
			ts.Check(f.WriteTrial(t))
			ts.Setenv("TRIAL", t.Key)
		}
	}
}

// held locks the folder in this process, which is another one to authbench.
func held(ts *testscript.TestScript, _ bool, args []string) {
	unlock, err := trial.Folder(ts.MkAbs(args[0])).Lock()
	ts.Check(err)
	ts.Defer(unlock)
}
