package chaos

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authbench/bench/load"
	"authbench/bench/trial"
)

// ended are requests that took a millisecond each.
func ended(outcomes map[string]int64) load.Ended {
	e := load.Ended{Outcomes: outcomes, Latency: trial.NewHistogram()}
	for _, n := range outcomes {
		for range n {
			e.Latency.Record(time.Millisecond)
		}
	}
	return e
}

func second(at float64, main map[string]int64, letIn int64) load.Second {
	return load.Second{At: at, Streams: map[string]load.Ended{"0/main": ended(main), "0/forged": ended(map[string]int64{
		trial.Refused: 4, trial.UnauthorizedSuccess: letIn})}}
}

func text(f trial.Fault) string {
	if f.At > 0 {
		return f.Kind + ":" + f.Target + "@1s+2s"
	}
	return f.Kind + ":" + f.Target
}

// What a person reads: each class in its column, what was let in, and of a fault
// each thing once, with a bar beside the seconds in which it is in effect.
func TestWhatIsToldAsItHappens(t *testing.T) {
	at := func(s float64) *float64 { return &s }
	kill := trial.Fault{Kind: "kill", Target: "redis", At: 1, Lasts: 2}
	for name, c := range map[string]struct {
		happens func(*Live)
		want    string
	}{
		"a fault comes and goes": {func(l *Live) {
			l.Plan([]trial.Fault{kill})
			l.Second(second(1, map[string]int64{trial.Success: 10}, 0))
			m := trial.Mark{Fault: kill, Begun: at(1)}
			l.Mark(m)
			m.InEffect = at(1.02)
			l.Mark(m)
			l.Second(second(2, map[string]int64{trial.Failed: 8, trial.Transport: 1, trial.Refused: 1}, 0))
			l.Second(second(3, nil, 0))
			m.Ended = at(3)
			l.Mark(m)
			m.Recovered = at(3.25)
			l.Mark(m)
			l.Mark(m)
			l.Second(second(4, map[string]int64{trial.Success: 9, trial.WrongUser: 1, trial.Shed: 1}, 2))
			last := second(5, nil, 0)
			last.Last = true
			l.Second(last)
		}, `
planned: kill:redis from 1 s to 3 s

       s    2xx    401    5xx  other wrong user let in   p50 ms   p99 ms
       1     10      .      .      .          .      .     1.00     1.00  ████████████████████
▶   1.00 kill:redis is asked for
●   1.02 kill:redis is in effect
│      2      .      1      8      1          .      .     1.00     1.00  ▒▒░░░░░░░░░░░░░░░░··
│      3      .      .      .      .          .      .        .        .
■   3.00 kill:redis is to end
○   3.25 kill:redis is over
       4      9      .      .      1          1      2     1.00     1.00  ████████████████··!!
`},
		"a fault that does not show": {func(l *Live) {
			m := trial.Mark{Fault: kill, Begun: at(1)}
			l.Mark(m)
			m.Why, m.Ended = "did not begin: it would not die", at(2)
			l.Mark(m)
			m.Recovered = at(2.1)
			l.Mark(m)
			l.Second(second(3, map[string]int64{trial.Success: 1000, trial.Failed: 1}, 0))
		}, `
▶   1.00 kill:redis is asked for
■   2.00 kill:redis is to end
✘        kill:redis did not begin: it would not die
○   2.10 kill:redis is over
       3   1000      .      1      .          .      .     1.00     1.00  ███████████████████░
`},
	} {
		var b bytes.Buffer
		c.happens(NewLive(&b, false, "0/main", []string{"0/forged"}, text))
		if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), b.String()); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

// Colours are for a terminal, and change no character.
func TestColours(t *testing.T) {
	var plain, coloured bytes.Buffer
	s := second(1, map[string]int64{trial.Success: 5, trial.Failed: 5}, 0)
	NewLive(&plain, false, "0/main", nil, text).Second(s)
	NewLive(&coloured, true, "0/main", nil, text).Second(s)
	without := strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(coloured.String())
	if without != plain.String() || coloured.String() == plain.String() {
		t.Errorf("%q and %q", plain.String(), coloured.String())
	}
}
