package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// FuzzBody holds the strict reader of bodies to encoding/json: what it accepts
// the library accepts too, with the same meaning.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"username":"ada","password":"secret"}`, `{}`, `{"username":"ada","username":"eve"}`, `{"Username":"ada"}`, `{"username":null}`,
		`{"username":"a"} `, `{"username":"a"}{}`, `[]`, ``, `{"username":"\ud800"}`, "{\"username\":\"\xff\"}", `{"username":{"a":"b"}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := decodeFields[string]([]byte(s), "username", "password")
		if err != nil {
			if strings.Contains(err.Error(), s) && len(s) > 20 {
				t.Errorf("the error quotes the body: %v", err)
			}
			return
		}
		var want map[string]string
		if err := json.Unmarshal([]byte(s), &want); err != nil || !maps.Equal(fields, want) {
			t.Errorf("%q is read as %v, by encoding/json as %v, %v", s, fields, want, err)
		}
		for name := range fields {
			if name != "username" && name != "password" {
				t.Errorf("%q: field %q", s, name)
			}
		}
	})
}

// FuzzCredential looks for credentials in any two headers: one that is there
// twice is never taken, and none comes from where it is not carried.
func FuzzCredential(f *testing.F) {
	for _, s := range [][2]string{
		{"__Host-session=x", ""}, {"", "Bearer x"}, {"__Host-session=x; __Host-session=y", ""}, {"__Host-session=x", "bearer y"},
		{"a=b;__Host-session=x", "Basic y"}, {"=;;==; __Host-session", "Bearer"}, {"\"__Host-session=x\"", "BEARER  x"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, cookie, authorization string) {
		r := &http.Request{Header: http.Header{"Cookie": {cookie}, "Authorization": {authorization}}}
		inCookie, one := Transport{Carrier: CarrierCookie, Cookie: "session"}.credential(r, "__Host-session")
		inHeader, same := Transport{Carrier: CarrierHeader, Cookie: "session"}.credential(r, "__Host-session")
		if one != same || !one && inCookie+inHeader != "" || inCookie != "" && inHeader != "" {
			t.Errorf("cookie %q, authorization %q: %q (%v) and %q (%v)", cookie, authorization, inCookie, one, inHeader, same)
		}
		if !strings.Contains(cookie, string(inCookie)) || !strings.Contains(authorization, string(inHeader)) {
			t.Errorf("a credential from nowhere: %q, %q", inCookie, inHeader)
		}
		again := &http.Request{Header: http.Header{"Cookie": {cookie, cookie}}}
		if c, ok := (Transport{Carrier: CarrierCookie}).credential(again, "__Host-session"); inCookie != "" && (ok || c != "") {
			t.Errorf("%q sent twice: %q", cookie, c)
		}
	})
}
