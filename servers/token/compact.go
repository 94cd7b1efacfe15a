package token

import (
	"encoding/base64"
	"fmt"
	"strings"

	"authbench/servers/auth"
)

// maxToken is the longest token, in bytes, that is looked at or issued at all.
const maxToken = 4096

// refusal is an error for a credential that is no good. Refusals never hold
// any part of the credential, and are made once, so that a flood of bad tokens
// costs no memory.
func refusal(why string) error {
	return fmt.Errorf("%w: token %s", auth.ErrUnauthenticated, why)
}

var (
	errEmpty    = refusal("is empty")
	errTooLong  = refusal("is longer than 4096 bytes")
	errParts    = refusal("does not have exactly three parts")
	errEncoding = refusal("is not strict base64url")
)

// compact is a JWS in compact serialisation (RFC 7515 section 7.1), cut but
// not yet decoded.
type compact struct {
	signed    string // header "." payload
	header    string
	payload   string
	signature string
}

// cut takes a token apart. Size comes first, before anything is searched.
func cut(token string) (compact, error) {
	if token == "" {
		return compact{}, errEmpty
	}
	if len(token) > maxToken {
		return compact{}, errTooLong
	}
	header, rest, ok := strings.Cut(token, ".")
	if !ok {
		return compact{}, errParts
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.IndexByte(signature, '.') >= 0 {
		return compact{}, errParts
	}
	return compact{
		signed:    token[:len(header)+1+len(payload)],
		header:    header,
		payload:   payload,
		signature: signature,
	}, nil
}

// base64url has no padding, and Strict refuses trailing bits that are not
// zero: otherwise several spellings would be one signature.
var base64url = base64.RawURLEncoding.Strict()

// decode turns one part into bytes, in dst, which must be large enough. The
// standard library skips line ends inside the text; a token has none.
func decode(dst []byte, part string) ([]byte, error) {
	if strings.IndexByte(part, '\n') >= 0 || strings.IndexByte(part, '\r') >= 0 {
		return nil, errEncoding
	}
	n, err := base64url.Decode(dst, []byte(part))
	if err != nil || n == 0 {
		return nil, errEncoding
	}
	return dst[:n], nil
}
