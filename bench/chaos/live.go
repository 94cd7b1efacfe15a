// Package chaos tells a person what users get of a system while parts of it
// break: a line a second while it happens, a line for each thing that happens to
// a fault, and a paragraph at the end.
//
// In come what a generator counts second by second and the marks of faults; out
// comes text for a terminal. It starts, breaks and measures nothing.
package chaos

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// columns are what a line tells of a second, beside the latency.
var columns = []struct {
	head    string
	classes []string
	sign    string // in the bar
	colour  int    // of the terminal
}{
	{"2xx", []string{trial.Success}, "█", 32},
	{"401", []string{trial.Refused}, "▒", 33},
	{"5xx", []string{trial.Failed}, "░", 31},
	{"other", []string{trial.Shed, trial.Other, trial.Transport}, "·", 35},
	{"wrong user", []string{trial.WrongUser}, "!", 41},
}

// bold is a style of the terminal.
const bold = 1

// barWidth is how many characters a bar has.
const barWidth = 20

// Live writes what happens as it happens. Its methods may be called from several
// goroutines.
type Live struct {
	w      io.Writer
	colour bool
	main   string   // key of the stream of valid users
	beside []string // keys of the streams that must be refused
	write  func(trial.Fault) string

	mu     sync.Mutex
	broken int              // faults in effect
	told   map[string]*told // by what the fault was asked for as
}

// told is what has been told of a fault.
type told struct {
	moments map[string]bool
	why     string
}

// NewLive tells of the stream main and, of those beside it, what was let in. write
// writes a fault as it was asked for.
func NewLive(w io.Writer, colour bool, main string, beside []string, write func(trial.Fault) string) *Live {
	return &Live{w: w, colour: colour, main: main, beside: beside, write: write, told: map[string]*told{}}
}

// Plan says what is to come and heads the table.
func (l *Live) Plan(faults []trial.Fault) {
	for _, f := range faults {
		fmt.Fprintf(l.w, "planned: %s from %s to %s\n", l.short(f), seconds(f.At), seconds(f.At+f.Lasts))
	}
	fmt.Fprint(l.w, "\n       s")
	for _, c := range columns {
		fmt.Fprintf(l.w, " %*s", width(c.head), c.head)
	}
	fmt.Fprintf(l.w, " %6s %8s %8s\n", "let in", "p50 ms", "p99 ms")
}

// short is a fault without its times.
func (l *Live) short(f trial.Fault) string {
	f.At, f.Lasts = 0, 0
	return l.write(f)
}

func width(head string) int { return max(6, len(head)) }

// seconds is a moment for a reader: "10 s", "10.3 s".
func seconds(s float64) string { return fmt.Sprintf("%g s", math.Round(s*10)/10) }

// Second tells of a second that is over.
func (l *Live) Second(s load.Second) {
	of, counts, total := s.Streams[l.main], make([]int64, len(columns)), int64(0)
	for i, c := range columns {
		for _, class := range c.classes {
			counts[i] += of.Outcomes[class]
		}
		total += counts[i]
	}
	letIn := int64(0)
	for _, key := range l.beside {
		letIn += s.Streams[key].Outcomes[trial.UnauthorizedSuccess]
	}
	if s.Last && total == 0 {
		return
	}
	var b strings.Builder
	for i, c := range columns {
		fmt.Fprintf(&b, " %*s", width(c.head), number(counts[i]))
	}
	fmt.Fprintf(&b, " %6s %8s %8s  ", number(letIn), ms(of.Latency, total, 0.5), ms(of.Latency, total, 0.99))
	b.WriteString(l.bar(counts, total))
	l.mu.Lock()
	defer l.mu.Unlock()
	edge := " "
	if l.broken > 0 {
		edge = "│"
	}
	fmt.Fprintf(l.w, "%s%7g%s\n", edge, s.At, strings.TrimRight(b.String(), " "))
}

// number is a count of a table in which most are 0.
func number(n int64) string {
	if n == 0 {
		return "."
	}
	return fmt.Sprint(n)
}

func ms(h *trial.Histogram, n int64, q float64) string {
	if n == 0 {
		return "."
	}
	return fmt.Sprintf("%.2f", float64(h.Quantile(q))/float64(time.Millisecond))
}

// bar shows the shares of a second's answers. Of what there was at all something is seen.
func (l *Live) bar(counts []int64, total int64) string {
	var b strings.Builder
	left := barWidth
	parts := make([]int, len(counts))
	for i := len(counts) - 1; i > 0; i-- {
		if counts[i] > 0 {
			parts[i] = min(max(1, int(math.Round(barWidth*float64(counts[i])/float64(total)))), left)
			left -= parts[i]
		}
	}
	if counts[0] > 0 { // successes have what is left
		parts[0] = max(1, left)
	}
	for i, c := range columns {
		b.WriteString(l.paint(strings.Repeat(c.sign, parts[i]), c.colour))
	}
	return b.String()
}

func (l *Live) paint(text string, colour int) string {
	if !l.colour || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}

// Mark tells what has happened to a fault since it was told of last.
func (l *Live) Mark(m trial.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := l.write(m.Fault)
	t := l.told[name]
	if t == nil {
		t = &told{moments: map[string]bool{}}
		l.told[name] = t
	}
	say := func(at *float64, sign, what string) {
		when := ""
		if at != nil {
			when = fmt.Sprintf("%.2f", *at)
		}
		fmt.Fprintf(l.w, "%s%7s %s\n", sign, when, l.paint(l.short(m.Fault)+" "+what, bold))
	}
	for _, s := range []struct {
		at         *float64
		sign, what string
	}{{m.Begun, "▶", "is asked for"}, {m.InEffect, "●", "is in effect"}, {m.Ended, "■", "is to end"}, {m.Recovered, "○", "is over"}} {
		if s.at == nil || t.moments[s.what] {
			continue
		}
		t.moments[s.what] = true
		say(s.at, s.sign, s.what)
		switch {
		case s.at == m.InEffect:
			l.broken++
		case s.at == m.Recovered && m.InEffect != nil:
			l.broken--
		}
	}
	if m.Why != t.why {
		t.why = m.Why
		say(nil, "✘", m.Why)
	}
}
