package load

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"authbench/bench/trial"
)

// Search looks for the highest rate at which the SLO of s holds. It knows a
// system by what try says of a rate alone, and rests on no throughput: it
// doubles the rate from a low start until one fails, halves the interval between
// what holds and what fails until it is as narrow as the resolution, and then
// repeats both ends. A rate holds if every try of it does, and fails if every
// one fails: where they do not agree the interval widens to the next rate that
// is clear. So its ends are not where luck put them, and it comes out as wide as
// the system is unsteady.
//
// The ceiling (requests per second, 0 for none) is the generator's own: no
// higher rate is tried, and a system that holds there has "at least" it. So has
// one that breaks the SLO only where tries are [trial.Limited]. A spoiled try is
// made again, up to four times at a rate: then the search goes on as if the rate
// had failed, and if its answer rests on that it is undecided.
//
// The error is try's, and what was found until then comes along.
func Search(s trial.Search, ceiling float64, try func(rate float64) (trial.Try, error)) (trial.Capacity, error) {
	if err := s.Check(); err != nil {
		return trial.Capacity{}, err
	}
	if ceiling <= 0 {
		ceiling = math.Inf(1)
	}
	h := hunt{Search: s.Filled(), ceiling: ceiling}
	for {
		h.sum()
		rate, end, why := h.next()
		switch {
		case end != "":
			return h.found(end, why), nil
		case len(h.tries) >= h.Steps:
			return h.found(trial.Undecided, fmt.Sprintf("%d tries were not enough", len(h.tries))), nil
		case h.Seconds > 0 && h.spent >= h.Seconds:
			return h.found(trial.Undecided, fmt.Sprintf("%.0f s were not enough", h.spent)), nil
		}
		t, err := try(rate)
		if err != nil {
			return h.found(trial.Undecided, fmt.Sprintf("it was cut off after %d tries: %v", len(h.tries), err)), err
		}
		t.Rate = rate
		h.tries, h.spent = append(h.tries, t), h.spent+t.Seconds
	}
}

const (
	spoiledAtMost = 4    // tries of one rate, more than of the others
	fewest        = 20.0 // requests in a try, below which its p99 says nothing
	growth        = 2    // of the rate while nothing has failed, and inverse
)

// hunt is a search under way.
type hunt struct {
	trial.Search
	ceiling float64
	tries   []trial.Try
	spent   float64 // seconds

	rates     []tally // all that were tried, from the lowest up
	low, high int     // among them: the interval's ends, -1 where there is none
}

// tally is what came of all tries of one rate.
type tally struct {
	rate float64
	of   map[trial.Outcome]int
}

// is what the tries say together; "" where they do not agree.
func (t tally) is() trial.Outcome {
	switch held, broke, limited := t.of[trial.Held], t.of[trial.Broke], t.of[trial.Limited]; {
	case held > 0 && broke+limited == 0:
		return trial.Held
	case held > 0:
		return ""
	case broke > 0:
		return trial.Broke
	case limited > 0:
		return trial.Limited
	}
	return trial.Spoiled
}

// worn says whether the machine has spoiled too many tries of a rate.
func (t tally) worn() bool {
	sound := t.of[trial.Held] + t.of[trial.Broke] + t.of[trial.Limited]
	return t.of[trial.Spoiled] >= spoiledAtMost+sound
}

// sum adds up the tries, and finds the interval: from the highest rate that holds
// to the lowest above it that does not. Between them are only rates whose tries
// do not agree.
func (h *hunt) sum() {
	h.rates = nil
	for _, t := range h.tries {
		i, there := slices.BinarySearchFunc(h.rates, t.Rate, func(a tally, rate float64) int { return cmp.Compare(a.rate, rate) })
		if !there {
			h.rates = slices.Insert(h.rates, i, tally{t.Rate, map[trial.Outcome]int{}})
		}
		h.rates[i].of[t.Outcome]++
	}
	h.low, h.high = -1, -1
	for i, r := range h.rates {
		switch r.is() {
		case trial.Held:
			h.low, h.high = i, -1
		case trial.Broke, trial.Limited, trial.Spoiled:
			if h.high < 0 {
				h.high = i
			}
		}
	}
}

// next is the rate to try, or how the search ends.
func (h *hunt) next() (rate float64, end trial.End, why string) {
	for _, r := range h.rates {
		if r.is() == trial.Spoiled && !r.worn() {
			return r.rate, "", ""
		}
	}
	switch {
	case len(h.rates) == 0:
		return min(h.From, h.ceiling), "", ""
	case h.low < 0:
		return h.down()
	case h.high < 0:
		if top := h.rates[len(h.rates)-1].rate; top < h.ceiling {
			return min(growth*top, h.ceiling), "", ""
		}
	}
	return h.close()
}

// down looks for a rate that holds, where none has yet.
func (h *hunt) down() (rate float64, end trial.End, why string) {
	lowest := h.rates[0]
	if rate = lowest.rate / growth; rate*h.tries[0].Seconds >= fewest {
		return rate, "", ""
	}
	switch again, worn := h.again(lowest, trial.Broke); {
	case lowest.is() == trial.Limited:
		return 0, trial.Undecided, fmt.Sprintf("the generator is at its own ceiling at %g/s, where nothing held yet", lowest.rate)
	case lowest.is() == trial.Spoiled || worn:
		return 0, trial.Undecided, h.spoiltAt(lowest)
	case again:
		return lowest.rate, "", ""
	}
	return 0, trial.NoRate, fmt.Sprintf("%g/s did not hold either: %s", lowest.rate, h.last(lowest.rate).Why)
}

