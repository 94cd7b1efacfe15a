package jsontext_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"authbench/servers/jsontext"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]error{
		``: nil, `{"a":"ü😀"}`: nil, `"\ufffd"`: nil, "\"\ufffd\"": nil, `"\u0000"`: nil, `"\ud83d\ude00"`: nil, `"\uD83D\uDE00x"`: nil,
		`"\\ud800"`: nil, `"\\\\ud800"`: nil, `"\"\u0041"`: nil, `"\ud7ff\ue000"`: nil, `\`: nil, `"\u12`: nil, `"\uzzzz"`: nil,
		"\"\xff\"": jsontext.ErrUTF8, "\xfe": jsontext.ErrUTF8, "{\"\xc3\":1}": jsontext.ErrUTF8,
		"\"\xed\xa0\x80\"": jsontext.ErrUTF8, // a surrogate, encoded as if it were a character
		"\"\xc0\x80\"":     jsontext.ErrUTF8, // NUL in two bytes
		`"\ud800"`:         jsontext.ErrSurrogate, `"\uD800x"`: jsontext.ErrSurrogate, `"\udc00"`: jsontext.ErrSurrogate,
		`{"\udfff":1}`:   jsontext.ErrSurrogate,
		`"\ude00\ud83d"`: jsontext.ErrSurrogate, `"\ud800\ud800"`: jsontext.ErrSurrogate, `"\ud83d\n\ude00"`: jsontext.ErrSurrogate,
		`"\ud83d\u0041"`: jsontext.ErrSurrogate, `"\\\ud800"`: jsontext.ErrSurrogate, `"\ud83d\ude00\ude00"`: jsontext.ErrSurrogate,
		`"\ud83`: nil,
	} {
		if err := jsontext.Check([]byte(text)); !errors.Is(err, want) {
			t.Errorf("Check(%q): %v, want %v", text, err, want)
		}
	}
}

// FuzzCheck holds what passes to encoding/json: it has found nothing there that
// it would have to replace.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`a`, `\ud800`, `\ud83d\ude00`, `\\ud800`, "\xff", `\ufffd`, `\u0000`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := []byte(`"` + s + `"`)
		var read string
		if json.Unmarshal(text, &read) != nil {
			return
		}
		asked := strings.Count(s, "\ufffd") + strings.Count(strings.ToLower(s), `\ufffd`)
		if passed, replaced := jsontext.Check(text) == nil, strings.Count(read, "\ufffd") > asked; passed && replaced {
			t.Errorf("%q passes and is read as %q", text, read)
		} else if !passed && strings.Count(read, "\ufffd") == 0 {
			t.Errorf("%q is refused and is read as %q, without loss", text, read)
		}
	})
}
