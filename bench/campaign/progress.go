package campaign

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Progress tells a person how far a run is and how long it will take: one line
// that renews itself on a terminal, a line every few seconds elsewhere.
type Progress struct {
	w        io.Writer
	terminal bool
	width    int
	now      func() time.Time
	started  time.Time
	last     time.Time
	done     float64 // estimated seconds of what is done
	open     bool    // a line stands on the terminal without its newline
}

// NewProgress writes to w, which may be a terminal.
func NewProgress(w io.Writer, now func() time.Time) *Progress {
	p := &Progress{w: w, now: now, started: now(), width: 100}
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
func (p *Progress) step(what string, number, total int, left float64) {
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
func (p *Progress) finished(estimate float64) { p.done += estimate }

// Say prints a line of its own.
func (p *Progress) Say(format string, args ...any) {
	p.Clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// Clear takes the renewing line away, so that others may write.
func (p *Progress) Clear() {
	if p.open {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width-1))
		p.open = false
	}
}
