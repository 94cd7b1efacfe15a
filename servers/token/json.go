package token

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// errJSON says that bytes are not one flat JSON object of strings and whole
// numbers. It is wrapped by the callers, which know what the bytes were.
var errJSON = errors.New("not a flat JSON object of strings and whole numbers")

// maxDigits bounds a number. Up to fifteen digits every reader of JSON sees the
// same one, also who keeps it as a float (RFC 8259 section 6); as seconds they
// reach far beyond what matters.
const maxDigits = 15

// value is what a member of a flat object may hold: text or a whole number, or,
// where lists are allowed, a list of texts.
type value struct {
	text     []byte // unescaped; aliases the object's own bytes
	number   int64
	list     [][]byte // each as text; nil if it is no list
	isNumber bool
}

// object reads one flat JSON object, member by member, from bytes that it may
// overwrite (escapes are undone in place). It allocates nothing.
//
// It is narrower than RFC 8259 on purpose, so that no two readers can see two
// meanings in the same token: values are strings or unsigned whole numbers
// only (or lists of strings, where they are allowed), names hold no escapes, strings are valid UTF-8 without lone
// surrogates, and nothing follows the object. The caller refuses names that it
// does not know or has seen before.
type object struct {
	in    []byte
	lists bool // a value may be a list of texts
	pos   int
	begun bool
	name  []byte
	value value
	err   error
}

// next moves to the next member and tells whether there is one. After false,
// err is nil only if the object ended well and nothing came after it.
func (o *object) next() bool {
	more, ok := o.advance()
	if !ok {
		o.err = errJSON
	}
	return ok && more
}

func (o *object) advance() (more, ok bool) {
	if !o.begun {
		o.begun = true
		if !o.accept('{') {
			return false, false
		}
		if o.accept('}') {
			return false, o.ended()
		}
	} else if !o.accept(',') {
		return false, o.accept('}') && o.ended()
	}
	return true, o.readName() && o.accept(':') && o.readValue()
}

// ended tells whether only white space is left.
func (o *object) ended() bool {
	o.skipSpace()
	return o.pos == len(o.in)
}

func (o *object) skipSpace() {
	for o.pos < len(o.in) {
		switch o.in[o.pos] {
		case ' ', '\t', '\n', '\r':
			o.pos++
		default:
			return
		}
	}
}

// accept takes b if it comes next, after any white space.
func (o *object) accept(b byte) bool {
	o.skipSpace()
	if o.pos == len(o.in) || o.in[o.pos] != b {
		return false
	}
	o.pos++
	return true
}

// readName takes the bytes up to the next quote. A name with an escape keeps
// its backslash and is thereby unknown to every caller; it is refused here so
// that this does not depend on them.
func (o *object) readName() bool {
	if !o.accept('"') {
		return false
	}
	n := bytes.IndexByte(o.in[o.pos:], '"')
	if n < 0 {
		return false
	}
	o.name = o.in[o.pos : o.pos+n]
	o.pos += n + 1
	for _, b := range o.name {
		if b < ' ' || b == '\\' || b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (o *object) readValue() bool {
	if o.accept('"') {
		o.value = value{}
		return o.readText()
	}
	if o.lists && o.accept('[') {
		return o.readList()
	}
	return o.readNumber()
}

// readList takes a list of texts up to its closing bracket.
func (o *object) readList() bool {
	list := [][]byte{}
	for !o.accept(']') {
		if len(list) > 0 && !o.accept(',') || !o.accept('"') || !o.readText() {
			return false
		}
		list = append(list, o.value.text)
	}
	o.value = value{list: list}
	return true
}

// readNumber takes an unsigned whole number: no sign, fraction, exponent or
// leading zero. What follows it is for the caller to judge.
func (o *object) readNumber() bool {
	start := o.pos
	n := int64(0)
	for o.pos < len(o.in) && '0' <= o.in[o.pos] && o.in[o.pos] <= '9' {
		if o.pos-start == maxDigits {
			return false
		}
		n = n*10 + int64(o.in[o.pos]-'0')
		o.pos++
	}
	digits := o.pos - start
	if digits == 0 || digits > 1 && o.in[start] == '0' {
		return false
	}
	o.value = value{number: n, isNumber: true}
	return true
}

// readText takes a string's rest up to its closing quote. The plain run, which
// is all that most strings have, is not copied.
func (o *object) readText() bool {
	start := o.pos
	for ; o.pos < len(o.in); o.pos++ {
		switch b := o.in[o.pos]; {
		case b == '"':
			o.value.text = o.in[start:o.pos]
			o.pos++
			return utf8.Valid(o.value.text)
		case b == '\\':
			return o.readEscaped(start)
		case b < ' ':
			return false
		}
	}
	return false
}

// readEscaped goes on where readText met the first backslash. Undoing an
// escape never makes text longer, so the text is moved down in place.
func (o *object) readEscaped(start int) bool {
	end := o.pos
	for o.pos < len(o.in) {
		b := o.in[o.pos]
		o.pos++
		switch {
		case b == '"':
			o.value.text = o.in[start:end]
			return utf8.Valid(o.value.text)
		case b < ' ':
			return false
		case b != '\\':
			o.in[end] = b
			end++
		default:
			r, ok := o.readEscape()
			if !ok {
				return false
			}
			end += utf8.EncodeRune(o.in[end:], r)
		}
	}
	return false
}

// readEscape takes what follows a backslash. A surrogate is good only as the
// first half of a whole pair.
func (o *object) readEscape() (rune, bool) {
	if o.pos == len(o.in) {
		return 0, false
	}
	b := o.in[o.pos]
	o.pos++
	switch b {
	case '"', '\\', '/':
		return rune(b), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return o.readUnicode()
	}
	return 0, false
}

func (o *object) readUnicode() (rune, bool) {
	first, ok := o.readHex()
	if !ok || !utf16.IsSurrogate(first) {
		return first, ok
	}
	if !bytes.HasPrefix(o.in[o.pos:], []byte(`\u`)) {
		return 0, false
	}
	o.pos += 2
	second, ok := o.readHex()
	r := utf16.DecodeRune(first, second)
	// DecodeRune's only answer below the pairs' range is its own error mark.
	return r, ok && r > 0xFFFF
}

// readHex takes exactly four hexadecimal digits.
func (o *object) readHex() (rune, bool) {
	if len(o.in)-o.pos < 4 {
		return 0, false
	}
	r := rune(0)
	for _, b := range o.in[o.pos : o.pos+4] {
		switch {
		case '0' <= b && b <= '9':
			r = r<<4 | rune(b-'0')
		case 'a' <= b && b <= 'f':
			r = r<<4 | rune(b-'a'+10)
		case 'A' <= b && b <= 'F':
			r = r<<4 | rune(b-'A'+10)
		default:
			return 0, false
		}
	}
	o.pos += 4
	return r, true
}
