package trial

import (
	"encoding/json"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Format numbers the layout of run.json and of a trial's file. Whoever changes
// what an old reader would take for something else adds one. Files without a
// number are older than the number, and of format 1.
const Format = 1

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
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(b, &header); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	if f := header.Format; f != nil && *f != Format {
		return fmt.Errorf("%s is in format %d, and this build of authbench reads format %d: use the build that made it, or a newer one", path, *f, Format)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	return nil
}
