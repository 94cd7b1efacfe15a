package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"authbench/bench/arm"
	"authbench/bench/trial"
)

var lost = color.NRGBA{0xe0, 0x4f, 0x3f, 0xff}
var kept = color.NRGBA{0x3c, 0x9f, 0x63, 0xff}

func stickyFigures(d *data) []figure { return []figure{lostSessions(d)} }

// place is a way to keep and balance sessions: a row of the picture.
type place struct {
	Arm      trial.Arm
	Balancer trial.Balancer
}

func lostSessions(d *data) figure {
	f := figure{ID: "lost-sessions", Experiment: "sticky",
		Question: "Under which balancer are sessions lost?",
		Caption: "Share of requests by logged-in users that were answered 401; no one logs in again. " +
			"In memory without stickiness, 1 - 1/N is expected: the share of replicas that do not hold the session. None lost of n bounds the share by 3/n. " + d.sample("sticky"),
		Table: table{Head: []string{"arm", "balancer", "replicas", "lost", "requests", "expected"}}}
	var chart gridChart
	counts := d.replicaCounts("sticky")
	for _, n := range counts {
		chart.Columns = append(chart.Columns, fmt.Sprintf("N = %d", n))
	}
	for _, p := range d.places("sticky") {
		var cells []cell
		for _, n := range counts {
			i := d.lostShare(trial.Selector{Cell: trial.NewCell("arm", p.Arm, "balancer", p.Balancer, "replicas", n), Step: journeyStep})
			cells = append(cells, lostCell(p, n, i))
			if i.N == 0 {
				continue
			}
			f.Table.Rows = append(f.Table.Rows, []string{armLabel(p.Arm), string(p.Balancer), strconv.Itoa(n),
				lostText(i), count(int64(i.N)), expectation(p, n)})
			f.Alt += fmt.Sprintf("%s, %s, N=%d: %s. ", armLabel(p.Arm), p.Balancer, n, share(i))
		}
		chart.Rows = append(chart.Rows, armLabel(p.Arm)+"\n"+string(p.Balancer))
		chart.Cells = append(chart.Cells, cells)
	}
	return f.with(chart, len(f.Table.Rows))
}

func lostText(i trial.Interval) string {
	if i.Estimate == 0 {
		return "0 (<" + nbsp + percent(3/float64(i.N)) + ")"
	}
	return percent(i.Estimate)
}

// expectation is what theory says of a cell, where it says something.
func expectation(p place, n int) string {
	if arm.Of(p.Arm).Loses(p.Balancer) {
		return percent(1 - 1/float64(n))
	}
	return absent
}

func lostCell(p place, n int, i trial.Interval) cell {
	switch {
	case i.N == 0:
		return cell{Share: math.NaN(), Text: "not measured"}
	case i.Estimate == 0:
		return cell{Share: 0.25, Colour: kept, Text: "0 of " + count(int64(i.N)) + "\n(<" + nbsp + percent(3/float64(i.N)) + ")"}
	}
	text := percent(i.Estimate)
	if e := expectation(p, n); e != absent {
		text += "\nexpected " + e
	}
	return cell{Share: i.Estimate, Colour: lost, Text: text}
}

// places lists the rows: arms in their usual order, balancers in theirs.
func (d *data) places(experiment string) []place {
	var found []place
	for _, at := range d.cells(experiment) {
		found = append(found, place{at.Spec().System.Arm, at.Spec().System.Balancer})
	}
	arms, balancers := d.arms(experiment), trial.Balancers()
	slices.SortFunc(found, func(a, b place) int {
		if x := slices.Index(arms, a.Arm) - slices.Index(arms, b.Arm); x != 0 {
			return x
		}
		if x := slices.Index(balancers, a.Balancer) - slices.Index(balancers, b.Balancer); x != 0 {
			return x
		}
		return strings.Compare(string(a.Balancer), string(b.Balancer))
	})
	return slices.Compact(found)
}

// lostShare pools the lost sessions of a cell over all blocks; N is the requests.
func (d *data) lostShare(sel trial.Selector) trial.Interval {
	var lost, requests float64
	for _, j := range d.journeys("sticky", sel) {
		lost += j.Counters["lost_sessions"]
		requests += j.Counters["authenticated_requests"]
	}
	if !(requests > 0) {
		return trial.Interval{}
	}
	return trial.Interval{Estimate: lost / requests, Low: math.NaN(), High: math.NaN(), N: int(requests)}
}
