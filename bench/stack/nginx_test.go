package stack

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/trial"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestNginxConfigurations(t *testing.T) {
	for _, b := range trial.Balancers() {
		c := nginxConfig{Dir: "/run/x", Listen: "127.0.0.1:8000", Status: "127.0.0.1:8001", Balancer: b, Files: 65536, Connections: 8192,
			Replicas: []upstream{{"r1", "127.0.0.1:9001"}, {"r2", "127.0.0.1:9002"}, {"r3", "127.0.0.1:9003"}}}
		got, err := c.render()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", string(b)+".conf")
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
}