// close narrows the interval, and repeats its ends.
func (h *hunt) close() (rate float64, end trial.End, why string) {
	low := h.rates[h.low]
	above := h.rates[h.low+1:] // up to the end that fails only mixed ones
	if h.high >= 0 {
		above = h.rates[h.low+1 : h.high+1]
	}
	if len(above) > 0 {
		below := low // of the rates that were tried the next below the end that fails
		if n := len(above); n > 1 {
			below = above[n-2]
		}
		if rate, wide := h.between(low.rate, above[0].rate); wide {
			return rate, "", ""
		}
		if rate, wide := h.between(below.rate, above[len(above)-1].rate); wide && h.high >= 0 {
			return rate, "", ""
		}
	}
	switch again, worn := h.again(low, trial.Held); {
	case worn:
		return 0, trial.Undecided, h.spoiltAt(low)
	case again:
		return low.rate, "", ""
	case h.high < 0:
		return 0, trial.AtLeast, fmt.Sprintf("the generator's ceiling is %g requests/s", h.ceiling)
	}
	high := h.rates[h.high]
	switch again, worn := h.again(high, trial.Broke); {
	case high.is() == trial.Limited:
		return 0, trial.AtLeast, fmt.Sprintf("at %g/s the generator is at its own ceiling: %s", high.rate, h.last(high.rate).Why)
	case high.is() == trial.Spoiled || worn:
		return 0, trial.Undecided, h.spoiltAt(high)
	case again:
		return high.rate, "", ""
	}
	return 0, trial.Found, fmt.Sprintf("%g/s held %d times of %d, %g/s broke %d of %d: %s", low.rate, low.of[trial.Held], low.of[trial.Held],
		high.rate, high.of[trial.Broke], high.of[trial.Broke], h.last(high.rate).Why)
}

// between is a rate halfway between two, if they lie further apart than the
// resolution. It has three digits.
func (h *hunt) between(low, high float64) (rate float64, wide bool) {
	rate, _ = strconv.ParseFloat(strconv.FormatFloat(math.Sqrt(low*high), 'g', 3, 64), 64)
	return rate, high > low*(1+h.Resolution)
}

// again says whether an end of the interval wants another try before its outcome
// counts, or has worn out too many. The try that made it an end was chosen for
// its outcome, so the repeats come on top of it.
func (h *hunt) again(t tally, o trial.Outcome) (again, worn bool) {
	again = t.of[o] <= h.Repeats
	return again, again && t.worn()
}

func (h *hunt) spoiltAt(t tally) string {
	return fmt.Sprintf("at %g/s %d tries were spoiled by the machine: %s", t.rate, t.of[trial.Spoiled], h.last(t.rate, trial.Spoiled).Why)
}

// last is the last try of a rate that did not hold.
func (h *hunt) last(rate float64, of ...trial.Outcome) (last trial.Try) {
	for _, t := range h.tries {
		if t.Rate == rate && t.Outcome != trial.Held && (len(of) == 0 || slices.Contains(of, t.Outcome)) {
			last = t
		}
	}
	return last
}

// found is what is known at the end.
func (h *hunt) found(end trial.End, why string) trial.Capacity {
	c := trial.Capacity{End: end, Why: why, Tries: h.tries}
	if h.low >= 0 {
		c.Holds = h.rates[h.low].rate
	}
	if h.high >= 0 {
		c.Fails = h.rates[h.high].rate
	}
	return c
}

// Judge says what came of a try: result is what the driver measured, and spoilt
// says why the machine, or the generator at its ceiling, may be what broke the
// SLO; "" where neither can be.
func Judge(r *trial.StreamResult, slo trial.SLO, spoilt string, limited bool) trial.Try {
	t := trial.Try{Rate: r.Stream.Pacing.Rate, Outcome: trial.Held, Why: breach(r, slo),
		P99Milliseconds: float64(r.Latency[trial.Success].Quantile(0.99)) / float64(time.Millisecond)}
	switch {
	case t.Why == "":
		return t
	case spoilt == "":
		t.Outcome = trial.Broke
		return t
	case limited:
		t.Outcome = trial.Limited
	default:
		t.Outcome = trial.Spoiled
	}
	t.Why += ", but " + spoilt
	return t
}

// breach says how a try failed the SLO; empty if it held.
func breach(r *trial.StreamResult, slo trial.SLO) string {
	p99 := r.Latency[trial.Success].Quantile(0.99)
	switch {
	case r.Dropped > 0:
		return fmt.Sprintf("%d dropped", r.Dropped)
	case r.Errors() > 0:
		return fmt.Sprintf("%d errors", r.Errors())
	case r.Completed == 0:
		return "nothing was asked"
	case float64(p99)/float64(time.Millisecond) > slo.P99Milliseconds:
		return fmt.Sprintf("p99 over %g ms", slo.P99Milliseconds)
	}
	return ""
}
