package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

// journeyStep is the step that a k6 script makes.
const journeyStep = "journey"

func revokeFigures(d *data) []figure { return []figure{revocationLag(d)} }

func revocationLag(d *data) figure {
	f := figure{ID: "revocation-lag", Experiment: "revoke",
		Question: "How long do replicas accept a credential after log-out?",
		Caption: "Longest time from the answer to a log-out to the last 2xx on any replica. The stroke marks what was left of a JWT's life " +
			"at log-out: a token that nobody can revoke lives on for as long. " + d.sample("revoke"),
		Table: table{Head: []string{"arm", "lifetime", "longest lag (s)", "lag / rest of life", "blocks"}}}
	chart := rowChart{XLabel: "seconds after log-out", Zero: true, Key: []keyEntry{{keyDot, "longest lag"}, {keyExpected, "rest of the token's life at log-out"}}}
	for _, a := range d.arms("revoke") {
		for _, life := range d.lifetimes("revoke", a) {
			sel := trial.Selector{Cell: trial.NewCell("arm", a, "lifetime", life), Step: journeyStep}
			lag := d.estimate("revocation_lag_max_seconds", "revoke", sel)
			if lag.N == 0 {
				continue
			}
			r := row{Label: armLabel(a), Colour: armColour(a), Dots: []trial.Interval{lag}, Note: seconds(lag.Estimate)}
			rest := absent
			if arm.Of(a).Ends == arm.AtExpiry {
				r.Label += ", " + lifeText(life)
				r.Expected = d.restOfLife(sel)
				rest = interval(d.estimate("revocation_lag_share", "revoke", sel), percent)
			}
			chart.Rows = append(chart.Rows, r)
			f.Table.Rows = append(f.Table.Rows, []string{armLabel(a), lifeText(life), interval(lag, number), rest, strconv.Itoa(lag.N)})
			f.Alt += fmt.Sprintf("%s, lifetime %s: %s. ", armLabel(a), lifeText(life), seconds(lag.Estimate))
		}
	}
	return f.with(chart, len(chart.Rows))
}

// lifeText is a lifetime without its empty parts: 1h, not 1h0m0s.
func lifeText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func seconds(s float64) string {
	if s < 0.1 {
		return number(s*1000) + nbsp + "ms"
	}
	return number(s) + nbsp + "s"
}

// restOfLife is the longest life that a credential had left at log-out, the
// mean over blocks; nothing where the script did not say.
func (d *data) restOfLife(sel trial.Selector) []float64 {
	var rests []float64
	for _, j := range d.journeys("revoke", sel) {
		if left := j.Samples["remaining_life_seconds"]; len(left) > 0 {
			rests = append(rests, slices.Max(left))
		}
	}
	if rest := estimateOf(rests); rest.N > 0 {
		return []float64{rest.Estimate}
	}
	return nil
}

// lifetimes are those under which an arm ran, shortest first.
func (d *data) lifetimes(experiment string, a trial.Arm) []time.Duration {
	var found []time.Duration
	for _, at := range d.cells(experiment) {
		if s := at.Spec().System; s.Arm == a {
			found = append(found, s.Lifetime())
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
