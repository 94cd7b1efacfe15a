package solo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// Hunt says how to search for the capacity of what a [Load] is aimed at. Of the
// load's own settings, Rate is where the search begins and For the length of a try.
type Hunt struct {
	trial.Search
	Ceiling float64 // the generator's own, requests per second: see [Load.Ceiling]; 0 is unknown
	Meter   Meter

	// Spoilt says why the rate or the tail of latency that a try shows may not be the
	// server's own, "" if nothing speaks against it, and whether that is because the
	// generator was at its ceiling.
	Spoilt func(*trial.Measurement, trial.SLO) (why string, limited bool)
	Tell   func(trial.Try)        // hears of each try as it ends
	Room   map[trial.Tier]float64 // CPUs that each tier can use at most; none where nothing is known of tiers
}

// Meter reads what is used beside a try.
type Meter interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) (trial.Usage, error) // since Start
}

// How the generator's own ceiling is searched for: against what costs next to
// nothing, so a short try tells.
const (
	ceilingTry  = 500 * time.Millisecond
	ceilingFrom = 2000
)

// Ceiling is the highest rate at which the generator itself holds the SLO: with
// the same requests, sent to what answers them for next to nothing, such as
// nginx's own status page. It is 0, and why says why, where the machine did not
// let it be measured; the tries of a search show then when the generator is busy.
func (l *Load) Ceiling(ctx context.Context, url string, h Hunt) (rate float64, why string, err error) {
	s := l.settings
	s.URL, s.For = url, ceilingTry
	s.Credentials = slices.Clone(s.Credentials)
	for i := range s.Credentials {
		s.Credentials[i].User = "" // whom nobody names in an answer there
	}
	bare, err := New(s)
	if err != nil {
		return 0, "", err
	}
	defer bare.Close()
	h.Search = trial.Search{Steps: 30, SLO: h.SLO, From: ceilingFrom, Resolution: 0.1, Repeats: 1}
	h.Ceiling, h.Tell = 0, func(trial.Try) {}
	found, _, err := bare.search(ctx, h)
	if err != nil || found.End == trial.Undecided || found.End == trial.NoRate {
		return 0, found.Why, err
	}
	return found.Holds, "", nil
}

// Answers warms the server up at the first rate, and says what is wrong if no
// request succeeds: before any other is sent for a search.
func (l *Load) Answers(ctx context.Context) error {
	m, err := l.warm(ctx, time.Second)
	if err != nil {
		return err
	}
	r := newResult(l.settings, m)
	return r.Failure()
}

// Capacity searches for the highest rate that the server holds. When ctx ends
// before, the error wraps ctx's, and the result holds what was found until then;
// it is nil if no rate was tried. A search that finds none is no error: see
// [Found.Failure].
func (l *Load) Capacity(ctx context.Context, h Hunt) (*Found, error) {
	s := l.settings
	if err := h.Check(); err != nil {
		return nil, err
	}
	started := time.Now()
	capacity, tries, err := l.search(ctx, h)
	if len(capacity.Tries) == 0 {
		return nil, err
	}
	f := &Found{URL: s.URL, Arrivals: s.Arrivals, Connections: s.Connections, Sources: s.Sources, Credentials: len(s.Credentials),
		Search: h.Filled(), TrySeconds: s.For.Seconds(), Ceiling: h.Ceiling, Started: started.UTC(), Seconds: time.Since(started).Seconds(),
		Capacity: capacity, Notes: []string{}}
	if at, ok := tries[capacity.Holds]; ok {
		f.Knee = newKnee(capacity.Holds, at, h.Room)
	}
	f.note()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w after %d tries", ctx.Err(), len(capacity.Tries))
	}
	return f, err
}

// search tries rates, and returns a try of each: the last that held, if one did.
func (l *Load) search(ctx context.Context, h Hunt) (trial.Capacity, map[float64]trial.Measurement, error) {
	tries := map[float64]trial.Measurement{}
	s := l.settings
	found, err := load.Search(h.Search, h.Ceiling, func(rate float64) (trial.Try, error) {
		if err := h.Meter.Start(ctx); err != nil {
			return trial.Try{}, err
		}
		started := time.Now()
		s.Rate = rate
		r, err := l.driver.Run(ctx, s.phase("try", s.For))
		took := time.Since(started)
		usage, uerr := h.Meter.Stop(ctx)
		switch {
		case err != nil:
			return trial.Try{}, err
		case uerr != nil:
			return trial.Try{}, uerr
		case r.Outcomes[trial.WrongUser] > 0:
			return trial.Try{}, fmt.Errorf("%d answers at %g/s named another user than the credential's: no figure of this server can stand",
				r.Outcomes[trial.WrongUser], rate)
		}
		m := trial.Measurement{Step: "try", Started: started, Seconds: took.Seconds(), Streams: map[string]*trial.StreamResult{trial.Main: r},
			Usage: usage}
		why, limited := h.Spoilt(&m, h.SLO)
		t := load.Judge(r, h.SLO, why, limited)
		t.Seconds = took.Seconds()
		if _, ok := tries[rate]; !ok || t.Outcome == trial.Held {
			tries[rate] = m
		}
		h.Tell(t)
		return t, nil
	})
	return found, tries, err
}

// note says what keeps the figures from being the server's alone.
func (f *Found) note() {
	if need := f.Search.TrySeconds(); f.TrySeconds < need {
		f.Notes = append(f.Notes, fmt.Sprintf("a try of %g s shows no queue that grows by less than %.0f %%, so what was found may be that "+
			"much too high: try for %g s or longer", f.TrySeconds, 100*f.Search.SLO.P99Milliseconds/1000/f.TrySeconds, need))
	}
	if f.Knee == nil {
		return
	}
	// Little's law, with the median for the mean: requests in flight are rate times latency.
	if busy := f.Knee.Rate * f.Knee.Latency.P50 / 1000; busy > float64(f.Connections)/2 {
		f.Notes = append(f.Notes,
			fmt.Sprintf("about %.0f of %d connections were in use at once: more of them might hold more", busy, f.Connections))
	}
}

// Failure is nil if a capacity was found; otherwise it says how the search ended.
func (f *Found) Failure() error {
	switch f.Capacity.End {
	case trial.Found:
		return nil
	case trial.AtLeast:
		return fmt.Errorf("the capacity was not reached: it is %s, as %s", f.Capacity, f.Capacity.Why)
	case trial.NoRate:
		return fmt.Errorf("no rate down to %g/s holds %s", f.Capacity.Lowest(), f.Search.SLO)
	}
	return fmt.Errorf("the capacity cannot be told from these tries: %s", f.Capacity)
}

// warm loads for a time without measuring, and says if nobody answers.
func (l *Load) warm(ctx context.Context, d time.Duration) (*trial.StreamResult, error) {
	m, err := l.driver.Run(ctx, l.settings.phase("warm-up", d))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("nothing was measured yet: %w", ctx.Err())
	case err != nil:
		return nil, err
	case m.Completed > 0 && m.Outcomes[trial.Transport] == m.Completed: // do not wait for more of it
		return nil, fmt.Errorf("%s does not answer: %s", l.settings.URL, strings.Join(m.Notes, "; "))
	}
	return m, nil
}
