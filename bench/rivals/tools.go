package rivals

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"authbench/bench/process"
)

// command runs one of the programs to its end on the generator's CPU and returns
// what it wrote to its standard output and its CPU-seconds.
func (c *contest) command(ctx context.Context, name string, args []string, env ...string) ([]byte, float64, error) {
	var out bytes.Buffer
	before, err := process.ChildrenCPU()
	if err != nil {
		return nil, 0, err
	}
	command := process.Command{Name: name, Path: c.programs[name], Args: args, Env: env, CPUs: c.cpu, Stdout: &out}
	if err := c.ledger.Run(ctx, command); err != nil {
		return nil, 0, err
	}
	after, err := process.ChildrenCPU()
	return out.Bytes(), (after - before).Seconds(), errors.Join(err, c.target.Died())
}

var wrkLine = regexp.MustCompile(`(\d+) requests in ([0-9.]+)s`)
var wrkErrors = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)|Non-2xx or 3xx responses: (\d+)`)

func (c *contest) wrk(ctx context.Context, e entry) (result, error) {
	out, cpu, err := c.command(ctx, "wrk",
		[]string{"-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%.0fs", e.seconds), c.target.URL + "/me"})
	if err != nil {
		return result{}, err
	}
	found := wrkLine.FindSubmatch(out)
	if found == nil {
		return result{}, fmt.Errorf("its output has no line of requests: %s", out)
	}
	r := result{cpu: cpu}
	r.requests, _ = strconv.ParseInt(string(found[1]), 10, 64)
	r.seconds, _ = strconv.ParseFloat(string(found[2]), 64)
	for _, line := range wrkErrors.FindAllSubmatch(out, -1) {
		for _, n := range line[1:] {
			v, _ := strconv.ParseInt(string(n), 10, 64)
			r.failed += v
		}
	}
	return r, nil
}

// vegeta writes its results to a file; what it takes to read them again is not
// charged to it. Response bodies are not kept.
func (c *contest) vegeta(ctx context.Context, e entry) (result, error) {
	results := filepath.Join(c.ledger.Dir(), "vegeta.bin")
	targets := filepath.Join(c.ledger.Dir(), "vegeta.targets")
	if err := os.WriteFile(targets, []byte("GET "+c.target.URL+"/me\n"), 0o600); err != nil {
		return result{}, err
	}
	n := strconv.Itoa(connections)
	_, cpu, err := c.command(ctx, "vegeta", []string{"attack", "-targets=" + targets, "-output=" + results, "-max-body=0",
		"-rate=" + strconv.FormatFloat(e.rate, 'f', 0, 64), "-workers=" + n, "-max-workers=" + n, "-connections=" + n,
		fmt.Sprintf("-duration=%gs", e.seconds)})
	if err != nil {
		return result{}, err
	}
	defer os.Remove(results)
	out, _, err := c.command(ctx, "vegeta", []string{"report", "-type=json", results})
	if err != nil {
		return result{}, err
	}
	var v struct {
		Requests int64   `json:"requests"`
		Duration int64   `json:"duration"` // of the attack, ns
		Wait     int64   `json:"wait"`     // for the last answer, ns
		Success  float64 `json:"success"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return result{}, fmt.Errorf("its report: %w", err)
	}
	r := result{requests: v.Requests, seconds: float64(v.Duration+v.Wait) / 1e9, cpu: cpu,
		failed: int64(float64(v.Requests)*(1-v.Success) + 0.5)}
	if e.rate > 0 { // with all workers busy it starts late, or never within the duration
		r.dropped = max(0, int64(e.rate*e.seconds)-v.Requests)
	}
	return r, nil
}

//go:embed k6.js
var k6Script []byte

func (c *contest) k6(ctx context.Context, e entry) (result, error) {
	return c.runK6(ctx, "RATE="+strconv.FormatFloat(e.rate, 'f', 0, 64), fmt.Sprintf("DURATION=%gs", e.seconds))
}

// k6Startup is the CPU time of a k6 whose users send one request each. It is
// taken off the other runs, where it would weigh too heavily: they last seconds.
func (c *contest) k6Startup(ctx context.Context) (float64, error) {
	r, err := c.runK6(ctx, "RATE=0", "ONCE=1", "DURATION=1s")
	return r.cpu, err
}

func (c *contest) runK6(ctx context.Context, settings ...string) (result, error) {
	script := filepath.Join(c.ledger.Dir(), "k6.js")
	if err := os.WriteFile(script, k6Script, 0o600); err != nil {
		return result{}, err
	}
	args := []string{"run", "--quiet", "--no-color", "--no-usage-report", "--address="}
	for _, s := range append(settings, "URL="+c.target.URL+"/me", "VUS="+strconv.Itoa(connections)) {
		args = append(args, "-e", s)
	}
	out, cpu, err := c.command(ctx, "k6", append(args, script), "K6_AUTO_EXTENSION_RESOLUTION=false")
	if err != nil {
		return result{}, err
	}
	var s struct {
		Requests, Dropped, Failed int64
		Milliseconds              float64
	}
	text := string(out)
	if err := json.Unmarshal([]byte(text[max(strings.IndexByte(text, '{'), 0):]), &s); err != nil {
		return result{}, fmt.Errorf("its summary %q: %w", text, err)
	}
	return result{requests: s.Requests, seconds: s.Milliseconds / 1000, cpu: cpu, dropped: s.Dropped, failed: s.Failed}, nil
}
