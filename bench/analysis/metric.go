package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/gonum/stat"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// Metric is one figure that a trial (or a trial and its control) gives.
type Metric struct {
	Name   string
	Title  string          // for an axis or a table's head
	Unit   string          // µs, s, bytes, operations, requests/s; "share" is a share of 1, shown in percent
	Better trial.Direction // More or Less
	Aspect trial.Aspect    // what it rests on, and so which doubts spoil it

	value func(Block, trial.Selector) (float64, error)
	// count gives the events and chances whose quotient value is; nil where a figure is no such quotient.
	count func(Block, trial.Selector) (events, chances float64, err error)
	// many: a chance may give more than one event.
	many bool
	// overControl: what an arm has more than the control; of the control itself it is noise.
	overControl bool
	// bursts: its events come together, so that one trial says little of the next.
	bursts bool
	// faulty: says something of a step with a fault alone.
	faulty bool
	// derived: made of figures that are there themselves, or of the cell's settings, so that two runs are not compared by it.
	derived bool
	// quantile of a latency's percentile.
	quantile float64
	// clusters of the chances, and the sum of their events squared; nil where each chance stands for itself.
	clusters func(Block, trial.Selector) (n, squares float64)
	// resolution is how finely the figure is read, in its unit; 0: to a thousandth of itself.
	resolution float64
	// censored: the figure is a lower bound; nil where it never is.
	censored func(Block, trial.Selector) bool
}

// tally is a counted metric's events and chances, with their clusters.
func (m Metric) tally(b Block, s trial.Selector) (t tally, err error) {
	t.poisson = m.many
	if t.events, t.chances, err = m.count(b, s); err == nil && m.clusters != nil {
		t.clusters, t.squares = m.clusters(b, s)
	}
	return t, err
}

func (m Metric) lowerBound(b Block, s trial.Selector) bool {
	return m.censored != nil && m.censored(b, s)
}

// grains is the step, as a share of a figure or a margin, to which anything here
// is read at best: histograms keep three digits.
const grains = 0.001

// grain is the least standard deviation that an effect of figures can have, given
// how finely each is read: a figure lies anywhere within a step, of which the
// standard deviation is its width over the root of 12 (Sheppard 1898).
func (m Metric) grain(contrast trial.Contrast, sides ...[]float64) float64 {
	sum := 0.0
	for _, values := range sides {
		if len(values) == 0 {
			continue
		}
		mean := math.Abs(stat.Mean(values, nil))
		step := m.resolution
		if step == 0 {
			step = grains * mean
		}
		if contrast == trial.Ratio {
			step /= mean
		}
		sum += step * step / 12
	}
	return math.Sqrt(sum)
}

// Counted says whether the metric is a number of events in a number of chances.
func (m Metric) Counted() bool { return m.count != nil }

// Percentile says whether the metric is one of latencies, which are merged over
// blocks and never averaged.
func (m Metric) Percentile() bool { return m.quantile > 0 }

// Metrics lists all metrics, in the order in which a reader may want them.
func Metrics() []Metric {
	return slices.Concat(cpuMetrics(), workMetrics(), rateMetrics(), journeyMetrics(), outageMetrics())
}

// Value is one metric of one cell in one block, in the metric's unit. An error
// says which trial, step or figure is missing, or lists the known metrics.
func Value(name string, b Block, s trial.Selector) (float64, error) {
	m, err := Lookup(name)
	if err != nil {
		return 0, err
	}
	return m.value(b.For(m.Aspect), s)
}

// byName is Metrics, made once: a report looks them up by the hundred thousand.
var byName = sync.OnceValue(func() map[string]Metric {
	all := map[string]Metric{}
	for _, m := range Metrics() {
		all[m.Name] = m
	}
	return all
})

// Lookup finds a metric by its name. The error lists the known ones.
func Lookup(name string) (Metric, error) {
	if m, ok := byName()[name]; ok {
		return m, nil
	}
	var known []string
	for _, m := range Metrics() {
		known = append(known, m.Name)
	}
	return Metric{}, fmt.Errorf("unknown metric %q: want one of %s", name, strings.Join(known, ", "))
}

// ofStep is a metric's value from a single step.
func ofStep(f func(sample) (float64, error)) func(Block, trial.Selector) (float64, error) {
	return from(Block.sample, f)
}

// perRequest is the same for what one request costs.
func perRequest(f func(sample) (float64, error)) func(Block, trial.Selector) (float64, error) {
	return from(Block.charged, f)
}

func from(find func(Block, trial.Selector) (sample, error), f func(sample) (float64, error)) func(Block, trial.Selector) (float64, error) {
	return func(b Block, s trial.Selector) (float64, error) {
		x, err := find(b, s)
		if err != nil {
			return 0, err
		}
		v, err := f(x)
		if err != nil {
			return 0, fmt.Errorf("%s, %s: %w", cellName(s), s.Step, err)
		}
		return v, nil
	}
}

