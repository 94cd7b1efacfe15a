package session

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A value is: format (1 byte), deadline, created, expires, last seen (Unix
// milliseconds), idle timeout (milliseconds), all 8 bytes big-endian, length of
// the role (1 byte), role, subject. Redis' scripts read and write the times.
const (
	valueFormat = 1
	valueHeader = 1 + 5*8 + 1
)

func encode(s Session) []byte {
	b := make([]byte, 0, valueHeader+len(s.Role)+len(s.Subject))
	b = append(b, valueFormat)
	for _, ms := range [...]int64{
		s.Deadline().UnixMilli(), s.Created.UnixMilli(), s.Expires.UnixMilli(),
		s.LastSeen.UnixMilli(), s.IdleTimeout.Milliseconds(),
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(ms))
	}
	b = append(b, byte(len(s.Role)))
	b = append(b, s.Role...)
	return append(b, s.Subject...)
}

func decode(b []byte) (Session, error) {
	if len(b) < valueHeader || b[0] != valueFormat || len(b) < valueHeader+int(b[valueHeader-1]) {
		return Session{}, fmt.Errorf("value of %d bytes is not a session of format %d", len(b), valueFormat)
	}
	ms := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[1+8*i:])) }
	role := b[valueHeader : valueHeader+int(b[valueHeader-1])]
	return Session{
		Role:        string(role),
		Subject:     string(b[valueHeader+len(role):]),
		Created:     time.UnixMilli(ms(1)).UTC(),
		Expires:     time.UnixMilli(ms(2)).UTC(),
		LastSeen:    time.UnixMilli(ms(3)).UTC(),
		IdleTimeout: time.Duration(ms(4)) * time.Millisecond,
	}, nil
}

// live decodes a value and judges its deadline.
func live(value []byte, now time.Time) (Session, bool, error) {
	s, err := decode(value)
	if err != nil || !now.Before(s.Deadline()) {
		return Session{}, false, err
	}
	return s, true, nil
}
