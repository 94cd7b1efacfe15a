// Package deploy has nothing but tests: of docker-compose.yml and of what
// Prometheus and Grafana are given, as far as files can be judged without an
// engine.
package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// project is what these tests read of docker-compose.yml. Anchors and merges
// are resolved when it is decoded.
type project struct {
	Services map[string]service        `yaml:"services"`
	Networks map[string]map[string]any `yaml:"networks"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type service struct {
	Image       string              `yaml:"image"`
	Build       map[string]string   `yaml:"build"`
	User        string              `yaml:"user"`
	Profiles    []string            `yaml:"profiles"`
	ReadOnly    bool                `yaml:"read_only"`
	CapDrop     []string            `yaml:"cap_drop"`
	CapAdd      []string            `yaml:"cap_add"`
	SecurityOpt []string            `yaml:"security_opt"`
	Privileged  bool                `yaml:"privileged"`
	NetworkMode string              `yaml:"network_mode"`
	PID         string              `yaml:"pid"`
	Networks    []string            `yaml:"networks"`
	Ports       []string            `yaml:"ports"`
	Volumes     []string            `yaml:"volumes"`
	Environment map[string]string   `yaml:"environment"`
	Healthcheck map[string]any      `yaml:"healthcheck"`
	DependsOn   map[string]struct{} `yaml:"depends_on"`
	Deploy      struct {
		Resources struct {
			Limits map[string]any `yaml:"limits"`
		} `yaml:"resources"`
	} `yaml:"deploy"`
}

func compose(t *testing.T) project {
	t.Helper()
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var p project
	if err := yaml.Unmarshal(text, &p); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return p
}

var (
	pinned    = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?$`)
	published = regexp.MustCompile(`^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$`)
	nonRoot   = regexp.MustCompile(`^[1-9]\d*:\d+$`)
)

func TestEveryServiceIsHardened(t *testing.T) {
	for name, s := range compose(t).Services {
		if !s.ReadOnly || strings.Join(s.CapDrop, " ") != "ALL" || strings.Join(s.SecurityOpt, " ") != "no-new-privileges:true" {
			t.Errorf("%s: read_only %v, cap_drop %v, security_opt %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if len(s.CapAdd) > 0 || s.Privileged || s.PID != "" || s.NetworkMode == "host" {
			t.Errorf("%s has more rights than it needs", name)
		}
		if !nonRoot.MatchString(s.User) && name != "cadvisor" {
			t.Errorf("%s: user %q, want numbers, and not root's", name, s.User)
		}
		for _, limit := range []string{"cpus", "memory", "pids"} {
			if s.Deploy.Resources.Limits[limit] == nil {
				t.Errorf("%s has no limit of %s", name, limit)
			}
		}
		if s.Healthcheck["test"] == nil && name != "k6" { // which ends by itself
			t.Errorf("%s has no health check", name)
		}
		for _, v := range s.Volumes {
			if (strings.HasPrefix(v, ".") || strings.HasPrefix(v, "/")) && !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s may write to the host's %s", name, v)
			}
		}
	}
}

func TestImagesArePinned(t *testing.T) {
	for name, s := range compose(t).Services {
		if s.Image != "authbench/server:local" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, s.Image)
		}
	}
	dockerfile, err := os.ReadFile("compose/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(dockerfile), -1) {
		if from[1] != "scratch" && !pinned.MatchString(from[1]) {
			t.Errorf("Dockerfile: %q is not pinned to a version", from[1])
		}
	}
}

func TestOnlyTheFrontIsPublished(t *testing.T) {
	p := compose(t)
	ports := map[string]int{"nginx": 4, "prometheus": 1, "grafana": 1}
	for name, s := range p.Services {
		if len(s.Ports) != ports[name] {
			t.Errorf("%s publishes %v, want %d ports", name, s.Ports, ports[name])
		}
		for _, port := range s.Ports {
			if !published.MatchString(port) {
				t.Errorf("%s publishes %q, want loopback and a port that can be set", name, port)
			}
		}
		for _, network := range s.Networks {
			if network != "back" && ports[name] == 0 {
				t.Errorf("%s is on the network %s, and has no business there", name, network)
			}
		}
		if len(s.Networks) == 0 && s.NetworkMode != "service:nginx" {
			t.Errorf("%s is on the default network, which leads out", name)
		}
	}
	if p.Networks["back"]["internal"] != true {
		t.Error("the network back leads out")
	}
}

// TestReplicas compares the replicas with each other, and their ports with
// nginx' configuration, which knows replicas apart by them.
func TestReplicas(t *testing.T) {
	conf, err := os.ReadFile("compose/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	p := compose(t)
	for _, kind := range []string{"session", "jwt"} {
		base := map[string]string{"session": "800", "jwt": "801"}[kind]
		for _, i := range []string{"1", "2", "3"} {
			name := kind + "-" + i
			env := p.Services[name].Environment
			if env["AUTHBENCH_AUTH"] != kind || env["AUTHBENCH_REPLICA"] != "r"+i || env["AUTHBENCH_LISTEN"] != "0.0.0.0:"+base+i {
				t.Errorf("%s: auth %q, replica %q, listen %q", name, env["AUTHBENCH_AUTH"], env["AUTHBENCH_REPLICA"], env["AUTHBENCH_LISTEN"])
			}
			if !strings.Contains(string(conf), "server "+name+":"+base+i+" max_fails=0;") {
				t.Errorf("nginx.conf does not know %s:%s", name, base+i)
			}
			if p.Services[name].Image != p.Services["session-1"].Image {
				t.Errorf("%s has an image of its own", name)
			}
		}
	}
	if strings.Contains(string(conf), ":9090") {
		t.Error("nginx.conf leads to a private listener")
	}
}

// TestMountedFilesExist catches what an engine would make an empty folder of.
func TestMountedFilesExist(t *testing.T) {
	for name, s := range compose(t).Services {
		for _, v := range s.Volumes {
			if source, _, _ := strings.Cut(v, ":"); strings.HasPrefix(source, ".") {
				if _, err := os.Stat(filepath.Join("..", source)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}
