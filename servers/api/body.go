package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// maxBody is more than the longest name and two passwords take.
const maxBody = 4 << 10

// readFields reads a body that is one JSON object with exactly these fields,
// whose values have the given kind. If it is bad, readFields has answered.
func readFields[V string | bool](w http.ResponseWriter, r *http.Request, names ...string) (map[string]V, bool) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		writeProblem(w, http.StatusUnsupportedMediaType, "send application/json")
		return nil, false
	}
	fields, err := decodeFields[V](http.MaxBytesReader(w, r.Body, maxBody), names...)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeProblem(w, http.StatusRequestEntityTooLarge, "the body may have at most 4096 bytes")
		return nil, false
	case errors.Is(err, errField):
		writeProblem(w, http.StatusBadRequest, "want these fields only, each at most once and exactly so spelt: "+strings.Join(names, ", "))
		return nil, false
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body is not as expected: "+err.Error())
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
func decodeFields[V string | bool](body io.Reader, names ...string) (map[string]V, error) {
	dec := json.NewDecoder(body)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, orTooLarge(err, errNotObject)
	}
	fields := make(map[string]V, len(names))
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, orTooLarge(err, errNotObject)
		}
		name, _ := key.(string)
		if _, twice := fields[name]; twice || !slices.Contains(names, name) {
			return nil, errField
		}
		token, err := dec.Token()
		if err != nil {
			return nil, orTooLarge(err, errNotObject)
		}
		value, ok := token.(V)
		if !ok {
			return nil, errKind
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, orTooLarge(err, errNotObject)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, orTooLarge(err, errTrailing)
	}
	return fields, nil
}

// orTooLarge keeps the error that says that the body was cut off, and replaces
// any other, whose text may quote the body.
func orTooLarge(err, otherwise error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return otherwise
}
