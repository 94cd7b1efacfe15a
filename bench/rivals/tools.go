package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"authbench/bench/process"
)

const loadNginxConfig = `daemon off;
master_process off; # one process: its end is the end of all
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; multi_accept on; }
http {
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    server {
        listen %[2]s backlog=4096;
        location = /me { default_type application/json; return 200 '%[3]s'; }
    }
}
`

func (b *loadBench) startNginx(ctx context.Context, cpu string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	address := l.Addr().String()
	l.Close()
	conf := filepath.Join(b.ledger.Dir(), "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, loadNginxConfig, b.ledger.Dir(), address, loadBody), 0o600); err != nil {
		return err
	}
	b.url = "http://" + address
	b.nginx, err = b.ledger.Start(process.Command{Name: "nginx", Path: b.tools["nginx"], Args: []string{"-c", conf, "-e", "stderr"}, CPUs: cpu})
	if err != nil {
		return err
	}
	deadline := time.After(5 * time.Second)
	for {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return c.Close()
		}
		select {
		case <-b.nginx.Done():
			return b.nginx.Died()
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("nginx does not listen on %s after 5 s: %s", address, b.nginx.Tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// command runs a generator to its end on the generator's CPU and returns what it
// wrote to its standard output and its CPU-seconds.
func (b *loadBench) command(ctx context.Context, name, path string, args []string, env ...string) ([]byte, float64, error) {
	var out bytes.Buffer
	before := childrenCPU()
	p, err := b.ledger.Start(process.Command{Name: name, Path: path, Args: args, Env: env, CPUs: b.generator, Stdout: &out})
	if err != nil {
		return nil, 0, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Stop(context.WithoutCancel(ctx))
		return nil, 0, ctx.Err()
	}
	if err := p.Wait(); err != nil {
		return nil, 0, err
	}
	if err := b.nginx.Died(); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), childrenCPU() - before, nil
}

var wrkLine = regexp.MustCompile(`(\d+) requests in ([0-9.]+)s`)
var wrkErrors = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)|Non-2xx or 3xx responses: (\d+)`)

func (b *loadBench) wrk(ctx context.Context, c loadCase) (loadResult, error) {
	out, cpu, err := b.command(ctx, "wrk", b.tools["wrk"], []string{"-t1", fmt.Sprintf("-c%d", loadConnections), fmt.Sprintf("-d%.0fs", c.seconds), b.url + "/me"})
	if err != nil {
		return loadResult{}, err
	}
	found := wrkLine.FindSubmatch(out)
	if found == nil {
		return loadResult{}, fmt.Errorf("its output has no line of requests: %s", out)
	}
	r := loadResult{cpu: cpu}
	r.requests, _ = strconv.ParseInt(string(found[1]), 10, 64)
	r.seconds, _ = strconv.ParseFloat(string(found[2]), 64)
	for _, e := range wrkErrors.FindAllSubmatch(out, -1) {
		for _, n := range e[1:] {
			v, _ := strconv.ParseInt(string(n), 10, 64)
			r.failed += v
		}
	}
	return r, nil
}

// vegeta writes its results to a file; what it takes to read them again is not
// charged to it. Response bodies are not kept.
func (b *loadBench) vegeta(ctx context.Context, c loadCase) (loadResult, error) {
	results := filepath.Join(b.ledger.Dir(), "vegeta.bin")
	targets := filepath.Join(b.ledger.Dir(), "vegeta.targets")
	if err := os.WriteFile(targets, []byte("GET "+b.url+"/me\n"), 0o600); err != nil {
		return loadResult{}, err
	}
	n := strconv.Itoa(loadConnections)
	_, cpu, err := b.command(ctx, "vegeta", b.tools["vegeta"], []string{"attack", "-targets=" + targets, "-output=" + results, "-max-body=0",
		"-rate=" + strconv.FormatFloat(c.rate, 'f', 0, 64), "-workers=" + n, "-max-workers=" + n, "-connections=" + n, fmt.Sprintf("-duration=%gs", c.seconds)})
	if err != nil {
		return loadResult{}, err
	}
	defer os.Remove(results)
	out, _, err := b.command(ctx, "vegeta-report", b.tools["vegeta"], []string{"report", "-type=json", results})
	if err != nil {
		return loadResult{}, err
	}
	var v struct {
		Requests int64   `json:"requests"`
		Duration int64   `json:"duration"` // of the attack, ns
		Wait     int64   `json:"wait"`     // for the last answer, ns
		Success  float64 `json:"success"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return loadResult{}, fmt.Errorf("its report: %w", err)
	}
	r := loadResult{requests: v.Requests, seconds: float64(v.Duration+v.Wait) / 1e9, cpu: cpu, failed: int64(float64(v.Requests)*(1-v.Success) + 0.5)}
	if c.rate > 0 { // with all workers busy it starts late, or never within the duration
		r.dropped = max(0, int64(c.rate*c.seconds)-v.Requests)
	}
	return r, nil
}

