package stack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"authbench/bench/trial"
)

// ofProject lists the containers, networks and volumes of a Compose project.
func ofProject(t *testing.T, project string) (all []string) {
	t.Helper()
	for _, kind := range []string{"container", "network", "volume"} {
		args := []string{kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=" + project}
		if kind == "container" {
			args = append(args, "--all")
		}
		out, err := docker(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		for id := range strings.FieldsSeq(string(out)) {
			all = append(all, kind+" "+id)
		}
	}
	return all
}

func TestComposeCloseLeavesNothing(t *testing.T) {
	n := newCompose(t)
	up(t, n, cell("jwt/HS256", 2, trial.RoundRobin)) // not taken down, as after an error in the middle
	project := n.host.(*compose).project
	if got := ofProject(t, project); len(got) < 6 {
		t.Errorf("a stack is made of %v; want nginx, two replicas, Redis, a network and a volume", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if left := ofProject(t, project); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// playComposeRun starts a stack, says the project's name and waits to be killed.
func playComposeRun() {
	n, err := NewCompose(context.Background(), Options{Project: "../.."})
	if err == nil {
		_, err = n.Up(context.Background(), cell("session/redis", 1, trial.RoundRobin))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := n.host.(*compose)
	fmt.Println(c.project, c.reaper.Process.Pid)
	bufio.NewReader(os.Stdin).ReadString('\n') // for ever: nothing is sent
	os.Exit(0)
}

// Whoever is killed leaves a process that cleans up; and if that is killed too,
// the next start does.
func TestComposeKilledRunLeavesNothing(t *testing.T) {
	n := newCompose(t) // lives beside the run that is killed
	beside := up(t, n, cell("none", 1, trial.RoundRobin))
	for _, reaped := range []bool{true, false} {
		run := exec.Command(os.Args[0])
		run.Env = append(os.Environ(), "STACK_TEST_ROLE=compose run")
		run.Stderr = os.Stderr
		if _, err := run.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := run.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { run.Process.Kill(); run.Wait() })
		var project string
		var reaper int
		if _, err := fmt.Fscan(out, &project, &reaper); err != nil {
			t.Fatal(err)
		}
		if len(ofProject(t, project)) < 5 {
			t.Fatalf("%s: nothing was started", project)
		}
		if !reaped {
			if err := syscall.Kill(reaper, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		run.Process.Kill()
		run.Wait()
		if !reaped {
			if err := sweepProjects(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "the end of "+project, func() bool { return len(ofProject(t, project)) == 0 })
	}
	if err := beside.Down(t.Context()); err != nil {
		t.Errorf("the run beside it was touched: %v", err)
	}
}
