package solo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"authbench/bench/trial"
)

// Found is what was searched and what came of it.
type Found struct {
	URL         string         `json:"url"`
	Arrivals    trial.Arrivals `json:"arrivals"`
	Connections int            `json:"connections"`
	Sources     int            `json:"sources,omitempty"`
	Credentials int            `json:"credentials"`
	Search      trial.Search   `json:"search"`
	TrySeconds  float64        `json:"trySeconds"`                          // of load
	Ceiling     float64        `json:"generatorCeilingPerSecond,omitempty"` // 0: not measured

	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // of all tries together

	Capacity trial.Capacity `json:"capacity"`
	Knee     *Knee          `json:"knee,omitempty"` // at the rate that held
	Notes    []string       `json:"notes"`
}

// Knee is how a system stands at the highest rate that it holds.
type Knee struct {
	Rate      float64            `json:"ratePerSecond"`
	Latency   Percentiles        `json:"latencyMilliseconds"` // of successes
	Tiers     []Tier             `json:"tiers,omitempty"`     // the busiest first
	Generator float64            `json:"generatorCPUs"`       // used by the generator
	Busy      map[string]float64 `json:"busyShare,omitempty"` // of each CPU, by "cpu0", ...
}

// Tier is what one layer of the system used.
type Tier struct {
	Tier  trial.Tier `json:"tier"`
	CPUs  float64    `json:"cpus"`  // used, of
	Of    float64    `json:"of"`    // what it could use
	Share float64    `json:"share"` // the one of the other
}

func newKnee(rate float64, m trial.Measurement, room map[trial.Tier]float64) *Knee {
	k := &Knee{Rate: rate, Busy: m.Usage.Busy}
	if r, ok := m.Result(""); ok {
		k.Latency = percentiles(r.Latency[trial.Success])
	}
	if m.Usage.Seconds <= 0 {
		return k
	}
	k.Generator = m.Usage.CPU[trial.GeneratorTier] / m.Usage.Seconds
	for tier, of := range room {
		if cpu, ok := m.Usage.CPU[tier]; ok && of > 0 {
			used := cpu / m.Usage.Seconds
			k.Tiers = append(k.Tiers, Tier{tier, used, of, used / of})
		}
	}
	slices.SortFunc(k.Tiers, func(a, b Tier) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Tier, b.Tier)) })
	return k
}

// WriteJSON writes all of it for a program.
func (f *Found) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(f)
}

// TellTry is one try in a line, for a person who waits.
func TellTry(w io.Writer, t trial.Try) {
	fmt.Fprintf(w, "%9.5g/s   p99 %8.1f ms   %s", t.Rate, t.P99Milliseconds, t.Outcome)
	if t.Why != "" {
		fmt.Fprintf(w, ": %s", t.Why)
	}
	fmt.Fprintln(w)
}

// WriteText writes what was found for a person, who has seen the tries.
func (f *Found) WriteText(w io.Writer) error {
	var b bytes.Buffer
	label := "capacity"
	if f.Capacity.End == trial.Undecided {
		label = "undecided"
	}
	fmt.Fprintf(&b, "%-12s%s, with %s\n", label, f.Capacity, f.Search.SLO)
	fmt.Fprintf(&b, "            %s\n", f.Capacity.Why)
	if k := f.Knee; k != nil {
		fmt.Fprintf(&b, "\nat %g/s    p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", k.Rate, k.Latency.P50, k.Latency.P99, k.Latency.Max)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for i, tier := range k.Tiers {
			most := ""
			if i == 0 {
				most = "the busiest"
			}
			fmt.Fprintf(t, "  %s\t%.2f of %g CPU\t%.0f %%\t%s\n", tier.Tier, tier.CPUs, tier.Of, 100*tier.Share, most)
		}
		fmt.Fprintf(t, "  %s\t%.2f CPU\t\t\n", trial.GeneratorTier, k.Generator)
		for _, cpu := range slices.Sorted(maps.Keys(k.Busy)) {
			fmt.Fprintf(t, "  %s\t\t%.0f %%\tbusy\n", cpu, 100*k.Busy[cpu])
		}
		t.Flush()
	}
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	_, err := w.Write(b.Bytes())
	return err
}
