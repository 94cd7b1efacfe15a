package trial

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram counts durations from 1 microsecond to 2 minutes in nanoseconds with
// three significant digits. In a file it is HdrHistogram's compressed V2
// encoding in base64, which other HDR tools read too. Not safe for concurrent use,
// but for asking one that was read from a file.
//
// While it counts it takes the same 200 kB however much that is. One that was read
// keeps what is not 0, until it counts more: a run has tens of thousands.
type Histogram struct {
	h    *hdrhistogram.Histogram // nil of one that was read, until it counts more
	bars bars                    // as read
}

const (
	histogramLowest  = int64(time.Microsecond)
	histogramHighest = int64(2 * time.Minute)
)

// NewHistogram returns an empty one.
func NewHistogram() *Histogram { return &Histogram{h: emptyHistogram()} }

func emptyHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(histogramLowest, histogramHighest, 3)
}

// Record counts one duration; beyond the bounds it is counted at the bound.
func (h *Histogram) Record(d time.Duration) {
	h.open()
	_ = h.h.RecordValue(min(max(int64(d), 0), histogramHighest))
}

// Merge adds the counts of other. Percentiles are read from merged histograms,
// never averaged.
func (h *Histogram) Merge(other *Histogram) {
	if other == nil {
		return
	}
	h.open()
	if other.h != nil {
		h.h.Merge(other.h)
		return
	}
	other.bars.into(h.h)
}

// open makes it ready to count.
func (h *Histogram) open() {
	if h.h != nil {
		return
	}
	h.h = emptyHistogram()
	h.bars.into(h.h)
	h.bars = bars{}
}

// Count is how many durations were counted.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	if h.h != nil {
		return h.h.TotalCount()
	}
	return h.bars.total
}

// Quantile is the duration below which the share q (0..1) of the counts lies;
// 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	switch n := h.Count(); {
	case n == 0:
		return 0
	case h.h != nil:
		return time.Duration(h.h.ValueAtQuantile(q * 100))
	default:
		from, to := h.bars.below(max(1, int64(q*float64(n)+0.5)))
		if q <= 0 {
			return time.Duration(from)
		}
		return time.Duration(to)
	}
}

// Max is the longest duration counted.
func (h *Histogram) Max() time.Duration {
	switch {
	case h.Count() == 0:
		return 0
	case h.h != nil:
		return time.Duration(h.h.Max())
	}
	_, to := h.bars.below(h.bars.total)
	return time.Duration(to)
}

// MarshalText writes the compressed encoding.
func (h *Histogram) MarshalText() ([]byte, error) {
	h.open()
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote.
func (h *Histogram) UnmarshalText(b []byte) error {
	read, err := decodeBars(b)
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	*h = Histogram{bars: read}
	return nil
}
