package stack

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/trial"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestNginxConfigurations(t *testing.T) {
	for _, b := range trial.Balancers() {
		c := newNginxConfig("127.0.0.1:8000", "127.0.0.1:8001", b,
			[]Replica{{Name: "r1", upstream: "127.0.0.1:9001"}, {Name: "r2", upstream: "127.0.0.1:9002"}, {Name: "r3", upstream: "127.0.0.1:9003"}})
		c.Files, c.Connections = 65536, 8192
		golden(t, filepath.Join("testdata", string(b)+".conf"), c)
	}
}

// The top-level docker-compose.yml has both kinds of server, each behind a
// round-robin and a sticky port.
func TestComposeNginxConfiguration(t *testing.T) {
	c := nginxConfig{Status: "127.0.0.1:8099", Files: 16384, Connections: 8192}
	for i, kind := range []string{"session", "jwt"} {
		p := pool{Name: kind, Balancer: trial.RoundRobin}
		for r := 1; r <= 3; r++ {
			name := fmt.Sprintf("%s-%d", kind, r)
			p.Replicas = append(p.Replicas, upstream{Name: name, Address: fmt.Sprintf("%s:%d", name, 8000+10*i+r)})
		}
		c.Pools = append(c.Pools, p)
		c.Sites = append(c.Sites, site{Listen: fmt.Sprintf("0.0.0.0:%d", 8080+10*i), Pool: p},
			site{Listen: fmt.Sprintf("0.0.0.0:%d", 8081+10*i), Pool: p, Sticky: true})
	}
	golden(t, "../../deploy/compose/nginx.conf", c)
}

func golden(t *testing.T, file string, c nginxConfig) {
	t.Helper()
	got, err := c.render()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; if that is meant, run the test with -update:\n%s", file, d)
	}
}
