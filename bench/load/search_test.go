package load

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbench/bench/trial"
)

func slo(p99Milliseconds float64, steps int) trial.Search {
	return trial.Search{Steps: steps, SLO: trial.SLO{P99Milliseconds: p99Milliseconds}}
}

// A step's result depends on its rate alone: beyond the capacity it breaks the
// SLO in one of the three ways.
func TestSearchFindsTheCapacity(t *testing.T) {
	for _, breach := range []string{"p99 over 60 ms", "3 errors", "2 dropped"} {
		for _, capacity := range []float64{200, 400, 800, 1000} {
			r, err := Search(slo(60, 9), 1000, func(rate float64) (*trial.StreamResult, error) {
				r := &trial.StreamResult{Seconds: 1, Offered: 1000, Completed: 1000, Outcomes: map[string]int64{trial.Success: 1000},
					Latency: map[string]*trial.Histogram{trial.Success: trial.NewHistogram()}}
				latency := 50 * time.Millisecond
				if rate > capacity {
					switch breach[0] {
					case 'p':
						latency = 70 * time.Millisecond
					case '3':
						r.Outcomes = map[string]int64{trial.Success: 997, trial.Failed: 3}
					case '2':
						r.Dropped, r.Offered = 2, 1002
					}
				}
				r.Latency[trial.Success].Record(latency)
				return r, nil
			})
			if found := r.Stream.Pacing.Rate; err != nil || found > capacity || found < capacity*0.95 || len(r.Notes) != 9 {
				t.Errorf("%s: found %.0f/s of %.0f, %v: %q", breach, found, capacity, err, r.Notes)
			}
			if r.Dropped > 0 || r.Errors() > 0 || r.Latency[trial.Success].Max() > 60*time.Millisecond {
				t.Errorf("%s: the step that is called best broke the SLO", breach)
			}
			if capacity < 1000 && !strings.Contains(strings.Join(r.Notes, " "), breach) {
				t.Errorf("no note says %q: %q", breach, r.Notes)
			}
		}
	}
}

// steps are open ones of 0.3 s against a server.
func steps(ctx context.Context, d *Driver) func(rate float64) (*trial.StreamResult, error) {
	return func(rate float64) (*trial.StreamResult, error) {
		return d.Run(ctx, Phase{Name: "capacity", Mode: trial.Open, Seconds: 0.3, Rate: rate})
	}
}

func TestSearchAgainstAServer(t *testing.T) {
	d := driver(t, serve(t, me), Load{Connections: 16})
	r, err := Search(slo(5000, 3), 200, steps(t.Context(), d))
	if rate := r.Stream.Pacing.Rate; err != nil || rate != 193.75 && rate != 187.5 && rate != 175 || r.Outcomes[trial.Success] != r.Offered ||
		r.Offered == 0 {
		t.Errorf("%v, rate %v, outcomes %v, notes %q", err, rate, r.Outcomes, r.Notes)
	}
	conserved(t, r)
}

func TestSearchThatFindsNothing(t *testing.T) {
	d := driver(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), Load{Connections: 4})
	r, err := Search(slo(60, 2), 200, steps(t.Context(), d))
	if err != nil || r.Stream.Pacing.Rate != 0 || r.Completed == 0 || len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "errors") {
		t.Errorf("%v, rate %v, notes %q; want rate 0 and what was wrong", err, r.Stream.Pacing.Rate, r.Notes)
	}
}

func TestSearchRefusesAndIsCut(t *testing.T) {
	d := driver(t, serve(t, me), Load{Connections: 4})
	if _, err := Search(slo(60, 2), 0, steps(t.Context(), d)); err == nil || !strings.Contains(err.Error(), "ceiling") {
		t.Errorf("no ceiling: %v", err)
	}
	if _, err := Search(slo(0, 2), 100, steps(t.Context(), d)); err == nil || !strings.Contains(err.Error(), "p99") {
		t.Errorf("no SLO: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	r, err := Search(slo(5000, 50), 200, steps(ctx, d))
	if err == nil || r.Stream.Pacing.Rate < 150 || r.Completed == 0 {
		t.Errorf("cut after some steps: %v, rate %v, %d completed", err, r.Stream.Pacing.Rate, r.Completed)
	}
}

func TestBracket(t *testing.T) {
	for _, c := range []struct {
		capacity float64
		want     []float64
	}{
		{1000, []float64{750, 875, 937.5, 968.75}},
		{800, []float64{750, 875, 812.5, 781.25}},
		{500, []float64{750, 562.5, 421.875, 492.1875}},
		{100, []float64{750, 562.5, 421.875, 316.40625}},
	} {
		b := Bracket{High: 1000}
		var tried []float64
		for range c.want {
			rate := b.Middle()
			tried = append(tried, rate)
			b.Narrow(rate, rate <= c.capacity)
		}
		if !slices.Equal(tried, c.want) {
			t.Errorf("capacity %g: tried %v, want %v", c.capacity, tried, c.want)
		}
	}
}
