package solo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/trial"
)

// quota is a server that answers so many requests of a try and fails the rest,
// and the meter that tells it where a try begins. So its capacity is known,
// however busy the machine.
type quota struct {
	requests int64 // of one try
	asked    atomic.Int64
	answer   http.HandlerFunc
}

func (q *quota) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if q.asked.Add(1) > q.requests {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	q.answer(w, r)
}

func (q *quota) Start(context.Context) error { q.asked.Store(0); return nil }

func (q *quota) Stop(context.Context) (trial.Usage, error) {
	return trial.Usage{Seconds: 2, CPU: map[trial.Tier]float64{trial.ReplicaTier: 1, trial.BalancerTier: 1.5, trial.GeneratorTier: 0.5},
		Busy: map[string]float64{"cpu1": 0.9}}, nil
}

const quotaTry = 200 * time.Millisecond

// hunt is a search whose tries are judged by errors: no machine takes so long.
func (q *quota) hunt() Hunt {
	return Hunt{Search: trial.Search{Steps: 40, SLO: trial.SLO{P99Milliseconds: 9000}}, Meter: q, Tell: func(trial.Try) {},
		Spoilt: func(*trial.Measurement, trial.SLO) (string, bool) { return "", false },
		Room:   map[trial.Tier]float64{trial.ReplicaTier: 1, trial.BalancerTier: 1, trial.StoreTier: 1}}
}

func (q *quota) load(t *testing.T) *Load {
	t.Helper()
	s := good(serve(t, q.ServeHTTP))
	s.Rate, s.For, s.Arrivals = 100, quotaTry, trial.Even
	l, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestCapacity(t *testing.T) {
	q := &quota{requests: 70, answer: me} // in 0.2 s: 350/s
	l, h := q.load(t), q.hunt()
	if err := l.Answers(t.Context()); err != nil {
		t.Error(err)
	}
	var told bytes.Buffer
	h.Tell = func(try trial.Try) { TellTry(&told, try) }
	f, err := l.Capacity(t.Context(), h)
	if err != nil || f.Failure() != nil || f.Capacity.Holds > 350 || f.Capacity.Fails < 350 || f.Capacity.Fails > 1.06*f.Capacity.Holds {
		t.Fatalf("%v, %+v", err, f)
	}
	if k := f.Knee; k == nil || k.Rate != f.Capacity.Holds || k.Latency.P99 <= 0 || len(k.Tiers) != 2 || k.Generator != 0.25 ||
		k.Tiers[0] != (Tier{trial.BalancerTier, 0.75, 1, 0.75}) {
		t.Errorf("knee %+v; want the busiest tier first, and none that was not read", k)
	}
	if n := strings.Count(told.String(), "\n"); n != len(f.Capacity.Tries) || !strings.Contains(told.String(), "broke: ") {
		t.Errorf("of %d tries it told\n%s", len(f.Capacity.Tries), &told)
	}
	var text, program bytes.Buffer
	if err := errors.Join(f.WriteText(&text), f.WriteJSON(&program)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{f.Capacity.String(), "p99 within 9000 ms, no error, none dropped", "broke 4 of 4",
		"balancer   0.75 of 1 CPU  75 %  the busiest",
		"cpu1 ", "90 %", "note: a try of 0.2 s shows no queue that grows by less than 4500 %", "try for 360 s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	var back Found
	if err := json.Unmarshal(program.Bytes(), &back); err != nil || back.Capacity.Holds != f.Capacity.Holds || back.Search.Repeats != 3 ||
		len(back.Capacity.Tries) != len(f.Capacity.Tries) || back.Knee.Tiers[0] != f.Knee.Tiers[0] {
		t.Errorf("%v, from JSON %+v", err, back)
	}
}

// The generator's ceiling is measured with requests whose answers name nobody,
// and is not called a capacity.
func TestTheGeneratorsCeiling(t *testing.T) {
	nobody := &quota{requests: 100, answer: func(http.ResponseWriter, *http.Request) {}} // in 0.5 s: 200/s
	q := &quota{requests: 1 << 40, answer: me}
	l, h := q.load(t), q.hunt()
	h.Meter = nobody
	rate, why, err := l.Ceiling(t.Context(), serve(t, nobody.ServeHTTP), h)
	if err != nil || why != "" || rate > 200 || rate < 180 {
		t.Fatalf("%v, %s, %v/s, want a little less than 200", err, why, rate)
	}
	h.Meter, h.Ceiling = q, rate
	f, err := l.Capacity(t.Context(), h)
	if err != nil || f.Capacity.End != trial.AtLeast || f.Capacity.Holds != rate || f.Failure() == nil ||
		!strings.Contains(f.Failure().Error(), "requests/s, as the generator's ceiling is ") {
		t.Errorf("%v, %+v", err, f)
	}
	h.Spoilt = func(*trial.Measurement, trial.SLO) (string, bool) { return "5 % was stolen", false }
	nobody.requests, h.Meter = 0, nobody
	rate, why, err = l.Ceiling(t.Context(), serve(t, nobody.ServeHTTP), h)
	if rate != 0 || err != nil || !strings.Contains(why, "5 % was stolen") {
		t.Errorf("on a machine that spoils: %v/s, %q, %v", rate, why, err)
	}
}

func TestCapacityThatIsNotFound(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		l, err := New(good("http://127.0.0.1:1/me"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := l.Answers(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Error(err)
		}
	})
	t.Run("all is refused", func(t *testing.T) {
		q := &quota{requests: 1 << 40, answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }}
		if err := q.load(t).Answers(t.Context()); err == nil || !strings.Contains(err.Error(), "see that the header") {
			t.Error(err)
		}
	})
	t.Run("a wrong user", func(t *testing.T) {
		var asked atomic.Int64
		q := &quota{requests: 1 << 40, answer: func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 50 {
				r.Header.Set("Authorization", "Bearer somebody")
			}
			me(w, r)
		}}
		if _, err := q.load(t).Capacity(t.Context(), q.hunt()); err == nil || !strings.Contains(err.Error(), "named another user") {
			t.Error(err)
		}
	})
	t.Run("no rate holds", func(t *testing.T) {
		q := &quota{answer: me}
		f, err := q.load(t).Capacity(t.Context(), q.hunt())
		if err != nil || f.Capacity.End != trial.NoRate || f.Failure() == nil || !strings.Contains(f.Failure().Error(), "no rate down to 100/s") {
			t.Errorf("%v, %+v", err, f)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := &quota{requests: 1 << 40, answer: me}
		l, h := q.load(t), q.hunt()
		tries := 0
		h.Tell = func(trial.Try) {
			if tries++; tries == 3 {
				cancel()
			}
		}
		f, err := l.Capacity(ctx, h)
		if !errors.Is(err, context.Canceled) || f == nil || f.Capacity.Holds != 400 || f.Capacity.End != trial.Undecided ||
			!strings.Contains(err.Error(), "after 3 tries") {
			t.Errorf("%v, %+v", err, f)
		}
	})
}

// Where connections may be what limits, the result says so.
func TestConnectionsInUseAreNoted(t *testing.T) {
	f := &Found{Connections: 64, TrySeconds: 4, Search: trial.Search{SLO: trial.SLO{P99Milliseconds: 100}},
		Knee: &Knee{Rate: 1000, Latency: Percentiles{P50: 31}}}
	if f.note(); len(f.Notes) != 0 {
		t.Errorf("31 of 64: %q", f.Notes)
	}
	f.Knee.Latency.P50 = 40
	if f.note(); len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "about 40 of 64 connections") {
		t.Errorf("40 of 64: %q", f.Notes)
	}
}
