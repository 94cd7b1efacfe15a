package trial

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// bars are what was counted, from low to high, as they stand in the encoding: a
// count for each range of durations that a histogram does not tell apart, or a
// negative number of ranges without any.
type bars struct {
	unit   int // of the lowest range: 2^unit nanoseconds
	counts []byte
	total  int64
}

// half is the number of sub-buckets of a bucket but the first: 3 digits need
// 2,000, rounded up to a power of 2, less the lower half, which lies in buckets below.
const half = 1024

// span is a range in nanoseconds, by its place.
func (b bars) span(index int64) (from, to int64) {
	bucket, sub := index/half-1, index%half+half
	if bucket < 0 {
		bucket, sub = 0, sub-half
	}
	shift := b.unit + int(bucket)
	return sub << shift, (sub+1)<<shift - 1
}

// each yields the places of ranges and their counts, without empty ones.
func (b bars) each(yield func(index, count int64) bool) {
	index := int64(0)
	for counts := b.counts; len(counts) > 0; {
		n, size, err := zigzag(counts)
		if err != nil { // which check would have said
			return
		}
		counts = counts[size:]
		if n < 0 {
			index -= n
			continue
		}
		if n > 0 && !yield(index, n) {
			return
		}
		index++
	}
}

// check counts them, and says what cannot be.
func (b *bars) check() error {
	index := int64(0)
	for counts := b.counts; len(counts) > 0; {
		n, size, err := zigzag(counts)
		if err != nil {
			return err
		}
		if counts = counts[size:]; n < -mostBars || n > math.MaxUint32 {
			return fmt.Errorf("a count of %d", n)
		}
		index += max(1, -n)
		if index > mostBars {
			return errors.New("a count beyond every bucket")
		}
		b.total += max(0, n)
	}
	return nil
}

// below is the range in which the n-th duration lies, from 1.
func (b bars) below(n int64) (from, to int64) {
	for index, count := range b.each {
		from, to = b.span(index)
		if n -= count; n <= 0 {
			break
		}
	}
	return from, to
}

// into counts all of them once more, as their low ends.
func (b bars) into(h *hdrhistogram.Histogram) {
	for index, count := range b.each {
		from, _ := b.span(index)
		_ = h.RecordValues(min(from, histogramHighest), count)
	}
}

// Of HdrHistogram's V2 encoding (its Java library's
// AbstractHistogram.encodeIntoByteBuffer): the cookies, without the word size in
// their second digit from the right, and the length of what stands before the counts.
const (
	cookieV2           = 0x1c849303
	cookieV2Compressed = 0x1c849304
	cookieMask         = ^uint32(0xf0)
	headerV2           = 40
	mostBytes          = 1 << 20 // several times what our own counts can take
	mostBars           = 1 << 15
	mostLowest         = 1 << 20 // of which the last bar's end is still a number of nanoseconds
)

// decodeBars reads HdrHistogram's compressed V2 encoding in base64. The library's own
// decoder makes 200 kB of each, which a report of ten thousand trials has no room for.
func decodeBars(encoded []byte) (read bars, err error) {
	in := inflaters.Get().(*inflater)
	defer inflaters.Put(in)
	packed, err := base64.StdEncoding.AppendDecode(in.packed[:0], encoded)
	in.packed = packed
	if err != nil {
		return bars{}, err
	}
	if len(packed) < 8 || binary.BigEndian.Uint32(packed)&cookieMask != cookieV2Compressed {
		return bars{}, errors.New("no compressed V2 encoding")
	}
	b, err := in.inflate(packed[8:])
	if err != nil {
		return bars{}, err
	}
	if len(b) < headerV2 || binary.BigEndian.Uint32(b)&cookieMask != cookieV2 {
		return bars{}, errors.New("no V2 encoding within the compressed one")
	}
	digits, lowest := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint64(b[16:])
	if length := int(binary.BigEndian.Uint32(b[4:])); digits != 3 || lowest < 1 || lowest > mostLowest || length != len(b)-headerV2 {
		return bars{}, fmt.Errorf("%d digits, lowest value %d, %d bytes of %d", digits, lowest, length, len(b)-headerV2)
	}
	read.unit, read.counts = bits.Len64(lowest)-1, slices.Clone(b[headerV2:])
	return read, read.check()
}

// inflater is a reader of zlib's, with room for what goes in and comes out: about
// 50 kB that are worth keeping.
type inflater struct {
	packed []byte
	z      io.ReadCloser // nil before the first
	out    bytes.Buffer
}

var inflaters = sync.Pool{New: func() any { return &inflater{} }}

// inflate gives bytes that are good until the next.
func (in *inflater) inflate(b []byte) ([]byte, error) {
	from := bytes.NewReader(b)
	var err error
	if in.z == nil {
		in.z, err = zlib.NewReader(from)
	} else {
		err = in.z.(zlib.Resetter).Reset(from, nil)
	}
	if err != nil {
		return nil, err
	}
	in.out.Reset()
	_, err = in.out.ReadFrom(io.LimitReader(in.z, mostBytes))
	return in.out.Bytes(), err
}

// zigzag reads a signed number of 7 bits a byte, the lowest first, of at most 9
// bytes, whose last has 8.
func zigzag(b []byte) (n int64, size int, err error) {
	var u uint64
	for i := range min(9, len(b)) {
		if i == 8 {
			u |= uint64(b[i]) << 56
			return int64(u>>1) ^ -int64(u&1), 9, nil
		}
		u |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1, nil
		}
	}
	return 0, 0, io.ErrUnexpectedEOF
}
