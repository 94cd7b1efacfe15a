package trial

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCredentialsAreReadInEveryForm(t *testing.T) {
	want := []Credential{{User: "a", Header: "Bearer x"}, {User: "b", Cookies: map[string]string{"session": "y"}}, {User: "c"}}
	list, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"our own list": string(list),
		"lines":        `{"user":"a","header":"Bearer x"}` + "\n" + `{"user":"b","cookies":{"session":"y"}}` + "\n\n" + `{"user":"c"}`,
		"minted lines": `{"user":"a","credential":"x","kind":"bearer"}` + "\n" +
			`{"user":"b","credential":"y","kind":"cookie","name":"session"}` + "\n" +
			`{"user":"c","credential":"","kind":"none"}` + "\n",
		"minted list": "\n [" + `{"user":"a","credential":"x","kind":"bearer"},` +
			`{"user":"b","credential":"y","kind":"cookie","name":"session"},{"user":"c","kind":"none"}` + "]\n",
	} {
		got, err := ReadCredentials(strings.NewReader(text))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	for _, nothing := range []string{"", " \n", "[]"} {
		if got, err := ReadCredentials(strings.NewReader(nothing)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v; want none", nothing, got, err)
		}
	}
}

// An error tells which credential it is about, and never shows it.
func TestDamagedCredentialsAreRefused(t *testing.T) {
	const good = `{"user":"a","header":"Bearer s3cret"}`
	for text, want := range map[string]string{
		good + "\n" + `{"user":"b","header":"Bearer s3c`: "credential 2: the input ends in the middle",
		"[" + good + ",":         "credential 2: the input ends in the middle",
		"[" + good:               "the list is not closed after credential 1",
		"[" + good + "] " + good: "after the list of 1 credentials",
		good + "\n" + `{"user":"b","haeder":"Bearer s3cret"}`: `credential 2: json: unknown field "haeder"`,
		good + "\n{}":                        "credential 2: it is empty",
		`{"user":"a","header":7}`:            "credential 1: json: cannot unmarshal number",
		"user,token\na,s3cret\n":             "credential 1: invalid character",
		`"s3cret"`:                           "credential 1: json: cannot unmarshal string",
		`{"user":"a","credential":"s3cret"}`: `credential 1: kind "": want`,
		`{"user":"a","credential":"s3cret","kind":"basic"}`:                   `credential 1: kind "basic": want`,
		`{"user":"a","credential":"s3cret","kind":"cookie"}`:                  `credential 1: kind "cookie": want`,
		`{"user":"a","credential":"s3cret","kind":"bearer","header":"Basic"}`: "do not go with",
		"\x1f\x8b\x08\x00s3cret":                                              "credential 1: invalid character",
	} {
		got, err := ReadCredentials(strings.NewReader(text))
		if err == nil {
			t.Errorf("%q gives %v, want an error with %q", text, got, want)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %q, want %q and no secret", text, err, want)
		}
	}
}
