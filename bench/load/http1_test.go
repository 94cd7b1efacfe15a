package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// parseIn feeds a response in pieces and returns what was understood.
func parseIn(pieces ...string) (r response, body, route string, whole bool, err error) {
	buf := make([]byte, maxResponse)
	filled := 0
	r.reset()
	for _, p := range pieces {
		filled += copy(buf[filled:], p)
		if whole, err = r.parse(buf[:filled]); whole || err != nil {
			break
		}
	}
	return r, string(r.body.of(buf)), string(r.route.of(buf)), whole, err
}

const okHead = "HTTP/1.1 200 OK\r\nServer: x\r\n"

var goodResponses = []struct {
	name, text  string
	status      int
	body, route string
	close       bool
}{
	{"length", okHead + "Content-Length: 5\r\n\r\nhello", 200, "hello", "", false},
	{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", "", false},
	{"empty body", okHead + "content-length:0\r\n\r\n", 200, "", "", false},
	{"no reason", "HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", 503, "", "", false},
	{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", "", false},
	{"same length twice", okHead + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 200, "ab", "", false},
	{"close", okHead + "Connection: keep-alive, Close\r\nContent-Length: 1\r\n\r\na", 200, "a", "", true},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", "", true},
	{"route cookie", okHead + "Set-Cookie: session=abc\r\nSET-COOKIE: route=r2; Path=/; HttpOnly\r\nContent-Length: 1\r\n\r\na",
		200, "a", "r2", false},
	{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okHead + "Content-Length: 1\r\n\r\na", 200, "a", "", false},
	{"chunks", okHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", 200, "hello world", "", false},
	{"chunks and trailer", okHead + "Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 200, "0123456789", "", false},
	{"no chunk", okHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", "", false},
}

func TestResponseSplitAtEveryByte(t *testing.T) {
	for _, g := range goodResponses {
		for cut := range len(g.text) {
			r, body, route, whole, err := parseIn(g.text[:cut], g.text[cut:])
			if err != nil || !whole || r.status != g.status || body != g.body || route != g.route || r.close != g.close || r.pos != len(g.text) {
				t.Fatalf("%s, cut at %d: whole %v, error %v, %+v, body %q, route %q", g.name, cut, whole, err, r, body, route)
			}
			if _, _, _, whole, err := parseIn(g.text[:cut]); whole || err != nil {
				t.Fatalf("%s: the first %d bytes alone: whole %v, error %v", g.name, cut, whole, err)
			}
		}
		if r, body, _, whole, err := parseIn(strings.Split(g.text, "")...); err != nil || !whole || body != g.body || r.pos != len(g.text) {
			t.Errorf("%s, byte by byte: whole %v, error %v, body %q", g.name, whole, err, body)
		}
	}
}

func TestResponseUntilTheConnectionEnds(t *testing.T) {
	r, body, _, whole, err := parseIn(okHead+"\r\nhel", "lo")
	if whole || err != nil || body != "hello" || !r.ended() || !r.close {
		t.Errorf("whole %v, error %v, body %q, %+v", whole, err, body, r)
	}
	r, _, _, _, _ = parseIn(okHead + "Content-Length: 5\r\n\r\nhel")
	if r.ended() {
		t.Error("a body cut short passes for a whole one")
	}
}

func TestMalformedResponses(t *testing.T) {
	for name, text := range map[string]string{
		"garbage":              "hello\r\n",
		"other protocol":       "HTTP/2.0 200 OK\r\n",
		"bare LF":              "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"status of two digits": "HTTP/1.1 20 OK\r\n",
		"status of four":       "HTTP/1.1 2000 OK\r\n",
		"status below 100":     "HTTP/1.1 099 OK\r\n",
		"switching protocols":  "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"no colon":             okHead + "Content-Length\r\n",
		"blank before colon":   okHead + "Content-Length : 5\r\n",
		"folded line":          okHead + " folded: x\r\n",
		"control character":    okHead + "X: a\x00b\r\n",
		"lone CR":              okHead + "X: a\rb\r\n",
		"negative length":      okHead + "Content-Length: -1\r\n",
		"length with sign":     okHead + "Content-Length: +1\r\n",
		"empty length":         okHead + "Content-Length:\r\n",
		"list of lengths":      okHead + "Content-Length: 1, 1\r\n",
		"two lengths":          okHead + "Content-Length: 1\r\nContent-Length: 2\r\n",
		"length of ten digits": okHead + "Content-Length: 1000000000\r\n",
		"body over the bound":  okHead + "Content-Length: 65536\r\n\r\n",
		"length and chunks":    okHead + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"chunks in HTTP/1.0":   "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"other encoding":       okHead + "Transfer-Encoding: gzip, chunked\r\n",
		"chunked twice":        okHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"chunk without size":   okHead + "Transfer-Encoding: chunked\r\n\r\n\r\n",
		"chunk of size x":      okHead + "Transfer-Encoding: chunked\r\n\r\nx\r\n",
		"chunk over the bound": okHead + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
		"chunk too long":       okHead + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	} {
		if r, _, _, whole, err := parseIn(text); err == nil {
			t.Errorf("%s: accepted: whole %v, %+v", name, whole, r)
		}
	}
}

// What the parser accepts means the same to net/http, and however it is cut.
func FuzzResponse(f *testing.F) {
	for _, g := range goodResponses {
		f.Add(g.text, uint16(len(g.text)/2))
	}
	f.Fuzz(func(t *testing.T, text string, cut uint16) {
		if len(text) > maxResponse {
			return
		}
		r, body, route, whole, err := parseIn(text)
		at := int(cut) % (len(text) + 1)
		r2, body2, route2, whole2, err2 := parseIn(text[:at], text[at:])
		if whole != whole2 || (err == nil) != (err2 == nil) || err == nil && (r != r2 || body != body2 || route != route2) {
			t.Fatalf("whole: %+v %q %q %v %v\ncut at %d: %+v %q %q %v %v", r, body, route, whole, err, at, r2, body2, route2, whole2, err2)
		}
		if !whole || strings.HasPrefix(text, "HTTP/1.1 1") || strings.HasPrefix(text, "HTTP/1.0 1") {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		stdBody, err := io.ReadAll(std.Body)
		if err != nil || std.StatusCode != r.status || string(stdBody) != body {
			t.Fatalf("net/http reads %d %q (%v), we read %d %q", std.StatusCode, stdBody, err, r.status, body)
		}
	})
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		body, sub, replica string
		ok                 bool
	}{
		{`{"sub":"user-000001","role":"user","replica":"r1"}`, "user-000001", "r1", true},
		{" {\n \"replica\" : \"r2\" , \"sub\" : \"a\" }\n", "a", "r2", true},
		{`{"x":{"sub":"b","y":["}"]},"sub":"a","n":-1.5e3,"t":true}`, "a", "", true},
		{`{"sub":"a\"b"}`, `a\"b`, "", true},
		{`{}`, "", "", true},
		{`{"sub":7}`, "", "", true},
		{``, "", "", false},
		{`[]`, "", "", false},
		{`"sub"`, "", "", false},
		{`{"sub":"a"`, "", "", false},
		{`{"sub":"a`, "", "", false},
		{`{"sub"`, "", "", false},
		{`{"sub":`, "", "", false},
		{`{"sub":"a" "replica":"b"}`, "a", "", false},
		{`{"sub":"a","sub":"b"}`, "a", "", false},
		{`{sub:"a"}`, "", "", false},
	} {
		sub, replica, ok := identity([]byte(c.body))
		if ok != c.ok || ok && (string(sub) != c.sub || string(replica) != c.replica) {
			t.Errorf("%s: %q, %q, %v", c.body, sub, replica, ok)
		}
	}
	for _, c := range []struct {
		written, text string
		same          bool
	}{{"a", "a", true}, {"a", "b", false}, {"", "", true}, {`\u0061`, "a", true}, {`a\"`, `a"`, true}, {`\`, `\`, false}} {
		if names([]byte(c.written), c.text) != c.same {
			t.Errorf("names(%s, %s) is not %v", c.written, c.text, c.same)
		}
	}
}

// Of a valid object, identity sees the same members as encoding/json.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"sub":"user-000001","role":"user","replica":"r1"}`))
	f.Add([]byte(`{"x":{"sub":"b"},"sub":"a\u0062","n":[1,{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sub, _, ok := identity(body)
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil || object == nil || bytes.Contains(body, []byte{'\\'}) {
			return // escapes may spell the name itself
		}
		if !ok {
			if bytes.Count(body, []byte(`"sub"`)) < 2 && bytes.Count(body, []byte(`"replica"`)) < 2 {
				t.Fatalf("an object is refused: %s", body)
			}
			return
		}
		var want string
		raw, there := object["sub"]
		isText := there && json.Unmarshal(raw, &want) == nil && raw[0] == '"'
		if isText != (sub != nil) || isText && !names(sub, want) && !strings.ContainsRune(want, '\ufffd') {
			t.Fatalf("%s: sub is %q, want %q (%v)", body, sub, want, isText)
		}
	})
}
