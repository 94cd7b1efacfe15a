package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress tells a person how far a run is and how long it will take: one line
// that renews itself on a terminal, a line every few seconds elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	width    int
	now      func() time.Time
	started  time.Time
	last     time.Time
	done     float64 // estimated seconds of what is done
	open     bool    // a line stands on the terminal without its newline
}

func newProgress(w io.Writer, now func() time.Time) *progress {
	p := &progress{w: w, now: now, started: now(), width: 100}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			p.width = width
		}
	}
	return p
}

// step says what comes next, its number of total, and the estimated seconds
// left including it. The estimate is scaled by how the past ones held.
func (p *progress) step(what string, number, total int, left float64) {
	elapsed := p.now().Sub(p.started).Seconds()
	if p.done > 5 {
		left *= elapsed / p.done
	}
	line := fmt.Sprintf("[%d/%d] %s left  %s", number, total, (time.Duration(left) * time.Second).String(), what)
	if p.terminal {
		if len(line) > p.width-1 {
			line = line[:p.width-1]
		}
		fmt.Fprintf(p.w, "\r%-*s", p.width-1, line)
		p.open = true
		return
	}
	if number == 1 || number == total || p.now().Sub(p.last) >= 10*time.Second {
		p.last = p.now()
		fmt.Fprintln(p.w, line)
	}
}

// finished adds the estimated seconds of a step that is done.
func (p *progress) finished(estimate float64) { p.done += estimate }

// say prints a line of its own.
func (p *progress) say(format string, args ...any) {
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// clear takes the renewing line away, so that others may write.
func (p *progress) clear() {
	if p.open {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width-1))
		p.open = false
	}
}
