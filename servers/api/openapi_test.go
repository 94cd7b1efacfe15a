package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// document is openapi.yaml.
type document map[string]any

func readDocument(t *testing.T) document {
	t.Helper()
	file, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// By way of JSON, so that there is one kind of map and of number.
	var d document
	text, err := yaml.YAMLToJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows keys, and references on the way.
func (d document) at(v any, keys ...string) map[string]any {
	m, _ := v.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		m = d.at(map[string]any(d), strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	if len(keys) == 0 {
		return m
	}
	return d.at(m[keys[0]], keys[1:]...)
}

// routes lists "METHOD /path" with the statuses that each may answer.
func (d document) routes() map[string]map[string]any {
	routes := make(map[string]map[string]any)
	for path, methods := range d.at(map[string]any(d), "paths") {
		for method := range methods.(map[string]any) {
			routes[strings.ToUpper(method)+" "+path] = d.at(methods, method, "responses")
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
	if diff := cmp.Diff(slices.Sorted(maps.Keys(readDocument(t).routes())), slices.Sorted(maps.Keys(served))); diff != "" {
		t.Errorf("routes (-documented +served):\n%s", diff)
	}
}

// checkAnswer says in what an answer differs from what is documented for it.
func (d document) checkAnswer(route string, r *http.Response, body string) error {
	answer := d.at(d.routes()[route][fmt.Sprint(r.StatusCode)])
	if answer == nil {
		return fmt.Errorf("status %d is not documented", r.StatusCode)
	}
	for _, name := range []string{"Set-Cookie", "Retry-After", "X-Revocation-Bound", "X-Replica"} {
		schema := d.at(answer, "headers", name, "schema")
		if schema == nil && r.Header.Get(name) != "" {
			return fmt.Errorf("header %s is not documented", name)
		}
		if value := r.Header.Get(name); value != "" && schema["type"] == "integer" {
			if err := d.check(schema, json.Number(value)); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	media := r.Header.Get("Content-Type")
	if len(d.at(answer, "content")) == 0 {
		if body != "" {
			return fmt.Errorf("a body where none is documented")
		}
		return nil
	}
	schema := d.at(answer, "content", media, "schema")
	if schema == nil {
		return fmt.Errorf("media type %q is not documented", media)
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return err
	}
	return d.check(schema, value)
}

// check holds a value to the part of JSON Schema that openapi.yaml uses; a word
// that it does not know is an error, so that nothing goes unchecked.
func (d document) check(schema map[string]any, value any) error {
	for word, want := range schema {
		var err error
		switch word {
		case "type":
			err = checkType(want.(string), value)
		case "enum":
			if !slices.Contains(want.([]any), value) {
				err = fmt.Errorf("%v is not one of %v", value, want)
			}
		case "minimum":
			if n, _ := value.(json.Number).Float64(); n < want.(float64) {
				err = fmt.Errorf("%v is less than %v", value, want)
			}
		case "minLength", "maxLength":
			n := float64(len(value.(string)))
			if limit := want.(float64); word == "minLength" && n < limit || word == "maxLength" && n > limit {
				err = fmt.Errorf("%q has a length outside of %s %v", value, word, limit)
			}
		case "format":
			_, err = time.Parse(time.RFC3339, value.(string))
		case "items":
			for _, item := range value.([]any) {
				err = errors.Join(err, d.check(d.at(want), item))
			}
		case "required":
			for _, name := range want.([]any) {
				if _, ok := value.(map[string]any)[name.(string)]; !ok {
					err = fmt.Errorf("%s is missing", name)
				}
			}
		case "properties":
			for name, v := range value.(map[string]any) {
				if s := d.at(want, name); s != nil {
					err = errors.Join(err, d.check(s, v))
				} else if schema["additionalProperties"] == false {
					err = fmt.Errorf("%s is not documented", name)
				}
			}
		case "additionalProperties", "description":
		default:
			err = fmt.Errorf("openapi.yaml uses %q, which this test does not check", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkType(want string, value any) error {
	ok := false
	switch v := value.(type) {
	case string:
		ok = want == "string"
	case bool:
		ok = want == "boolean"
	case json.Number:
		_, err := v.Int64()
		ok = want == "number" || want == "integer" && err == nil
	case []any:
		ok = want == "array"
	case map[string]any:
		ok = want == "object"
	}
	if !ok {
		return fmt.Errorf("%v is no %s", value, want)
	}
	return nil
}
