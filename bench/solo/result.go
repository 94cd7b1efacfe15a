package solo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"authbench/bench/trial"
)

// Result is what was asked and what was measured.
type Result struct {
	URL         string         `json:"url"`
	Mode        trial.Mode     `json:"mode"`
	Rate        float64        `json:"ratePerSecond,omitempty"` // open
	Arrivals    trial.Arrivals `json:"arrivals,omitempty"`      // open
	Closed      int            `json:"concurrency,omitempty"`   // closed
	Connections int            `json:"connections"`
	Sources     int            `json:"sources,omitempty"`
	Credentials int            `json:"credentials"`
	WarmUp      float64        `json:"warmUpSeconds"`

	Started     time.Time `json:"started"`
	Seconds     float64   `json:"seconds"` // over which completions were counted
	Interrupted bool      `json:"interrupted,omitempty"`

	Offered    int64   `json:"offered"`   // requests that should have started (open), that started (closed)
	Completed  int64   `json:"completed"` // that ended, whatever their outcome
	Dropped    int64   `json:"dropped"`   // that never started
	PerSecond  float64 `json:"completedPerSecond"`
	Reconnects int64   `json:"reconnects"`

	Outcomes map[string]Outcome `json:"outcomes"` // of what completed, by class: 2xx, 401, ...
	Replicas map[string]int64   `json:"replicas"` // completed, by the "replica" that answers name

	PacerLag *Percentiles `json:"pacerLagMilliseconds,omitempty"` // open: from intended start to dispatch

	SentBytes     int64 `json:"sentBytes"`
	ReceivedBytes int64 `json:"receivedBytes"`

	Generator Use      `json:"generator"`
	Doubts    []string `json:"doubts"` // that the figures are the server's
	Notes     []string `json:"notes"`
}

// Outcome is one class of answers.
type Outcome struct {
	Requests int64       `json:"requests"`
	Latency  Percentiles `json:"latencyMilliseconds"` // from the intended start (open), from the dispatch (closed)
}

// Percentiles are in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Use is what the generator itself used while it measured.
type Use struct {
	CPUSeconds                float64 `json:"cpuSeconds"`
	CPUMicrosecondsPerRequest float64 `json:"cpuMicrosecondsPerRequest"`
	BusyShare                 float64 `json:"busyShare"` // of one CPU
	MaxRSSBytes               int64   `json:"maxRSSBytes"`
	HeapBytes                 int64   `json:"heapBytes"`   // live at the end
	SystemBytes               int64   `json:"systemBytes"` // obtained by Go's runtime
}

func newResult(s Settings, m *trial.StreamResult) Result {
	r := Result{URL: s.URL, Mode: m.Stream.Pacing.Mode, Rate: m.Stream.Pacing.Rate, Closed: m.Stream.Pacing.Concurrency,
		Connections: s.Connections, Sources: s.Sources, Credentials: len(s.Credentials), WarmUp: s.WarmUp.Seconds(),
		Started: m.Started, Seconds: m.Seconds,
		Offered: m.Offered, Completed: m.Completed, Dropped: m.Dropped, Reconnects: m.Reconnects,
		Outcomes: map[string]Outcome{}, Replicas: m.Replicas, SentBytes: m.SentBytes, ReceivedBytes: m.ReceivedBytes,
		Notes: append([]string{}, m.Notes...)}
	if m.Stream.Pacing.Mode == trial.Open {
		lag := percentiles(m.PacerLag)
		r.PacerLag = &lag
		r.Arrivals = m.Stream.Pacing.Arrivals
		if r.Arrivals == "" {
			r.Arrivals = trial.Even
		}
	}
	if m.Seconds > 0 {
		r.PerSecond = float64(m.Completed) / m.Seconds
	}
	for class, n := range m.Outcomes {
		r.Outcomes[class] = Outcome{n, percentiles(m.Latency[class])}
	}
	return r
}

func percentiles(h *trial.Histogram) Percentiles {
	at := func(q float64) float64 { return milliseconds(h.Quantile(q)) }
	return Percentiles{at(0.5), at(0.9), at(0.99), at(0.999), milliseconds(h.Max())}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// WriteJSON writes the result for a program.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// WriteText writes the result for a person.
func (r *Result) WriteText(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(&b, "%s\n%s\n\n", r.URL, r.asked())
	fmt.Fprintf(t, "offered\t%d\t\n", r.Offered)
	fmt.Fprintf(t, "completed\t%d\t%.1f/s\t\n", r.Completed, r.PerSecond)
	fmt.Fprintf(t, "dropped\t%d\t\n", r.Dropped)
	t.Flush()

	from := "from when each request should have started"
	if r.Mode == trial.Closed {
		from = "from when each request was sent (a closed loop waits for slow answers, which flatters the tail)"
	}
	fmt.Fprintf(&b, "\nlatency in ms, %s\n", from)
	fmt.Fprintln(t, "outcome\trequests\tp50\tp90\tp99\tp99.9\tmax\t")
	for _, class := range slices.Sorted(maps.Keys(r.Outcomes)) {
		o := r.Outcomes[class]
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", class, o.Requests, o.Latency.P50, o.Latency.P90, o.Latency.P99,
			o.Latency.P999, o.Latency.Max)
	}
	t.Flush()

	fmt.Fprintln(&b)
	if r.PacerLag != nil {
		fmt.Fprintf(&b, "pacer lag   p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", r.PacerLag.P50, r.PacerLag.P99, r.PacerLag.Max)
	}
	fmt.Fprintf(&b, "bytes       %d sent, %d received\n", r.SentBytes, r.ReceivedBytes)
	fmt.Fprintf(&b, "generator   %.1f us of CPU per request, %.0f %% of a CPU, %.1f MiB of memory at most\n",
		r.Generator.CPUMicrosecondsPerRequest, 100*r.Generator.BusyShare, float64(r.Generator.MaxRSSBytes)/(1<<20))
	if len(r.Replicas) > 0 {
		var each []string
		for _, name := range slices.Sorted(maps.Keys(r.Replicas)) {
			each = append(each, fmt.Sprintf("%s %d", name, r.Replicas[name]))
		}
		fmt.Fprintf(&b, "replicas    %s\n", strings.Join(each, ", "))
	}
	if r.Reconnects > 0 {
		fmt.Fprintf(&b, "reconnected %d times\n", r.Reconnects)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, d := range r.Doubts {
		fmt.Fprintf(&b, "doubt: %s\n", d)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// asked is the load in one line.
func (r *Result) asked() string {
	what := fmt.Sprintf("open loop at %g requests/s, %s arrivals", r.Rate, r.Arrivals)
	if r.Mode == trial.Closed {
		what = fmt.Sprintf("closed loop with %d requests in flight", r.Closed)
	}
	when := fmt.Sprintf("%.1f s", r.Seconds)
	if r.WarmUp > 0 {
		when += fmt.Sprintf(" after %g s of warm-up", r.WarmUp)
	}
	return fmt.Sprintf("%s, %d connections, %s, %s", what, r.Connections, who(r.Credentials), when)
}

func who(credentials int) string {
	switch credentials {
	case 0:
		return "no credential"
	case 1:
		return "one credential"
	}
	return fmt.Sprintf("%d credentials", credentials)
}
