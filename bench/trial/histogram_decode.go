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

// bars are what was counted, from low to high, without empty ones. Durations that
// a histogram does not tell apart have one index.
type bars struct {
	unit  int8 // of the lowest bucket: 2^unit nanoseconds
	index []int32
	count []uint32
}

// half is the number of sub-buckets of a bucket but the first: 3 digits need
// 2,000, rounded up to a power of 2, less the lower half, which lies in buckets below.
const half = 1024

// span is the range that bar i stands for, in nanoseconds.
func (b *bars) span(i int) (from, to int64) {
	bucket, sub := b.index[i]/half-1, int64(b.index[i]%half+half)
	if bucket < 0 {
		bucket, sub = 0, sub-half
	}
	shift := int(b.unit) + int(bucket)
	return sub << shift, (sub+1)<<shift - 1
}

func (b *bars) total() (n int64) {
	for _, c := range b.count {
		n += int64(c)
	}
	return n
}

// below is the bar in which the n-th duration lies, from 1.
func (b *bars) below(n int64) int {
	for i, c := range b.count {
		if n -= int64(c); n <= 0 {
			return i
		}
	}
	return len(b.count) - 1
}

// into counts all of them once more, as their low ends.
func (b *bars) into(h *hdrhistogram.Histogram) {
	for i, c := range b.count {
		from, _ := b.span(i)
		_ = h.RecordValues(min(from, histogramHighest), int64(c))
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

// decodeBars reads HdrHistogram's compressed V2 encoding in base64 and keeps the
// counts that are not 0. The library's own decoder makes 200 kB of each, which a
// report of ten thousand trials has no room for.
func decodeBars(encoded string) (found bars, err error) {
	packed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return found, err
	}
	if len(packed) < 8 || binary.BigEndian.Uint32(packed)&cookieMask != cookieV2Compressed {
		return found, errors.New("no compressed V2 encoding")
	}
	b, err := inflate(packed[8:])
	if err != nil {
		return found, err
	}
	if len(b) < headerV2 || binary.BigEndian.Uint32(b)&cookieMask != cookieV2 {
		return found, errors.New("no V2 encoding within the compressed one")
	}
	digits, lowest := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint64(b[16:])
	if length := int(binary.BigEndian.Uint32(b[4:])); digits != 3 || lowest < 1 || lowest > mostLowest || length != len(b)-headerV2 {
		return found, fmt.Errorf("%d digits, lowest value %d, %d bytes of %d", digits, lowest, length, len(b)-headerV2)
	}
	all := bars{unit: int8(bits.Len64(lowest) - 1)}
	index := int64(0)
	for counts := b[headerV2:]; len(counts) > 0; {
		n, size, err := zigzag(counts)
		switch {
		case err != nil:
			return found, err
		case index >= mostBars || n > math.MaxUint32:
			return found, errors.New("a count beyond every bucket, or every number")
		case n < 0: // so many zeros
			index -= max(n, -mostBars)
		default:
			if n > 0 {
				all.index, all.count = append(all.index, int32(index)), append(all.count, uint32(n))
			}
			index++
		}
		counts = counts[size:]
	}
	all.index, all.count = slices.Clip(all.index), slices.Clip(all.count)
	return all, nil
}

// inflaters are zlib's readers, whose 40 kB each are worth keeping.
var inflaters sync.Pool

func inflate(b []byte) ([]byte, error) {
	in := bytes.NewReader(b)
	z, ok := inflaters.Get().(io.Reader)
	var err error
	if ok {
		err = z.(zlib.Resetter).Reset(in, nil)
	} else {
		z, err = zlib.NewReader(in)
	}
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(z)
	return io.ReadAll(io.LimitReader(z, mostBytes))
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
