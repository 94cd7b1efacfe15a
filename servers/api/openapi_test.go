package api

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
)

var methodLine = regexp.MustCompile(`^    (get|post|put|delete):$`)

// documented reads the routes of openapi.yaml by its indentation: a path has
// two spaces before it and a method four.
func documented(t *testing.T) map[string]bool {
	file, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(file), "\npaths:\n")
	if !ok {
		t.Fatal("openapi.yaml has no paths")
	}
	routes, path := make(map[string]bool), ""
	for line := range strings.SplitSeq(rest, "\n") {
		if line != "" && line[0] != ' ' {
			break
		}
		if strings.HasPrefix(line, "  /") {
			path = strings.TrimSuffix(strings.TrimSpace(line), ":")
		} else if m := methodLine.FindStringSubmatch(line); m != nil {
			routes[strings.ToUpper(m[1])+" "+path] = true
		}
	}
	return routes
}

func TestRoutesAreThoseDocumented(t *testing.T) {
	served := make(map[string]bool)
	err := chi.Walk(newTestAPI(t, nil).router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served[method+" "+route] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(documented(t))), slices.Sorted(maps.Keys(served))); diff != "" {
		t.Errorf("routes (-documented +served):\n%s", diff)
	}
}
