package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"authbench/servers/jsontext"
)

// maxBody is more than the longest name and two passwords take.
const maxBody = 4 << 10

// readBody reads a body that says that it is JSON, and whose text is sound: what
// every reader of bodies begins with. If it is bad, readBody has answered.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset, named := params["charset"]; err != nil || media != "application/json" || named && !strings.EqualFold(charset, "utf-8") {
		writeProblem(w, http.StatusUnsupportedMediaType, "send application/json, in UTF-8")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeProblem(w, http.StatusRequestEntityTooLarge, "the body may have at most 4096 bytes")
		return nil, false
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body ends before its time")
		return nil, false
	}
	if err := jsontext.Check(body); err != nil {
		badBody(w, err)
		return nil, false
	}
	return body, true
}

// badBody answers what is wrong with a body.
func badBody(w http.ResponseWriter, err error) {
	writeProblem(w, http.StatusBadRequest, "the body is not as expected: "+err.Error())
}

// readFields reads a body that is one JSON object with exactly these fields,
// whose values have the given kind. If it is bad, readFields has answered.
func readFields[V string | bool | json.Number](w http.ResponseWriter, r *http.Request, names ...string) (map[string]V, bool) {
	body, ok := readBody(w, r)
	if !ok {
		return nil, false
	}
	fields, err := decodeFields[V](body, names...)
	switch {
	case errors.Is(err, errField):
		writeProblem(w, http.StatusBadRequest, "want these fields only, each at most once and exactly so spelt: "+strings.Join(names, ", "))
		return nil, false
	case err != nil:
		badBody(w, err)
		return nil, false
	}
	return fields, true
}

// These describe a body's fault without quoting it: what a client sends
// beside a password does not belong into an answer or a log.
var (
	errNotObject = errors.New("want one JSON object")
	errField     = errors.New("another field, or one twice")
	errKind      = errors.New("a value is of another type than expected")
	errTrailing  = errors.New("something follows the JSON object")
)

// decodeFields reads one JSON object whose fields have the given names and the
// type V. encoding/json itself would accept names in other case and take the
// last of two fields of one name, so two readers could see different bodies.
func decodeFields[V string | bool | json.Number](body []byte, names ...string) (map[string]V, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	fields := make(map[string]V, len(names))
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, errNotObject
		}
		name, _ := key.(string)
		if _, twice := fields[name]; twice || !slices.Contains(names, name) {
			return nil, errField
		}
		token, err := dec.Token()
		if err != nil {
			return nil, errNotObject
		}
		value, ok := token.(V)
		if !ok {
			return nil, errKind
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errTrailing
	}
	return fields, nil
}
