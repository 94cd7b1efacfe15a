package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"authbench/bench/trial"
)

// k6Log reads what k6 writes while it writes it: samples are kept, exceptions
// counted, and of all the rest only the last lines. out and err are written by
// one goroutine each.
type k6Log struct {
	out, err   lines
	samples    map[string][]float64
	exceptions int
	exception  string // the first
}

// close reads what is there once k6 has ended.
func (l *k6Log) close() {
	l.out.flush()
	l.err.flush()
	l.samples = l.err.samples
	l.exceptions, l.exception = l.err.exceptions, l.err.exception
}

// tail is the end of both streams for a person.
func (l *k6Log) tail() string {
	all := append(l.err.last, l.out.last...)
	if len(all) == 0 {
		return "(it said nothing)"
	}
	return strings.Join(all, "\n")
}

// lines takes one stream apart.
type lines struct {
	partial    []byte
	last       []string
	samples    map[string][]float64
	exceptions int
	exception  string
}

const (
	longestLine = 64 << 10 // bytes; the rest of a longer line is dropped
	lastLines   = 12
	longestSaid = 500 // bytes of one line in an error
)

func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		l.partial = append(l.partial, line[:min(len(line), longestLine-len(l.partial))]...)
		if !whole {
			return n, nil
		}
		l.flush()
		b = rest
	}
}

func (l *lines) flush() {
	if s := strings.TrimSpace(string(l.partial)); s != "" {
		l.line(s)
	}
	l.partial = l.partial[:0]
}

// line is one record of k6's JSON log, or a line of the script's own summary.
func (l *lines) line(s string) {
	var record struct{ Level, Msg, Source, Error string }
	if json.Unmarshal([]byte(s), &record) != nil || record.Msg == "" {
		l.keep(s)
		return
	}
	said := strings.Join(strings.Fields(record.Msg+" "+record.Error), " ")
	if values, ok := strings.CutPrefix(record.Msg, "sample "); ok && record.Source == "console" && l.sample(values) {
		return
	}
	if record.Source == "stacktrace" {
		if l.exceptions++; l.exceptions == 1 {
			l.exception = said
		}
	}
	l.keep(record.Level + ": " + said)
}

func (l *lines) sample(text string) bool {
	var values map[string]float64
	if json.Unmarshal([]byte(text), &values) != nil {
		return false
	}
	if l.samples == nil {
		l.samples = map[string][]float64{}
	}
	for name, v := range values {
		l.samples[name] = append(l.samples[name], v)
	}
	return true
}

func (l *lines) keep(s string) {
	if len(s) > longestSaid {
		s = s[:longestSaid] + "..."
	}
	if len(l.last) == lastLines {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, s)
}

// exitCode is k6's exit status; -1 after a signal.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// judge says whether a script that has ended has done its work. k6 itself ends
// with 0 when every iteration threw, and when nothing was ever sent.
func judge(j trial.Journey, log *k6Log, failed []string, summary error) error {
	if what := k6Exits[j.ExitCode]; what != "" {
		return fmt.Errorf("%s (exit status %d)", what, j.ExitCode)
	}
	switch {
	case j.ExitCode == k6ExitException && log.exceptions == 0:
		return errors.New("the script cannot be loaded")
	case j.ExitCode == k6ExitException || log.exceptions > 0 && j.Counters["requests"] == 0:
		return fmt.Errorf("the script threw: %s", log.exception)
	case j.ExitCode == k6ExitAborted:
		return errors.New("the script gave up")
	case j.ExitCode != 0 && j.ExitCode != k6ExitThreshold:
		return fmt.Errorf("it ended with status %d", j.ExitCode)
	case summary != nil:
		return summary
	case j.Counters["requests"] == 0:
		return errors.New("it sent nothing: see that its settings leave it something to do")
	case log.exceptions > 0:
		return fmt.Errorf("the script threw %d times; the first: %s", log.exceptions, log.exception)
	case j.ExitCode == k6ExitThreshold:
		return fmt.Errorf("%w: %s", ErrThreshold, strings.Join(failed, "; "))
	}
	return nil
}

// Exit statuses of k6.
const (
	k6ExitThreshold = 99
	k6ExitException = 107
	k6ExitAborted   = 108
)

// k6Exits are those that say all there is to say.
var k6Exits = map[int]string{
	-1:  "it was killed: see whether memory ran out",
	100: "the script's setup took too long",
	101: "the script's teardown took too long",
	103: "it was stopped through its control port",
	104: "it does not take the script's options",
	105: "it was interrupted by a signal from outside",
	106: "its control port is taken",
	109: "it crashed: that is a fault of k6, or memory ran out",
}
