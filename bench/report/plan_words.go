package report

import (
	"cmp"
	"fmt"
	"strings"

	"authbench/bench/arm"
	"authbench/bench/plan"
)

// planNotes say what the figures rest on, marks first.
func planNotes(p plan.Plan, marks marked) (notes []string) {
	t := p.Target
	byNumber := make([]string, len(marks))
	for mark, n := range marks {
		byNumber[n-1] = fmt.Sprintf("%d %s", n, markWords(p, mark))
	}
	notes = append(notes, byNumber...)
	for _, c := range p.Crossings {
		notes = append(notes, fmt.Sprintf("- %s serves more than %s with one %s from %s replicas on.", c.Arm, c.Over,
			storeNames[arm.Of(c.Over).Store()], interval(c.From, number)))
	}
	rates := newSpan()
	for _, a := range p.Arms {
		rates.add(a.MeasuredRate)
	}
	notes = append(notes,
		fmt.Sprintf("- Measured on a CPU without a pause, in a closed loop beside the control: %s to %s requests/s of an arm. Where a CPU has "+
			"pauses a request takes more of it, but there is also room for more requests.", number(rates.low), number(rates.high)),
		fmt.Sprintf("- A log-in takes %s ms of CPU%s: %s cores of every arm's replicas but the control's. A session takes %s.",
			interval(scaled(p.Login.Interval, 1e3), number), source(p.Login), number(p.Logins*p.Login.Estimate), sessionWords(p)))
	if t.RoundTrip > 0 {
		notes = append(notes, fmt.Sprintf("- The round trip of %s takes no CPU. A request that asks the store takes that much longer and, by "+
			"Little's law, %s connections more are in use: rate x round trip.", levelText(t.RoundTrip.String()),
			number(t.Rate*t.RoundTrip.Seconds())))
	}
	notes = append(notes, "- p99: Poisson arrivals, each replica and store a queue, service times exponential; log-ins are left out, for one "+
		"holds a core so long that they belong on replicas of their own.",
		"- Spare nodes, stores' replicas and backups, TLS and the application's own work come on top.")
	for _, m := range p.Missing {
		notes = append(notes, "- Left out: "+m+".")
	}
	return append(notes, "- How: replicas = (rate x CPU per request + log-ins x CPU of one) / (1 - share kept free), rounded up; "+
		"stores likewise, or by memory. Intervals: bootstrap over the run's blocks. "+
		"--json names every figure's formula and the trials that its CPU comes from.")
}

func source(c plan.Constant) string {
	if c.Assumed {
		return " (assumed: " + c.Source + ")"
	}
	return " (" + c.Source + ")"
}

func sessionWords(p plan.Plan) string {
	var parts []string
	seen := map[string]bool{}
	from := ""
	for _, a := range p.Arms {
		store := arm.Of(a.Arm).Factor("store")
		c, there := p.Session[store]
		if !there || seen[store] {
			continue
		}
		seen[store] = true
		parts = append(parts, fmt.Sprintf("%s bytes in %s", number(c.Estimate), cmp.Or(storeNames[store], "a replica")))
		from = source(c)
	}
	if len(parts) == 0 {
		return "none on a server"
	}
	return strings.Join(parts, ", ") + from
}

func markWords(p plan.Plan, m plan.Mark) string {
	switch m {
	case plan.Far:
		return fmt.Sprintf("The target is more than %d times what was measured: laws go on, demands need not.", plan.FarTimes)
	case plan.Sharded:
		return "More than one store: the servers that were measured speak to one, so users have to be dealt out over several."
	case plan.ByMemory:
		return "Memory, not CPU, asks for so many stores."
	case plan.Pool:
		return "The pool that was measured is too small; a replica needs " + poolWords(p) + "."
	case plan.InNodes:
		return "Sessions live in the replicas: the balancer must be sticky, and a node that ends takes its sessions along."
	case plan.Written:
		return "A written session is charged as one more look-up of the store. That was not measured, and a write of PostgreSQL takes more."
	}
	return string(m)
}

func poolWords(p plan.Plan) string {
	var parts []string
	for _, a := range p.Arms {
		for _, m := range a.Marks {
			if m == plan.Pool {
				parts = append(parts, fmt.Sprintf("%d connections in %s", a.PoolNeeded, a.Arm))
			}
		}
	}
	return strings.Join(parts, ", ")
}
