package trial

import (
	"encoding/json"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Format numbers the layout of run.json and of a trial's file. Whoever changes
// what an old reader would take for something else adds one. Format 1 had one
// cell a trial, phases instead of steps, and no number at first.
const Format = 2

// decode reads a file of the run that holds one JSON value. The format comes
// first: of a layout that is not known, nothing else can be expected to fit.
func decode(path string, b []byte, v any) error {
	var whole jsontext.Value // unlike encoding/json it refuses a name that is there twice
	if err := jsonv2.Unmarshal(b, &whole); err != nil {
		return fmt.Errorf("%w: %s is not whole JSON (%v)", ErrDamaged, path, err)
	}
	if whole.Kind() != '{' {
		return fmt.Errorf("%w: %s holds no JSON object", ErrDamaged, path)
	}
	var header struct {
		Format *int            `json:"format"`
		Status json.RawMessage `json:"status"` // of a manifest
		SHA256 json.RawMessage `json:"sha256"` // of a trial
	}
	if err := json.Unmarshal(b, &header); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	f := Format // what is neither manifest nor trial is for others to refuse
	switch {
	case header.Format != nil:
		f = *header.Format
	case header.Status != nil || header.SHA256 != nil:
		f = 1 // older than the number
	}
	switch {
	case f > Format:
		return fmt.Errorf("%s is in format %d, and this build of authbench reads format %d: use a newer build", path, f, Format)
	case f < Format:
		return fmt.Errorf("%s is in format %d of an older authbench, and this build reads format %d: report it with the build of the commit "+
			"that its run.json names, or measure again", path, f, Format)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	return nil
}
