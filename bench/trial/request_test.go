package trial

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The requests of streams are those that the servers' API documents, and they
// agree with it on which of them need a credential and name its user.
func TestRequestsAreThoseDocumented(t *testing.T) {
	text, err := os.ReadFile("../../servers/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type operation struct {
		Security    []map[string][]string
		RequestBody struct {
			Content map[string]struct {
				Schema struct{ Required []string }
			}
		} `yaml:"requestBody"`
	}
	var api struct {
		Paths map[string]map[string]operation
	}
	if err := yaml.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	documented := map[string]operation{}
	for path, methods := range api.Paths {
		for method, o := range methods {
			documented[strings.ToUpper(method)+" "+path] = o
		}
	}
	var names []string
	for _, r := range Requests() {
		names = append(names, r.Name)
		o := documented[r.Name]
		open := len(o.Security) == 0 || slices.ContainsFunc(o.Security, func(m map[string][]string) bool { return len(m) == 0 })
		if r.Guarded == open {
			t.Errorf("%s: guarded is %v, documented is %v", r.Name, r.Guarded, o.Security)
		}
		for _, field := range o.RequestBody.Content["application/json"].Schema.Required {
			if !strings.Contains(r.Body, `"`+field+`":`) {
				t.Errorf("%s: the body %s lacks %s", r.Name, r.Body, field)
			}
		}
		if found, err := FindRequest(r.Name); err != nil || found != r {
			t.Errorf("FindRequest(%q) = %v, %v", r.Name, found, err)
		}
	}
	if want := slices.Sorted(maps.Keys(documented)); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("requests %q, documented are %q", names, want)
	}
}
