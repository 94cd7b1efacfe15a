package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"authbench/servers/account"
)

// maxLoginBody is more than the longest name and password take.
const maxLoginBody = 4 << 10

// readLogin reads and checks the form of a log-in. If it is bad, readLogin has
// answered.
func readLogin(w http.ResponseWriter, r *http.Request) (name, password string, ok bool) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		writeProblem(w, http.StatusUnsupportedMediaType, "send application/json")
		return "", "", false
	}
	fields, err := decodeStrings(http.MaxBytesReader(w, r.Body, maxLoginBody), "username", "password")
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeProblem(w, http.StatusRequestEntityTooLarge, "a log-in has at most 4096 bytes")
		return "", "", false
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body is not as expected: "+err.Error())
		return "", "", false
	}
	name, password = fields["username"], fields["password"]
	if err := account.CheckForm(name, password); err != nil {
		writeProblem(w, http.StatusUnprocessableEntity, err.Error())
		return "", "", false
	}
	return name, password, true
}

// These describe a body's fault without quoting it: what a client sends
// beside a password does not belong into an answer or a log.
var (
	errNotObject = errors.New("want one JSON object")
	errField     = errors.New("want the fields username and password only, each once and exactly so spelt")
	errNotString = errors.New("want strings as values")
	errTrailing  = errors.New("something follows the JSON object")
)

// decodeStrings reads one JSON object whose fields are strings with the given
// names. encoding/json itself would accept names in other case and take the
// last of two fields of one name, so two readers could see different log-ins.
func decodeStrings(body io.Reader, names ...string) (map[string]string, error) {
	dec := json.NewDecoder(body)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, orTooLarge(err, errNotObject)
	}
	fields := make(map[string]string, len(names))
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, orTooLarge(err, errNotObject)
		}
		name, _ := key.(string)
		if _, twice := fields[name]; twice || !slices.Contains(names, name) {
			return nil, errField
		}
		value, err := dec.Token()
		if err != nil {
			return nil, orTooLarge(err, errNotObject)
		}
		text, ok := value.(string)
		if !ok {
			return nil, errNotString
		}
		fields[name] = text
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
