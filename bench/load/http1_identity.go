package load

import (
	"bytes"
	"encoding/json"
)

// identity reads who was answered, and by which replica, out of a small JSON
// object: the members "sub" and "replica". The values are as written, escapes
// included; nil means absent. It is false for what is not an object, and for
// one that names either member twice. It does not judge the other members.
func identity(body []byte) (sub, replica []byte, ok bool) {
	s := scanner{body}
	if !s.take('{') {
		return nil, nil, false
	}
	for !s.take('}') {
		key, isString := s.text()
		if !isString || !s.take(':') {
			return nil, nil, false
		}
		value, isString := s.text()
		if !isString && !s.skip() {
			return nil, nil, false
		}
		switch string(key) {
		case "sub":
			if sub != nil {
				return nil, nil, false
			}
			sub = value
		case "replica":
			if replica != nil {
				return nil, nil, false
			}
			replica = value
		}
		if !s.take(',') && (len(s.rest) == 0 || s.rest[0] != '}') {
			return nil, nil, false
		}
	}
	return sub, replica, true
}

// names says whether a JSON string as written is the given text.
func names(written []byte, text string) bool {
	if string(written) == text { // no allocation
		return bytes.IndexByte(written, '\\') < 0
	}
	if bytes.IndexByte(written, '\\') < 0 {
		return false
	}
	var s string
	quoted := append(append([]byte{'"'}, written...), '"')
	return json.Unmarshal(quoted, &s) == nil && s == text
}

// scanner walks over JSON text.
type scanner struct{ rest []byte }

func (s *scanner) blanks() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\t' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

// take consumes c, if it comes next, and blanks around it.
func (s *scanner) take(c byte) bool {
	s.blanks()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.blanks()
	return true
}

// text consumes a string and returns what stands between its quotes, never nil.
func (s *scanner) text() ([]byte, bool) {
	s.blanks()
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return nil, false
	}
	for i := 1; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++
		case '"':
			t := s.rest[1:i]
			s.rest = s.rest[i+1:]
			return t, true
		}
	}
	return nil, false
}

// skip consumes any other value: a number, a word, an array, an object.
func (s *scanner) skip() bool {
	start, depth := len(s.rest), 0
	for len(s.rest) > 0 {
		switch c := s.rest[0]; c {
		case '"':
			if _, ok := s.text(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return len(s.rest) < start
			}
			if c != ',' {
				depth--
			}
		}
		s.rest = s.rest[1:]
	}
	return false
}
