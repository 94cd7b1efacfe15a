package deploy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// fromCAdvisor are the metrics that cAdvisor is asked for: see its README,
// docs/storage/prometheus.md.
var fromCAdvisor = []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"}

type dashboard struct {
	UID    string
	Panels []struct {
		Title      string
		Datasource struct{ UID string }
		Targets    []struct{ Expr string }
	}
}

// TestDashboardAsksForWhatThereIs starts a server and compares what it says at
// /metrics with what the panels ask for.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("grafana/dashboards/authbench.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("dashboard: %v", err)
	}
	known := serverMetrics(t)
	for _, name := range fromCAdvisor {
		known[name] = true
	}
	source := datasource(t)
	// In these queries every name with an underscore that is neither a label nor a function is a metric.
	names := regexp.MustCompile(`\b(authbench|process|go|container)_[a-z0-9_]+\b`)
	asked := 0
	for _, p := range d.Panels {
		if p.Datasource.UID != source {
			t.Errorf("%s: data source %q, want %q", p.Title, p.Datasource.UID, source)
		}
		for _, target := range p.Targets {
			found := 0
			for _, name := range names.FindAllString(target.Expr, -1) {
				if strings.HasPrefix(name, "container_label_") {
					continue
				}
				found++
				if !known[name] {
					t.Errorf("%s: nobody exports %s", p.Title, name)
				}
			}
			if found == 0 {
				t.Errorf("%s: no metric in %s", p.Title, target.Expr)
			}
			asked += found
		}
	}
	if asked < 10 {
		t.Errorf("the dashboard asks for %d metrics: is it read at all?", asked)
	}
}

func datasource(t *testing.T) string {
	text, err := os.ReadFile("grafana/provisioning/datasources/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Datasources []struct{ UID string } `yaml:"datasources"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Datasources) != 1 {
		t.Fatalf("data sources: %v, %v", file, err)
	}
	return file.Datasources[0].UID
}

// serverMetrics builds and starts a server, sends it a log-in, and returns the
// names of its series.
func serverMetrics(t *testing.T) map[string]bool {
	binary := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../servers").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-listen", "127.0.0.1:0", "-auth", "session", "-seed-users", "1",
		"-argon2", "m=64,t=1,p=1", "-insecure-cookies")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var at struct{ Listen, Private string }
	if err != nil || json.Unmarshal(line, &at) != nil {
		t.Fatalf("the server said %q: %v", line, err)
	}
	login := strings.NewReader(`{"username":"user-000000","password":"correct horse battery staple"}`)
	resp, err := http.Post("http://"+at.Listen+"/login", "application/json", login)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("log-in: %v, %v", resp, err)
	}
	resp.Body.Close()
	if resp, err = http.Get("http://" + at.Private + "/metrics"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9_]*)[{ ]`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = true
	}
	return known
}

// TestPrometheusAsksEveryReplica compares its targets with the services.
func TestPrometheusAsksEveryReplica(t *testing.T) {
	text, err := os.ReadFile("prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Jobs []struct {
			Name    string `yaml:"job_name"`
			Configs []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	services := compose(t).Services
	replicas := 0
	for _, job := range file.Jobs {
		for _, c := range job.Configs {
			for _, target := range c.Targets {
				name, port, _ := strings.Cut(target, ":")
				env := services[name].Environment
				if services[name].Image == "" || env != nil && env["AUTHBENCH_PRIVATE"] != "0.0.0.0:"+port {
					t.Errorf("job %s: nobody answers at %s", job.Name, target)
				}
				if env != nil && !slices.Contains(strings.Split(env["AUTHBENCH_PRIVATE_HOSTS"], ","), name) {
					t.Errorf("job %s: %s does not answer by that name, but by %q", job.Name, name, env["AUTHBENCH_PRIVATE_HOSTS"])
				}
				if env["AUTHBENCH_AUTH"] == job.Name {
					replicas++
				}
			}
		}
	}
	if replicas != 6 {
		t.Errorf("%d replicas are asked, want 6", replicas)
	}
}
