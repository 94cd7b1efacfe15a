package report

import (
	"bytes"
	"strings"
	"testing"

	"authbench/bench/trial"
)

// The paragraph at the end holds what was counted, also of a trial that was cut short.
func TestWhatChaosSaysInTheEnd(t *testing.T) {
	begun, ended := 1.0, 2.0
	mark := trial.Mark{Fault: trial.Fault{Kind: "kill", Target: "redis", At: 1, Lasts: 1}, InEffect: &begun, Ended: &ended}
	series := func(second ...int64) (all []int64) { // in each tenth of each second
		for _, n := range second {
			for range 10 {
				all = append(all, n)
			}
		}
		return all
	}
	c := trial.CellSpec{Cell: trial.NewCell("arm", "session/redis"), System: trial.System{Arm: "session/redis"}}
	made := trial.Trial{Spec: trial.Single("chaos", c), Block: 1, Attempt: 1, Status: trial.OK,
		Doubts: []trial.Doubt{{Step: "chaos", Cause: "steal", Spoils: trial.Aspects(), Text: "10 % of the CPU was stolen"}},
		Steps: []trial.Measurement{{Step: "chaos", Marks: []trial.Mark{mark}, Streams: map[string]*trial.StreamResult{
			trial.Main: {Completed: 3000, Outcomes: map[string]int64{trial.Success: 2000, trial.Failed: 900, trial.Refused: 100},
				Series: map[string][]int64{trial.Success: series(100, 10, 90), trial.Failed: series(0, 90, 0), trial.Refused: series(0, 0, 10)}},
			"forged": {Stream: trial.Stream{Present: trial.Forged}, Completed: 600,
				Outcomes: map[string]int64{trial.Refused: 599, trial.UnauthorizedSuccess: 1}},
		}}}}
	for _, status := range []trial.Status{trial.OK, trial.Aborted} {
		made.Status = status
		var b bytes.Buffer
		if err := Chaos(&b, made, 120); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		for _, want := range []string{
			"While kill:redis was in effect (1.0 s to 2.0 s), 10 % of valid users' requests were answered 2xx.",
			"None failed once the fault was told to end.",
			"In all 2,000 of 3,000 requests of valid users succeeded; 100 were refused (401), 900 failed with a 5xx, 0 otherwise",
			"Unauthorized successes: 1 of 600. Answers that named another user: 0.",
			"doubt: 10 % of the CPU was stolen",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %q in\n%s", status, want, &b)
			}
		}
	}
	var nothing bytes.Buffer
	if err := Chaos(&nothing, trial.Trial{}, 120); err != nil || nothing.Len() > 0 {
		t.Errorf("of a trial without a step: %q, %v", &nothing, err)
	}
}
