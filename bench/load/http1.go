package load

import (
	"bytes"
	"errors"
	"fmt"
)

// maxResponse bounds a response, head and body and framing together, in bytes.
const maxResponse = 64 << 10

var (
	errTooLarge  = fmt.Errorf("the response is larger than %d bytes", maxResponse)
	errMalformed = errors.New("the response is not HTTP/1.1")
)

// response reads one HTTP/1.1 response out of a connection's buffer, however it
// was cut into pieces on the way. It is strict: what a proxy and a client might
// read differently is an error. It keeps places in the buffer, not copies.
type response struct {
	part   part
	pos    int // everything before it is understood
	status int
	length int  // of the body, or of the rest of the current chunk; -1 if not announced
	chunks bool // the body comes in chunks
	old    bool // HTTP/1.0, which has no chunks
	close  bool // the server closes the connection after it
	body   span // chunks are joined in place

	setsRoute bool
	route     span // value of the balancer's route cookie
	replica   span // value of X-Replica
}

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// part is what the parser expects next.
type part uint8

const (
	statusLine part = iota
	headerLine
	wholeBody
	untilClose
	chunkSize
	chunkData
	chunkEnd
	trailerLine
	complete
)

func (r *response) reset() { *r = response{length: -1} }

// parse goes on with b, which holds the response so far from its first byte. It
// returns true when the response is complete; it ends at b[:r.pos] then.
func (r *response) parse(b []byte) (bool, error) {
	for {
		var more bool
		var err error
		switch r.part {
		case complete:
			return true, nil
		case wholeBody:
			more = len(b)-r.pos >= r.length
			if more {
				r.body = span{r.pos, r.pos + r.length}
				r.pos += r.length
				r.part = complete
			}
		case untilClose:
			r.pos = len(b)
			r.body.to = r.pos
		case chunkData:
			more = r.joinChunk(b)
		default:
			var line []byte
			if line, more, err = r.line(b); more && err == nil {
				err = r.readLine(b, line)
			}
		}
		if err != nil || !more {
			return false, err
		}
	}
}

// ended is called at the connection's end; it returns whether that completes
// the response.
func (r *response) ended() bool {
	if r.part != untilClose {
		return false
	}
	r.part = complete
	return true
}

// line takes the next whole line, without its CR LF.
func (r *response) line(b []byte) (line []byte, whole bool, err error) {
	i := bytes.IndexByte(b[r.pos:], '\n')
	if i < 0 {
		return nil, false, nil
	}
	if i == 0 || b[r.pos+i-1] != '\r' {
		return nil, false, errMalformed
	}
	line = b[r.pos : r.pos+i-1]
	r.pos += i + 1
	return line, true, nil
}

func (r *response) readLine(b, line []byte) error {
	switch r.part {
	case statusLine:
		return r.readStatus(line)
	case headerLine:
		if len(line) == 0 {
			return r.endHead()
		}
		return r.readHeader(b, line)
	case chunkSize:
		return r.readChunkSize(line)
	case chunkEnd:
		if len(line) != 0 {
			return errMalformed
		}
		r.part = chunkSize
	case trailerLine:
		if len(line) == 0 {
			r.part = complete
		} else if _, _, err := splitHeader(line); err != nil {
			return err
		}
	}
	return nil
}

// readStatus reads "HTTP/1.1 200 OK". HTTP/1.0 closes after it.
func (r *response) readStatus(line []byte) error {
	const prefix = "HTTP/1.x "
	if len(line) < len(prefix)+3 || string(line[:7]) != prefix[:7] || line[8] != ' ' || line[7] != '0' && line[7] != '1' {
		return errMalformed
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return errMalformed
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 || len(line) > 12 && line[12] != ' ' || !printable(line[12:]) {
		return errMalformed
	}
	r.old = line[7] == '0'
	r.close = r.old
	r.part = headerLine
	return nil
}

// endHead decides how the body is framed (RFC 9112, section 6.3).
func (r *response) endHead() error {
	switch {
	case r.chunks && (r.old || r.length >= 0):
		return errMalformed
	case r.status == 101:
		return errMalformed
	case r.status < 200: // an interim response; the real one follows
		pos := r.pos
		r.reset()
		r.pos = pos
	case r.status == 204 || r.status == 304:
		r.body = span{r.pos, r.pos}
		r.part = complete
	case r.chunks:
		r.body = span{r.pos, r.pos}
		r.part = chunkSize
	case r.length >= 0:
		if r.pos+r.length > maxResponse {
			return errTooLarge
		}
		r.part = wholeBody
	default:
		r.close = true
		r.body = span{r.pos, r.pos}
		r.part = untilClose
	}
	return nil
}

func (r *response) readChunkSize(line []byte) error {
	digits, extension, _ := bytes.Cut(line, []byte{';'})
	digits = trimBlanks(digits)
	n := 0
	if len(digits) == 0 || len(digits) > 8 || !printable(extension) {
		return errMalformed
	}
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return errMalformed
		}
		n = n<<4 | int(c)
	}
	switch {
	case n == 0:
		r.part = trailerLine
	case r.pos+n > maxResponse:
		return errTooLarge
	default:
		r.length, r.part = n, chunkData
	}
	return nil
}

// joinChunk moves what has come of a chunk next to the body before it.
func (r *response) joinChunk(b []byte) (whole bool) {
	n := min(r.length, len(b)-r.pos)
	r.body.to += copy(b[r.body.to:], b[r.pos:r.pos+n])
	r.pos += n
	if r.length -= n; r.length > 0 {
		return false
	}
	r.part = chunkEnd
	return true
}
