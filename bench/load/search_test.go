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

func searchPhase(steps int) trial.Phase {
	return trial.Phase{Name: "capacity", Mode: trial.Search, Steps: steps, Seconds: 0.3, SLO: &trial.SLO{P99Milliseconds: 60}}
}

// A step's result depends on its rate alone: beyond the capacity it breaks the
// SLO in one of the three ways.
func TestSearchFindsTheCapacity(t *testing.T) {
	for _, breach := range []string{"p99 over 60 ms", "3 errors", "2 dropped"} {
		for _, capacity := range []float64{200, 400, 800, 1000} {
			m, err := search(searchPhase(9), 1000, func(step trial.Phase) (trial.Measurement, error) {
				m := trial.Measurement{Phase: step, Seconds: 1, Offered: 1000, Completed: 1000, Outcomes: map[string]int64{trial.Success: 1000},
					Latency: map[string]*trial.Histogram{trial.Success: trial.NewHistogram()}}
				latency := 50 * time.Millisecond
				if step.Rate > capacity {
					switch breach[0] {
					case 'p':
						latency = 70 * time.Millisecond
					case '3':
						m.Outcomes = map[string]int64{trial.Success: 997, trial.Failed: 3}
					case '2':
						m.Dropped, m.Offered = 2, 1002
					}
				}
				m.Latency[trial.Success].Record(latency)
				return m, nil
			})
			if err != nil || m.Phase.Rate > capacity || m.Phase.Rate < capacity*0.95 || m.Phase.Mode != trial.Search || len(m.Notes) != 9 {
				t.Errorf("%s: found %.0f/s of %.0f, %v: %q", breach, m.Phase.Rate, capacity, err, m.Notes)
			}
			if m.Dropped > 0 || m.Errors() > 0 || m.Latency[trial.Success].Max() > 60*time.Millisecond {
				t.Errorf("%s: the step that is called best broke the SLO", breach)
			}
			if capacity < 1000 && !strings.Contains(strings.Join(m.Notes, " "), breach) {
				t.Errorf("no note says %q: %q", breach, m.Notes)
			}
		}
	}
}

func TestSearchAgainstAServer(t *testing.T) {
	d := driver(t, serve(t, me), trial.Load{Connections: 16})
	p := searchPhase(3)
	p.SLO.P99Milliseconds = 5000
	m, err := d.Search(context.Background(), p, 200)
	if err != nil || m.Phase.Rate != 193.75 && m.Phase.Rate != 187.5 && m.Phase.Rate != 175 || m.Outcomes[trial.Success] != m.Offered || m.Offered == 0 {
		t.Errorf("%v, rate %v, outcomes %v, notes %q", err, m.Phase.Rate, m.Outcomes, m.Notes)
	}
	conserved(t, m)
}

func TestSearchThatFindsNothing(t *testing.T) {
	d := driver(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), trial.Load{Connections: 4})
	m, err := d.Search(context.Background(), searchPhase(2), 200)
	if err != nil || m.Phase.Rate != 0 || m.Completed == 0 || len(m.Notes) != 2 || !strings.Contains(m.Notes[0], "errors") {
		t.Errorf("%v, rate %v, notes %q; want rate 0 and what was wrong", err, m.Phase.Rate, m.Notes)
	}
}

func TestSearchRefusesAndIsCut(t *testing.T) {
	d := driver(t, serve(t, me), trial.Load{Connections: 4})
	if _, err := d.Search(context.Background(), searchPhase(2), 0); err == nil || !strings.Contains(err.Error(), "ceiling") {
		t.Errorf("no ceiling: %v", err)
	}
	p := searchPhase(2)
	p.SLO = nil
	if _, err := d.Search(context.Background(), p, 100); err == nil || !strings.Contains(err.Error(), "p99") {
		t.Errorf("no SLO: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	p = searchPhase(50)
	p.SLO.P99Milliseconds = 5000
	m, err := d.Search(ctx, p, 200)
	if err == nil || m.Phase.Rate < 150 || m.Completed == 0 {
		t.Errorf("cut after some steps: %v, rate %v, %d completed", err, m.Phase.Rate, m.Completed)
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
