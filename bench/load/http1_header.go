package load

import (
	"bytes"

	"authbench/bench/trial"
)

// readHeader takes in one header line.
func (r *response) readHeader(b, line []byte) error {
	name, value, err := splitHeader(line)
	if err != nil {
		return err
	}
	switch len(name) {
	case len("X-Replica"):
		if isName(name, "x-replica") {
			r.replica = place(b, value)
		}
	case len("Content-Length"):
		if isName(name, "content-length") {
			return r.readLength(value)
		}
	case len("Transfer-Encoding"):
		if isName(name, "transfer-encoding") {
			if r.chunks || !isName(value, "chunked") {
				return errMalformed
			}
			r.chunks = true
		}
	case len("Connection"): // and of Set-Cookie
		if isName(name, "connection") {
			r.readConnection(value)
		} else if isName(name, "set-cookie") {
			r.readCookie(b, value)
		}
	}
	return nil
}

// splitHeader refuses what is not "name: value", folded lines included.
func splitHeader(line []byte) (name, value []byte, err error) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, errMalformed
	}
	name, value = line[:colon], trimBlanks(line[colon+1:])
	for _, c := range name {
		if !tokenByte[c] {
			return nil, nil, errMalformed
		}
	}
	if !printable(value) {
		return nil, nil, errMalformed
	}
	return name, value, nil
}

// readLength accepts digits alone, and a repetition only of the same number.
func (r *response) readLength(value []byte) error {
	n := 0
	if len(value) == 0 || len(value) > 9 {
		return errMalformed
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return errMalformed
		}
		n = n*10 + int(c-'0')
	}
	if r.length >= 0 && r.length != n {
		return errMalformed
	}
	r.length = n
	return nil
}

func (r *response) readConnection(value []byte) {
	for len(value) > 0 {
		option, rest, _ := bytes.Cut(value, []byte{','})
		if isName(trimBlanks(option), "close") {
			r.close = true
		}
		value = rest
	}
}

// readCookie notes where the route cookie's value stands; other cookies are
// not the driver's business.
func (r *response) readCookie(b, value []byte) {
	pair, _, _ := bytes.Cut(value, []byte{';'})
	name, v, ok := bytes.Cut(pair, []byte{'='})
	if !ok || string(trimBlanks(name)) != trial.RouteCookie {
		return
	}
	r.route, r.setsRoute = place(b, trimBlanks(v)), true
}

// place is where in b its part v stands.
func place(b, v []byte) span {
	from := cap(b) - cap(v) // the distance of their starts
	return span{from, from + len(v)}
}

// isName compares with a name in lower case, as HTTP compares names.
func isName(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// printable refuses control characters but tabs, a lone CR among them.
func printable[T string | []byte](b T) bool {
	for i := range len(b) {
		if c := b[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// tokenByte marks what a header's name may consist of (RFC 9110, section 5.6.2).
var tokenByte = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()
