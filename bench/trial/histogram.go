package trial

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram counts durations from 1 microsecond to 2 minutes in nanoseconds with
// three significant digits. In a file it is HdrHistogram's compressed V2
// encoding in base64, which other HDR tools read too. Its size does not depend
// on how much it has counted. Not safe for concurrent use.
type Histogram struct{ h *hdrhistogram.Histogram }

const (
	histogramLowest  = int64(time.Microsecond)
	histogramHighest = int64(2 * time.Minute)
)

// NewHistogram returns an empty one.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(histogramLowest, histogramHighest, 3)}
}

// Record counts one duration; beyond the bounds it is counted at the bound.
func (h *Histogram) Record(d time.Duration) {
	_ = h.h.RecordValue(min(max(int64(d), 0), histogramHighest))
}

// Merge adds the counts of other. Percentiles are read from merged histograms,
// never averaged.
func (h *Histogram) Merge(other *Histogram) {
	if other != nil {
		h.h.Merge(other.h)
	}
}

// Count is how many durations were counted.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile is the duration below which the share q (0..1) of the counts lies;
// 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q * 100))
}

// Max is the longest duration counted.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Max())
}

// MarshalJSON writes the compressed encoding as a string.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	d, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	h.h = d
	return nil
}