const k6Script = `import http from 'k6/http';
const rate = Number(__ENV.RATE), vus = Number(__ENV.VUS), duration = __ENV.DURATION;
const scenario = rate > 0
  ? { executor: 'constant-arrival-rate', rate, duration, preAllocatedVUs: vus, maxVUs: vus, gracefulStop: '1s' }
  : __ENV.ONCE ? { executor: 'shared-iterations', vus, iterations: vus }
  : { executor: 'constant-vus', vus, duration, gracefulStop: '1s' };
export const options = { discardResponseBodies: true, scenarios: { scenario } };
export default function () { http.get(__ENV.URL); }
export function handleSummary(data) {
  const count = (name) => data.metrics[name] ? data.metrics[name].values.count : 0;
  const failed = data.metrics.http_req_failed ? data.metrics.http_req_failed.values.passes : 0;
  return { stdout: JSON.stringify({ requests: count('http_reqs'), dropped: count('dropped_iterations'), failed, milliseconds: data.state.testRunDurationMs }) };
}
`

func (b *loadBench) k6(ctx context.Context, c loadCase) (loadResult, error) {
	return b.runK6(ctx, "RATE="+strconv.FormatFloat(c.rate, 'f', 0, 64), fmt.Sprintf("DURATION=%gs", c.seconds))
}

// k6Startup is the CPU time of a k6 whose users send one request each. It is
// taken off the other runs, where it would weigh too heavily: they last seconds.
func (b *loadBench) k6Startup(ctx context.Context) (float64, error) {
	r, err := b.runK6(ctx, "RATE=0", "ONCE=1", "DURATION=1s")
	return r.cpu, err
}

func (b *loadBench) runK6(ctx context.Context, settings ...string) (loadResult, error) {
	script := filepath.Join(b.ledger.Dir(), "k6.js")
	if err := os.WriteFile(script, []byte(k6Script), 0o600); err != nil {
		return loadResult{}, err
	}
	args := []string{"run", "--quiet", "--no-color", "--no-usage-report", "--address="}
	for _, s := range append(settings, "URL="+b.url+"/me", "VUS="+strconv.Itoa(loadConnections)) {
		args = append(args, "-e", s)
	}
	out, cpu, err := b.command(ctx, "k6", b.tools["k6"], append(args, script), "K6_AUTO_EXTENSION_RESOLUTION=false")
	if err != nil {
		return loadResult{}, err
	}
	var s struct {
		Requests, Dropped, Failed int64
		Milliseconds              float64
	}
	text := string(out)
	if err := json.Unmarshal([]byte(text[max(strings.IndexByte(text, '{'), 0):]), &s); err != nil {
		return loadResult{}, fmt.Errorf("its summary %q: %w", text, err)
	}
	return loadResult{requests: s.Requests, seconds: s.Milliseconds / 1000, cpu: cpu, dropped: s.Dropped, failed: s.Failed}, nil
}
