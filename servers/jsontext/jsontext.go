// Package jsontext judges the text of JSON from strangers before anything reads
// it: request bodies and the keys of other issuers.
//
// In comes a document; out comes an error if it is not UTF-8 or has half of a
// surrogate pair in it (RFC 8259, 8.1 and 8.2). encoding/json reads either as
// U+FFFD, and so takes different texts for one: eight bytes 0xFF as a password
// would be opened by eight bytes 0xFE. Whether the text is JSON otherwise is the
// reader's to say.
package jsontext

import (
	"encoding/hex"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// What Check finds. Neither quotes the text, which may hold a password.
var (
	ErrUTF8      = errors.New("it is not UTF-8: send every text in that encoding")
	ErrSurrogate = errors.New(`a \u escape is half of a surrogate pair: send both halves, or the character itself`)
)

// Check returns ErrUTF8, ErrSurrogate or nil.
func Check(text []byte) error {
	if !utf8.Valid(text) {
		return ErrUTF8
	}
	// JSON has backslashes in strings only, and each begins an escape.
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first, ok := escape(text[i:])
		if !ok {
			i++ // what it escapes, which may be another backslash
			continue
		}
		i += escapeLen - 1
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, _ := escape(text[i+1:])
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return ErrSurrogate
		}
		i += escapeLen
	}
	return nil
}

// escapeLen is the length of \uXXXX.
const escapeLen = 6

// escape reads the \uXXXX that text begins with, if it does.
func escape(text []byte) (r rune, ok bool) {
	var two [2]byte
	if len(text) < escapeLen || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	if _, err := hex.Decode(two[:], text[2:escapeLen]); err != nil {
		return 0, false
	}
	return rune(two[0])<<8 | rune(two[1]), true
}
