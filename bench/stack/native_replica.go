package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"authbench/bench/process"
	"authbench/bench/trial"
)

// replicas implements host.
func (n *native) replicas(ctx context.Context, launches []launch) (all []Replica, err error) {
	started := make([]*Replica, len(launches))
	work, ctx := errgroup.WithContext(ctx)
	for i, l := range launches {
		work.Go(func() error {
			r, err := n.replica(ctx, l)
			if err != nil {
				return fmt.Errorf("replica %s does not start: %w", l.name, err)
			}
			started[i] = &r
			return nil
		})
	}
	err = work.Wait()
	for _, r := range started {
		if r != nil {
			all = append(all, *r)
		}
	}
	return all, err
}

func (n *native) replica(ctx context.Context, l launch) (r Replica, err error) {
	r.Name = l.name
	if r.component, err = n.component(l.place, l.name, trial.ReplicaTier); err != nil {
		return r, err
	}
	var env []string
	for k, v := range l.env() {
		env = append(env, k+"="+v)
	}
	cpus := l.cpus
	if l.single { // on whatever CPUs it starts, it has one thread: nothing is measured yet, so the generator's help
		if cpus, err = n.opts.allCPUs(); err != nil {
			return r, err
		}
	}
	var line firstLine
	var said struct{ Listen, Private string }
	u, err := n.child(ctx, r.component, process.Command{
		Name: l.name, Path: n.programs.server, Args: l.args("127.0.0.1:0", "127.0.0.1:0", n.keysDir), Env: env,
		CPUs: cpus, Stdout: &line,
		StopSignal: syscall.SIGTERM, Grace: 3 * time.Second,
	}, func(context.Context) error {
		text, ok := line.get()
		if !ok {
			return fmt.Errorf("it has not said where it listens")
		}
		return json.Unmarshal(text, &said)
	})
	if err != nil {
		return r, err
	}
	r.URL, r.PrivateURL, r.upstream = "http://"+said.Listen, "http://"+said.Private, said.Listen
	pid := u.now().PID
	if l.cpus != "" {
		if err := process.Pin(pid, l.cpus); err != nil {
			return r, errors.Join(err, u.Stop(context.WithoutCancel(ctx)))
		}
	}
	r.says = []setting{{"pid", strconv.Itoa(pid)}, {"listen", said.Listen}, {"private", said.Private}}
	// nginx and the driver know it by these addresses: a later start must have them too.
	u.command.Args, u.command.CPUs, u.command.Stdout = l.args(said.Listen, said.Private, n.keysDir), l.cpus, nil
	u.serves = func(ctx context.Context) error { return answers(ctx, r.URL+"/healthz") }
	return r, nil
}

// firstLine keeps the first line that is written to it.
type firstLine struct {
	mu   sync.Mutex
	text []byte
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !bytes.ContainsRune(f.text, '\n') {
		f.text = append(f.text, b...)
	}
	return len(b), nil
}

func (f *firstLine) get() ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, ok := bytes.Cut(f.text, []byte("\n"))
	return bytes.Clone(line), ok
}
