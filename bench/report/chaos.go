package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"authbench/bench/analysis"
	"authbench/bench/trial"
)

// Chaos says in a paragraph what a trial showed whose faults somebody chose, and
// then each doubt of it. One that was cut short says what there is.
func Chaos(w io.Writer, t trial.Trial, width int) error {
	doubts := t.Doubts
	t.Status, t.Doubts = trial.OK, nil // what there is is told, and then what weakens it
	blocks := analysis.Blocks([]trial.Trial{t}, t.Spec.Experiment)
	if len(blocks) == 0 || len(t.Steps) == 0 {
		return nil
	}
	m := t.Steps[0]
	r, ok := m.Result(trial.Main)
	if !ok {
		return nil
	}
	at := trial.Selector{Cell: t.Spec.Cells[0].Cell, Step: m.Step}
	value := func(metric string) (float64, bool) {
		v, err := analysis.Value(metric, blocks[0], at)
		return v, err == nil
	}
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if share, ok := value("outage_availability"); ok {
		say("%s, %s of valid users' requests were answered 2xx.", broken(m.Marks), most(share))
	} else {
		for _, mark := range m.Marks {
			if mark.InEffect == nil {
				say("%s:%s was never in effect: %s.", mark.Fault.Kind, mark.Fault.Target, mark.Why)
			}
		}
	}
	if p99, ok := value("error_time_p99_us"); ok {
		say("An error took %.0f ms (p99).", p99/1000)
	}
	switch after, ok := value("recovery_seconds"); {
	case ok && after > 0:
		say("The last failed request ended %.1f s after the fault was told to end.", after)
	case ok:
		say("None failed once the fault was told to end.")
	}
	say("In all %s of %s requests of valid users succeeded; %s were refused (401), %s failed with a 5xx, %s otherwise (%s got no answer).",
		count(r.Outcomes[trial.Success]), count(r.Completed), count(r.Outcomes[trial.Refused]), count(r.Outcomes[trial.Failed]),
		count(r.Outcomes[trial.Shed]+r.Outcomes[trial.Other]+r.Outcomes[trial.Transport]), count(r.Outcomes[trial.Transport]))
	if r.Dropped > 0 {
		say("%s never started.", count(r.Dropped))
	}
	letIn, refusable := int64(0), int64(0)
	for _, s := range m.Streams {
		if p := s.Stream.Present; p != "" && p != trial.Valid {
			letIn, refusable = letIn+s.Outcomes[trial.UnauthorizedSuccess], refusable+s.Completed
		}
	}
	say("Unauthorized successes: %s of %s. Answers that named another user: %s.", count(letIn), count(refusable),
		count(r.Outcomes[trial.WrongUser]))
	var b strings.Builder
	lines := append(append([]string{""}, fold(strings.Join(said, " "), width)...), "")
	for _, d := range doubts {
		lines = append(lines, fold("doubt: "+d.Text, width)...)
	}
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), nbsp, " "))
	return err
}

// broken says what was in effect, and when.
func broken(marks []trial.Mark) string {
	from, to, is := math.Inf(1), 0.0, []string{}
	for _, m := range marks {
		if m.InEffect != nil && m.Ended != nil {
			from, to, is = min(from, *m.InEffect), max(to, *m.Ended), append(is, m.Fault.Kind+":"+m.Fault.Target)
		}
	}
	verb := "was"
	if len(is) > 1 {
		verb = "were"
	}
	return fmt.Sprintf("While %s %s in effect (%.1f s to %.1f s)", strings.Join(is, " and "), verb, from, to)
}

// most is a share that does not call all what is not all, nor none what is some.
func most(share float64) string {
	text := percent(share)
	switch {
	case share == 0:
		return "none"
	case share == 1:
		return "all"
	case text == percent(1): // rounded
		return "nearly all"
	}
	return text
}
