package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"authbench/bench/arm"
	"authbench/bench/process"
	"authbench/bench/trial"
)

// K6 runs the scripts of loadtests/ and turns what they report into a
// trial.Journey. Nobody else knows k6's names, flags or exit codes. Versions 1.8
// and 2.2 are both fine.
type K6 struct {
	Binary  string // path of k6, or a name to look up in PATH
	Scripts string // the folder loadtests/
	CPUs    string // list of the generator's CPUs; empty leaves ours
	Ledger  *process.Ledger
	Timeout time.Duration // for one script, whatever its own limits say; 0 is one hour
}

// ErrThreshold is wrapped by the error of a script that ran to its end and found
// a threshold of its own crossed: the journey that comes with it is whole.
var ErrThreshold = errors.New("a threshold was crossed")

const (
	k6DefaultTimeout = time.Hour
	k6Grace          = 15 * time.Second // from SIGINT to SIGKILL: k6 ends its iterations and writes its summary
)

// Run runs a script against a system's balancer and replicas. An error
// says what went wrong, with the end of k6's log; the journey then holds what
// was counted until there. When ctx ends the script is interrupted and the error
// wraps ctx's.
func (k K6) Run(ctx context.Context, s trial.System, script trial.Script, url string, replicas []string) (trial.Journey, error) {
	env := map[string]string{"BASE_URL": url, "REPLICAS": strings.Join(replicas, ","), "AUTH": string(arm.Of(s.Arm).Family),
		"USERS": strconv.Itoa(s.Users)}
	maps.Copy(env, script.Env)
	return k.run(ctx, script.File, env, Sources(script.Sources))
}

// Sources lists n addresses of 127/8, each in a /24 network of its own, which is
// all that a balancer hashing addresses looks at.
func Sources(n int) []string {
	var addresses []string
	for i := range n {
		addresses = append(addresses, fmt.Sprintf("127.0.%d.1", i+1))
		if i >= 254 { // 127.1.0.1 and on
			addresses[i] = fmt.Sprintf("127.%d.%d.1", (i+1)/256, (i+1)%256)
		}
	}
	return addresses
}

func (k K6) run(ctx context.Context, script string, env map[string]string, sources []string) (j trial.Journey, err error) {
	j.Script = script
	defer func() {
		if err != nil {
			err = fmt.Errorf("k6 %s: %w", script, err)
		}
	}()
	if err := k.check(script); err != nil {
		return j, err
	}
	dir, err := os.MkdirTemp(k.Ledger.Dir(), "k6-")
	if err != nil {
		return j, fmt.Errorf("make a folder for its summary: %w", err)
	}
	defer os.RemoveAll(dir)
	summary := filepath.Join(dir, "summary.json")
	log := &k6Log{}
	p, err := k.Ledger.Start(process.Command{
		Name: "k6", Path: k.Binary, Args: k.args(script, summary, env, sources), CPUs: k.CPUs,
		Env:        []string{"K6_AUTO_EXTENSION_RESOLUTION=false"}, // or it may ask the network for what a script imports
		StopSignal: syscall.SIGINT, Grace: k6Grace, Stdout: &log.out, Stderr: &log.err,
	})
	if err != nil {
		return j, err
	}
	wrong, err := k.await(ctx, p)
	if err != nil {
		return j, err
	}
	j.ExitCode = exitCode(p.Wait())
	log.close()
	j.Samples = log.samples
	failed, err := readSummary(summary, &j)
	if wrong == nil {
		wrong = judge(j, log, failed, err)
	}
	if wrong != nil {
		return j, fmt.Errorf("%w; its last words:\n%s", wrong, log.tail())
	}
	return j, nil
}

// check finds what is missing before anything is started.
func (k K6) check(script string) error {
	if _, err := exec.LookPath(k.Binary); err != nil {
		return fmt.Errorf("there is no k6 at %s: run `make setup` (%w)", k.Binary, err)
	}
	if info, err := os.Stat(filepath.Join(k.Scripts, script)); err == nil && !info.IsDir() {
		return nil
	}
	there, _ := fs.Glob(os.DirFS(k.Scripts), "*.js") // not of package filepath: the folder's own name is no pattern
	return fmt.Errorf("there is no such script in %s, only %s: %w", k.Scripts, strings.Join(there, ", "), fs.ErrNotExist)
}

func (k K6) args(script, summary string, env map[string]string, sources []string) []string {
	args := []string{"run", "--quiet", "--no-color", "--log-format=json", "--no-usage-report",
		"--address=", // no control port: version 1 would take 6565
		"--include-system-env-vars=false",
		"-e", "SUMMARY=" + summary}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		args = append(args, "-e", name+"="+env[name])
	}
	if len(sources) > 0 {
		args = append(args, "--local-ips", strings.Join(sources, ","))
	}
	return append(args, filepath.Join(k.Scripts, script))
}

// await waits for k6's end; when ctx or the time ends first it interrupts k6 and
// says why. The error is that k6 does not end.
func (k K6) await(ctx context.Context, p *process.Process) (why, err error) {
	timeout := k.Timeout
	if timeout <= 0 {
		timeout = k6DefaultTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.Done():
		return nil, nil
	case <-ctx.Done():
		why = fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case <-timer.C:
		why = fmt.Errorf("still running after %v, so it was ended", timeout)
	}
	return why, p.Stop(context.WithoutCancel(ctx))
}

// summaryFile is what loadtests/lib/summary.js writes.
type summaryFile struct {
	Counters map[string]float64 `json:"counters"`
	Failed   []string           `json:"failed_thresholds"`
}

// readSummary fills in the counters and returns the thresholds that were
// crossed.
func readSummary(path string, j *trial.Journey) (failed []string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("it wrote no summary: does it export handleSummary from lib/summary.js? (%w)", err)
	}
	var s summaryFile
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("its summary cannot be read: %w", err)
	}
	// k6's own counters under names that do not tell where they come from.
	ours := map[string]string{"http_reqs": "requests", "iterations": "iterations", "dropped_iterations": "dropped_iterations",
		"data_sent": "sent_bytes", "data_received": "received_bytes"}
	j.Counters = map[string]float64{}
	for name, value := range s.Counters {
		if own, ok := ours[name]; ok {
			name = own
		}
		if !strings.HasPrefix(name, "http_req_failed") { // k6's idea of failed holds every 401
			j.Counters[name] = value
		}
	}
	return s.Failed, nil
}