// counted is a metric that is a number of events in a number of chances.
func counted(m Metric, count func(Block, trial.Selector) (events, chances float64, err error)) Metric {
	m.count = count
	m.value = func(b Block, s trial.Selector) (float64, error) {
		events, chances, err := count(b, s)
		if err != nil {
			return 0, err
		}
		return events / chances, nil
	}
	return m
}

// workMetrics are what a request moves and asks of the store.
func workMetrics() []Metric {
	return resting(trial.Counts, []Metric{
		counted(Metric{Name: "store_operations_per_request", Title: "Store operations per request", Unit: "operations", Better: trial.Less,
			many: true}, storeOperations),
		{Name: "store_bytes_per_request", Title: "Redis traffic per request", Unit: "bytes", Better: trial.Less,
			value: perRequest(func(x sample) (float64, error) {
				if why, missing := x.Usage.Missing["redis counters"]; missing {
					return 0, fmt.Errorf("the bytes of Redis were not read: %s", why)
				}
				return perCompleted(x, x.Usage.Counters["redis_net_input_bytes"]+x.Usage.Counters["redis_net_output_bytes"])
			})},
		{Name: "request_bytes", Title: "Request size at the client's socket", Unit: "bytes", Better: trial.Less,
			value: perRequest(func(x sample) (float64, error) { return perCompleted(x, float64(x.SentBytes)) })},
		{Name: "response_bytes", Title: "Answer size at the client's socket", Unit: "bytes", Better: trial.Less,
			value: perRequest(func(x sample) (float64, error) { return perCompleted(x, float64(x.ReceivedBytes)) })},
		counted(Metric{Name: "error_share", Title: "Share of requests without success", Unit: "share", Better: trial.Less, bursts: true},
			func(b Block, s trial.Selector) (float64, float64, error) {
				x, err := b.sample(s)
				if err != nil {
					return 0, 0, err
				}
				return chancesOf(s, float64(x.Errors()), float64(x.Completed), "completed requests")
			}),
	})
}

// resting says of some metrics what they rest on.
func resting(a trial.Aspect, ms []Metric) []Metric {
	for i := range ms {
		ms[i].Aspect = a
	}
	return ms
}

// Needs says what a rule's figures rest on, by step: a trial of which a doubt
// spoils that in every attempt answers the rule nothing.
func Needs(rules []trial.Rule) (map[string][]trial.Aspect, error) {
	needs := map[string][]trial.Aspect{}
	for _, r := range rules {
		m, err := Lookup(r.Metric)
		if err != nil {
			return nil, fmt.Errorf("rule of %s: %w", r.Claim, err)
		}
		for _, s := range selectorsOf(r) {
			if !slices.Contains(needs[s.Step], m.Aspect) {
				needs[s.Step] = append(needs[s.Step], m.Aspect)
			}
		}
	}
	return needs, nil
}

// sidesOf are the selectors that a comparison reads: A, and B where it is paired.
func sidesOf(r trial.Rule, c trial.Comparison) []trial.Selector {
	if r.Contrast == trial.Difference || r.Contrast == trial.Ratio {
		return []trial.Selector{c.A, c.B}
	}
	return []trial.Selector{c.A}
}

// selectorsOf are those of all of a rule's comparisons.
func selectorsOf(r trial.Rule) (all []trial.Selector) {
	for _, c := range r.Compare {
		all = append(all, sidesOf(r, c)...)
	}
	return all
}

func perCompleted(x sample, v float64) (float64, error) {
	if x.Completed <= 0 {
		return 0, fmt.Errorf("no request was completed")
	}
	return v / float64(x.Completed), nil
}

// storeOperations counts what the stores themselves say they did. A counter
// that an arm's own store should have given and did not is an error, not a zero.
func storeOperations(b Block, s trial.Selector) (operations, requests float64, err error) {
	x, err := b.charged(s)
	if err != nil {
		return 0, 0, err
	}
	kind, asked := arm.Of(s.Cell.Arm()), false
	for store, counter := range map[string]string{"redis": "redis_commands", "postgres": "postgres_statements"} {
		n, ok := x.Usage.Counters[counter]
		if why, missing := x.Usage.Missing[store+" counters"]; missing {
			return 0, 0, fmt.Errorf("%s, %s: the counter %s was not read: %s", cellName(s), s.Step, counter, why)
		}
		if _, uses := kind.Uses(store); !ok && uses {
			return 0, 0, fmt.Errorf("%s, %s: the counter %s was not read", cellName(s), s.Step, counter)
		}
		asked = asked || ok
		operations += n // whole numbers: the order of adding them does not show
	}
	if kind.Family == arm.Token && !asked {
		return 0, 0, fmt.Errorf("%s, %s: no store stood there to be asked", cellName(s), s.Step)
	}
	return chancesOf(s, operations, float64(x.Completed), "completed requests")
}

func chancesOf(s trial.Selector, events, chances float64, what string) (float64, float64, error) {
	if chances <= 0 {
		return 0, 0, fmt.Errorf("%s: no %s", cellName(s), what)
	}
	return events, chances, nil
}
